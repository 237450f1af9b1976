// Package rfc9111 holds what a shared cache has to know of HTTP, as pure functions:
// whether an answer may be stored and how long it is fresh, what of a stored one may
// answer a request, what a 304 makes of it, and what a write makes of others. The
// sections that comments name without a number in front are those of RFC 9111.
// What is honoured, line by line, is in docs/http.md.
package rfc9111

import (
	"net/http"
	"net/textproto"
	"slices"
	"strings"
)

// Unanswerable says why a read cannot be answered from a cache, whatever is
// stored; it is empty when it can.
func Unanswerable(r *http.Request) string {
	switch {
	case r.ContentLength != 0 && r.Method != "QUERY":
		// The body is no part of the key, and a handler may well read it.
		return "request body"
	case r.Header["Upgrade"] != nil:
		return "upgrade"
	case r.Header["If-Match"] != nil || r.Header["If-Unmodified-Since"] != nil:
		return "precondition"
	}
	return ""
}

// Credentials reports whether r says who is asking (RFC 9111, section 3.5, for
// Authorization; cookies are the same thing in practice).
func Credentials(r *http.Request) bool {
	return r.Header["Authorization"] != nil || r.Header["Cookie"] != nil
}

// Token reports whether name can be the name of a header field (RFC 9110,
// section 5.6.2).
func Token(name string) bool {
	return name != "" && !strings.ContainsFunc(name, func(c rune) bool {
		return c <= ' ' || c > '~' || strings.ContainsRune("\"(),/:;<=>?@[\\]{}*", c)
	})
}

// hopByHop are the fields that speak of one connection, not of the answer (RFC
// 9110, section 7.6.1, and the older Keep-Alive and Proxy- fields).
var hopByHop = map[string]bool{
	"Connection": true, "Keep-Alive": true, "Proxy-Authenticate": true, "Proxy-Authentication-Info": true,
	"Proxy-Authorization": true, "Proxy-Connection": true, "Te": true, "Trailer": true,
	"Transfer-Encoding": true, "Upgrade": true,
}

// HopByHop returns a test for the fields of h that speak of one connection: the
// well-known ones, and those that its Connection lines name.
func HopByHop(h http.Header) func(name string) bool {
	var named []string
	for _, line := range h.Values("Connection") {
		for name := range strings.SplitSeq(line, ",") {
			named = append(named, textproto.CanonicalMIMEHeaderKey(strings.TrimSpace(name)))
		}
	}
	return func(name string) bool { return hopByHop[name] || slices.Contains(named, name) }
}

// BodyAllowed reports whether an answer of this status may have a body (RFC
// 9110, section 6.4.1).
func BodyAllowed(status int) bool {
	return status >= 200 && status != http.StatusNoContent && status != http.StatusNotModified
}
