package redisstore_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/freshet-dev/freshet"
	"github.com/freshet-dev/freshet/internal/redistest"
	"github.com/freshet-dev/freshet/redisstore"
)

// certificate writes a key and a certificate for 127.0.0.1 that signs itself.
func certificate(t *testing.T) (certFile, keyFile string, pool *x509.CertPool) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(24 * time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	pool = x509.NewCertPool()
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool.AddCert(parsed)
	write := func(name, kind string, bytes []byte) string {
		file := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: bytes}), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	return write("cert.pem", "CERTIFICATE", der), write("key.pem", "PRIVATE KEY", secret), pool
}

func TestTLS(t *testing.T) {
	certFile, keyFile, pool := certificate(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	l.Close()
	redistest.Start(t, "--tls-port", fmt.Sprint(port), "--tls-cert-file", certFile, "--tls-key-file", keyFile,
		"--tls-auth-clients", "no")
	url := fmt.Sprintf("rediss://127.0.0.1:%d", port)
	trusting := openWith(t, func(o *redisstore.Options) { o.URL, o.TLSConfig = url, &tls.Config{RootCAs: pool} })
	fill(t, trusting, key("k"), time.Hour, "body")
	wantHit(t, trusting, key("k"), "body")
	wary := openWith(t, func(o *redisstore.Options) { o.URL = url })
	if _, err := wary.Client(); err == nil {
		t.Error("a certificate that nobody vouches for has been accepted")
	}
}

// TestClusterTLS is a Cluster whose clients need certificates, too. Its nodes name
// their TLS ports to those who ask over TLS.
func TestClusterTLS(t *testing.T) {
	t.Parallel()
	certFile, keyFile, pool := certificate(t)
	c := redistest.StartReplicatedCluster(t, 2, 1, "--tls-cert-file", certFile, "--tls-key-file", keyFile,
		"--tls-ca-cert-file", certFile, "--tls-auth-clients", "yes", "--tls-cluster", "yes", "--tls-replication", "yes")
	own, err := tls.LoadX509KeyPair(certFile, keyFile)
	if err != nil {
		t.Fatal(err)
	}
	first := fmt.Sprintf("127.0.0.1:%d", c.Nodes[0].TLSPort)
	s := openWith(t, func(o *redisstore.Options) {
		o.Cluster, o.TLSConfig = first, &tls.Config{RootCAs: pool, Certificates: []tls.Certificate{own}}
	})
	for i := range 20 {
		fill(t, s, key(fmt.Sprint(i)), time.Hour, "body", "tag")
		wantHit(t, s, key(fmt.Sprint(i)), "body")
	}
	invalidate(t, s, freshet.Tag("tag"))
	for i := range 20 {
		if found := lookup(t, s, key(fmt.Sprint(i))); found.Entry != nil {
			t.Errorf("%d, which has been invalidated, is served", i)
		}
	}
	stranger := openWith(t, func(o *redisstore.Options) { o.Cluster, o.TLSConfig = first, &tls.Config{RootCAs: pool} })
	if _, err := stranger.Client(); err == nil {
		t.Error("a client without a certificate has been let in")
	}
}
