// Package certtest makes certificates for tests.
package certtest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"testing"
	"time"
)

// Options are what tests ask of a certificate.
type Options struct {
	Serial   int64
	NotAfter time.Time // Default: in an hour
	Nobody   bool      // it names no host, else it names 127.0.0.1 and localhost
}

// Write writes a new certificate, signed by itself, and its key in PEM form.
func Write(t testing.TB, cert, key string, o Options) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(o.Serial), NotBefore: time.Now().Add(-2 * time.Hour), NotAfter: o.NotAfter}
	if o.NotAfter.IsZero() {
		template.NotAfter = time.Now().Add(time.Hour)
	}
	if !o.Nobody {
		template.DNSNames, template.IPAddresses = []string{"localhost"}, []net.IP{net.IPv4(127, 0, 0, 1)}
	}
	public, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	write(t, cert, "CERTIFICATE", public)
	write(t, key, "PRIVATE KEY", secret)
}

func write(t testing.TB, path, kind string, text []byte) {
	t.Helper()
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: text}), 0o600); err != nil {
		t.Fatal(err)
	}
}
