// Package rfc9111 holds what a shared cache has to know of HTTP, as pure
// functions: may an answer be stored, does the client have it already.
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

// heuristic are the statuses that may be stored without the answer saying so
// (RFC 9110, section 15.1), less 206, 405, 414 and 501: a part, or an error that
// is cheap to make again.
var heuristic = map[int]bool{200: true, 203: true, 204: true, 300: true, 301: true, 308: true, 404: true, 410: true}

// Heuristic reports whether an answer of this status may be stored though it
// does not say for how long.
func Heuristic(status int) bool { return heuristic[status] }

// Forbids reports whether Cache-Control keeps a shared cache from storing the
// answer, or from serving it again without asking (RFC 9111, sections 5.2.2.4,
// 5.2.2.5 and 5.2.2.7). A directive with field names is read as if it had none.
func Forbids(lines []string) bool {
	for _, line := range lines {
		for part := range strings.SplitSeq(line, ",") {
			name, _, _ := strings.Cut(part, "=")
			switch strings.ToLower(strings.TrimSpace(name)) {
			case "no-store", "no-cache", "private":
				return true
			}
		}
	}
	return false
}

// VaryCovered reports whether every request header that the answer's Vary lines
// name is among headers, which are in canonical form.
func VaryCovered(vary, headers []string) bool {
	for _, line := range vary {
		for name := range strings.SplitSeq(line, ",") {
			name = textproto.CanonicalMIMEHeaderKey(strings.TrimSpace(name))
			if name != "" && !slices.Contains(headers, name) {
				return false
			}
		}
	}
	return true
}

// BodyAllowed reports whether an answer of this status may have a body (RFC
// 9110, section 6.4.1).
func BodyAllowed(status int) bool {
	return status >= 200 && status != http.StatusNoContent && status != http.StatusNotModified
}
