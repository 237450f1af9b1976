package forwarded

import (
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"github.com/freshet-dev/freshet/gateway/internal/target"
)

// Trust is the list of the proxies that are believed. The zero value believes
// nobody. It is immutable and may be used concurrently.
type Trust struct{ prefixes []netip.Prefix }

// Parse reads a list of networks ("10.0.0.0/8") and single addresses ("::1"). The
// error names every entry that is neither, and says what to write.
func Parse(list []string) (Trust, error) {
	var t Trust
	var bad []string
	for _, text := range list {
		p, err := network(text)
		if err != nil {
			bad = append(bad, fmt.Sprintf("%q", text))
			continue
		}
		t.prefixes = append(t.prefixes, p)
	}
	if len(bad) > 0 {
		return Trust{}, fmt.Errorf(`%s: write an address or a network, such as "10.0.0.0/8" or "::1"`, strings.Join(bad, ", "))
	}
	return t, nil
}

func network(text string) (netip.Prefix, error) {
	if strings.Contains(text, "/") {
		p, err := netip.ParsePrefix(text)
		return p.Masked(), err
	}
	a, err := netip.ParseAddr(text)
	if err != nil {
		return netip.Prefix{}, err
	}
	return a.Unmap().Prefix(a.Unmap().BitLen())
}

// believes reports whether a is one of the proxies. A zone ("fe80::1%eth0") is no
// part of what a network can name, so that it is left out of the comparison.
func (t *Trust) believes(a netip.Addr) bool {
	a = a.WithZone("")
	return slices.ContainsFunc(t.prefixes, func(p netip.Prefix) bool { return p.Contains(a) })
}

// The fields, in canonical form.
const (
	forField    = "X-Forwarded-For"
	protoField  = "X-Forwarded-Proto"
	hostField   = "X-Forwarded-Host"
	stdField    = "Forwarded"
	realField   = "X-Real-Ip"
	fieldPrefix = "X-Forwarded-"
)

// Rewrite makes a request say who asks, as far as that is known. Afterwards
//
//   - X-Forwarded-For lists the client and the trusted proxies that its request has
//     passed, the nearest last. What somebody in front of the first of them has
//     claimed is left out;
//   - X-Forwarded-Proto is http or https: how the client has sent the request;
//   - X-Forwarded-Host is the same as r.Host: the host that the client has asked
//     for. So the host that is part of a key is the host that upstreams see;
//   - Forwarded says the same in the words of RFC 7239;
//   - every other X-Forwarded- field and X-Real-Ip are gone.
//
// It changes r in place, before anything is looked up by it: what a cache compares
// has to be what the upstream gets.
func (t *Trust) Rewrite(r *http.Request) {
	peer := peer(r.RemoteAddr)
	c := claim{proto: scheme(r)}
	if len(t.prefixes) > 0 && t.believes(peer) {
		c = t.believed(r, c)
	}
	strip(r.Header)
	if c.host != "" {
		r.Host = c.host
	}
	if host, err := target.Host(r.Host, c.proto); err == nil {
		r.Host = host // as keys have it, so that upstreams see no other spelling
	}
	c.chain = append(c.chain, peer)
	c.write(r)
}

// Client returns the address of the client of a rewritten request, without a port,
// for logs.
func Client(r *http.Request) string {
	first, _, _ := strings.Cut(r.Header.Get(forField), ",")
	return first
}

// peer returns who has opened the connection; the zero Addr if that has no IP
// address, as on a Unix socket.
func peer(remote string) netip.Addr {
	ap, err := netip.ParseAddrPort(remote)
	if err != nil {
		return netip.Addr{}
	}
	return ap.Addr().Unmap()
}

func scheme(r *http.Request) string {
	if r.TLS != nil {
		return "https"
	}
	return "http"
}

// strip removes what is replaced, and what nobody here sets: a field that an
// upstream may act on, and that is no part of any key, is a way to poison the cache.
func strip(h http.Header) {
	for name := range h {
		if strings.HasPrefix(name, "X") && own(name) {
			delete(h, name)
		}
	}
	delete(h, stdField)
}

// own reports whether name is one of the fields that start with X-, or would be to
// an upstream of the CGI family, where X_Forwarded_For is the same variable.
func own(name string) bool {
	if len(name) < len(realField) || name[1] != '-' && name[1] != '_' {
		return false
	}
	name = http.CanonicalHeaderKey(strings.ReplaceAll(name, "_", "-"))
	return strings.HasPrefix(name, fieldPrefix) || name == realField
}

// validHost reports whether host may stand in a Host field: a name or an address
// with a port or without (RFC 9110, section 7.2), and nothing that could be taken
// for another part of a URI.
func validHost(host string) bool {
	if host == "" || len(host) > 255 {
		return false
	}
	if strings.ContainsFunc(host, func(r rune) bool { return !hostRune(r) }) {
		return false
	}
	if !strings.ContainsAny(host, ":[]") {
		return true
	}
	name, port := host, "80"
	if !strings.HasSuffix(host, "]") {
		var err error
		if name, port, err = net.SplitHostPort(host); err != nil || name == "" {
			return false
		}
	}
	return !strings.ContainsFunc(port, func(r rune) bool { return r < '0' || r > '9' }) && bracketed(host, name)
}

// bracketed reports whether brackets stand around an IPv6 address and nowhere else.
func bracketed(host, name string) bool {
	name = strings.TrimSuffix(strings.TrimPrefix(name, "["), "]")
	if !strings.ContainsAny(host, "[]") {
		return !strings.Contains(name, ":")
	}
	a, err := netip.ParseAddr(name)
	return err == nil && a.Is6() && strings.HasPrefix(host, "["+name+"]")
}

func hostRune(r rune) bool {
	return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || strings.ContainsRune("-._~:[]", r)
}
