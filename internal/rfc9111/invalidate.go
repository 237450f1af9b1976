package rfc9111

import (
	"net/http"
	"net/url"
	"strings"
)

// InvalidatesTarget reports whether the answer to an unsafe request shows that something
// may have changed: it is no error (RFC 9111, section 4.4).
func InvalidatesTarget(status int) bool { return status >= 200 && status < 400 }

// Related returns the other URIs that an unsafe request r, answered with header h, has
// changed: those of Location and Content-Location, if they are of the origin of the
// target URI (section 4.4). Another origin's must not be invalidated: anybody could do
// that.
func Related(r *http.Request, h http.Header) []*url.URL {
	base := targetURI(r)
	var related []*url.URL
	for _, name := range [...]string{"Location", "Content-Location"} {
		lines := h[name]
		if len(lines) != 1 {
			continue
		}
		if u, err := base.Parse(lines[0]); err == nil && sameOrigin(r, base, u) {
			related = append(related, u)
		}
	}
	return related
}

// targetURI returns the URI that r is for (RFC 9110, section 7.1).
func targetURI(r *http.Request) *url.URL {
	u := *r.URL
	u.Host, u.Scheme = r.Host, "http"
	if r.TLS != nil {
		u.Scheme = "https"
	}
	return &u
}

// sameOrigin compares origins (RFC 9110, section 4.3.1). A request without TLS may have
// come by TLS that ends in front of this server, so that its scheme is not known.
func sameOrigin(r *http.Request, base, u *url.URL) bool {
	if u.User != nil || u.Opaque != "" {
		return false
	}
	switch u.Scheme {
	case "https":
	case "http":
		if r.TLS != nil {
			return false
		}
	default:
		return false
	}
	asBase := *base
	asBase.Scheme = u.Scheme
	return strings.EqualFold(authority(&asBase), authority(u))
}

// authority returns host and port, with the scheme's port if there is none.
func authority(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	return u.Hostname() + ":" + port
}

// Groups returns the groups that the lines of a Cache-Groups or Cache-Group-Invalidation
// field name (RFC 9875): none if it is not a List of Strings.
func Groups(lines []string) []string {
	groups, ok := list(lines)
	if !ok {
		return nil
	}
	return groups
}
