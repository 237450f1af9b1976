// Package certs serves a certificate that may be replaced while it is in use.
package certs

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"sync/atomic"
	"time"
)

// Pair is a certificate with its key in two files. It is made by [Load]; its methods
// may be called concurrently.
type Pair struct {
	current atomic.Pointer[tls.Certificate]
}

// Load reads a pair in PEM form. The error says which file cannot be used and why.
func Load(cert, key string) (*Pair, error) {
	p := new(Pair)
	_, err := p.Reload(cert, key)
	return p, err
}

// Reload reads the pair again, perhaps from other files, and reports whether it is
// another one. On an error the old pair stays: it is better than none, and a renewal
// that writes the two files one after the other shows a pair that does not match in
// between.
func (p *Pair) Reload(cert, key string) (changed bool, err error) {
	c, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		return false, fmt.Errorf("certificate %s with key %s: %w", cert, key, err)
	}
	if err := usable(c.Leaf, time.Now()); err != nil {
		return false, fmt.Errorf("certificate %s: %w", cert, err)
	}
	old := p.current.Swap(&c)
	return old == nil || !bytes.Equal(old.Certificate[0], c.Certificate[0]), nil
}

// usable refuses what every client would refuse, too.
func usable(leaf *x509.Certificate, now time.Time) error {
	switch {
	case now.After(leaf.NotAfter):
		return fmt.Errorf("it has expired on %v", leaf.NotAfter)
	case len(leaf.DNSNames)+len(leaf.IPAddresses) == 0:
		return errors.New("it names no host (subject alternative name), so that no client accepts it")
	}
	return nil
}

// Config returns settings for a server with the pair: TLS 1.2 at least, HTTP/2 and
// HTTP/1.1. net/http and crypto/tls choose the rest, and keep choosing well.
func (p *Pair) Config() *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS12,
		NextProtos: []string{"h2", "http/1.1"},
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
			return p.current.Load(), nil
		},
	}
}

// Expires returns when the certificate in use expires.
func (p *Pair) Expires() time.Time { return p.current.Load().Leaf.NotAfter }
