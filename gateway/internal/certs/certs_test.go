package certs

import (
	"crypto/tls"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/freshet-dev/freshet/gateway/internal/certs/certtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func paths(t *testing.T) (cert, key string) {
	t.Helper()
	dir := t.TempDir()
	return filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
}

// serial returns the serial number of the certificate that a client is shown.
func serial(t *testing.T, p *Pair, c *tls.Config) (int64, tls.ConnectionState) {
	t.Helper()
	client, server := net.Pipe()
	done := make(chan struct{})
	go func() {
		defer close(done)
		conn := tls.Server(server, p.Config())
		_, _ = io.Copy(io.Discard, conn)
		_ = conn.Close()
	}()
	conn := tls.Client(client, c)
	err := conn.Handshake()
	state := conn.ConnectionState()
	_ = conn.Close()
	<-done
	if err != nil {
		t.Log(err)
		return 0, state
	}
	return state.PeerCertificates[0].SerialNumber.Int64(), state
}

// TestReload: a new pair is used from the next connection on, and a bad one leaves
// the old in place.
func TestReload(t *testing.T) {
	cert, key := paths(t)
	certtest.Write(t, cert, key, certtest.Options{Serial: 1})
	p, err := Load(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	client := &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}}
	if got, state := serial(t, p, client); got != 1 || state.NegotiatedProtocol != "h2" || state.Version != tls.VersionTLS13 {
		t.Errorf("certificate %d, %s, %x", got, state.NegotiatedProtocol, state.Version)
	}
	if changed, err := p.Reload(cert, key); changed || err != nil {
		t.Errorf("the same again: %v, %v", changed, err)
	}
	certtest.Write(t, cert, key, certtest.Options{Serial: 2})
	if changed, err := p.Reload(cert, key); !changed || err != nil {
		t.Errorf("another: %v, %v", changed, err)
	}
	bad := map[string]func(){
		"does not match": func() { certtest.Write(t, cert, filepath.Join(t.TempDir(), "other"), certtest.Options{Serial: 3}) },
		"expired": func() {
			certtest.Write(t, cert, key, certtest.Options{Serial: 4, NotAfter: time.Now().Add(-time.Hour)})
		},
		"names no host": func() { certtest.Write(t, cert, key, certtest.Options{Serial: 5, Nobody: true}) },
		"PEM":           func() { overwrite(t, cert) },
		"no such file":  func() { _ = os.Remove(key) },
	}
	for _, why := range []string{"does not match", "expired", "names no host", "PEM", "no such file"} {
		bad[why]()
		if _, err := p.Reload(cert, key); err == nil || !strings.Contains(err.Error(), why) {
			t.Errorf("%s: %v", why, err)
		}
		if got, _ := serial(t, p, client); got != 2 {
			t.Errorf("%s: certificate %d is served", why, got)
		}
	}
}

func overwrite(t *testing.T, path string) {
	t.Helper()
	if err := os.WriteFile(path, []byte("no certificate"), 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestOldVersions: TLS 1.1 is refused.
func TestOldVersions(t *testing.T) {
	cert, key := paths(t)
	certtest.Write(t, cert, key, certtest.Options{Serial: 1})
	p, err := Load(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	if got, _ := serial(t, p, &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}); got != 0 {
		t.Error("TLS 1.1 is spoken")
	}
	if got, _ := serial(t, p, &tls.Config{InsecureSkipVerify: true, MaxVersion: tls.VersionTLS12}); got != 1 {
		t.Error("TLS 1.2 is not spoken")
	}
}
