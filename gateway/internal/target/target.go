// Package target brings the target of a request into one form, in which it is
// routed, keyed and forwarded: what differs in the key differs for the upstream,
// and what the upstream gets is what is in the key.
package target

import (
	"errors"
	"net/netip"
	"strings"
)

// What makes a target impossible to serve.
var (
	// ErrHost says that the host is no name or address.
	ErrHost = errors.New("the host is not valid")
	// ErrDots says that the path has a segment that means another one: . or .., in
	// whatever spelling. Clients resolve them (RFC 3986, section 5.2.4); what would
	// an upstream do that nobody here knows?
	ErrDots = errors.New("the path has a dot segment")
	// ErrPath says that the path, or the query, has a byte that no URI may have.
	ErrPath = errors.New("the target has a byte that a URI cannot have")
)

// Host returns host, with a port or without, in the form that keys have: in lower
// case, without the port that scheme implies and without the dot of the root (RFC
// 9110, section 4.2.3). An empty one stays empty: HTTP/1.0 needs none.
func Host(host, scheme string) (string, error) {
	if host == "" {
		return "", nil
	}
	name, port := host, ""
	if i := strings.LastIndexByte(host, ':'); i >= 0 && i > strings.LastIndexByte(host, ']') {
		name, port = host[:i], host[i+1:]
	}
	name = strings.TrimSuffix(strings.ToLower(name), ".")
	if !validName(name) || strings.Trim(port, "0123456789") != "" || len(host) > 255+6 {
		return "", ErrHost
	}
	port = strings.TrimLeft(port, "0")
	if port == "" || port == "80" && scheme == "http" || port == "443" && scheme == "https" {
		return name, nil
	}
	return name + ":" + port, nil
}

// validName reports whether name is a domain name or an IP address, an IPv6 one in
// brackets.
func validName(name string) bool {
	if inner, ok := strings.CutPrefix(name, "["); ok {
		inner, ok = strings.CutSuffix(inner, "]")
		a, err := netip.ParseAddr(inner)
		return ok && err == nil && a.Is6() && a.Zone() == ""
	}
	return name != "" && strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789-._~") == ""
}
