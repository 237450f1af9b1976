package target_test

import (
	"errors"
	"net/url"
	"strings"
	"testing"

	"github.com/freshet-dev/freshet/gateway/internal/target"
)

func TestHost(t *testing.T) {
	tests := []struct{ host, scheme, wanted string }{
		{"", "http", ""},
		{"h.com", "http", "h.com"},
		{"H.Com", "http", "h.com"},
		{"h.com.", "http", "h.com"},
		{"h.com:80", "http", "h.com"},
		{"h.com:0080", "http", "h.com"},
		{"h.com:80", "https", "h.com:80"},
		{"h.com:443", "https", "h.com"},
		{"h.com:443", "http", "h.com:443"},
		{"h.com:", "http", "h.com"},
		{"h.com.:8080", "http", "h.com:8080"},
		{"10.0.0.1:8080", "http", "10.0.0.1:8080"},
		{"[::1]", "http", "[::1]"},
		{"[FE80::1]:80", "http", "[fe80::1]"},
		{"[::1]:8080", "http", "[::1]:8080"},
		{"::1", "http", "error"},
		{"[::1", "http", "error"},
		{"[::1%25eth0]", "http", "error"},
		{"[h.com]", "http", "error"},
		{"h.com:x", "http", "error"},
		{"h.com:-1", "http", "error"},
		{"a@h.com", "http", "error"},
		{"h.com/x", "http", "error"},
		{"h com", "http", "error"},
		{"h.com,x", "http", "error"},
		{"h%2ecom", "http", "error"},
		{":80", "http", "error"},
		{".", "http", "error"},
		{"hä.com", "http", "error"},
		{strings.Repeat("a", 300), "http", "error"},
	}
	for _, tt := range tests {
		got, err := target.Host(tt.host, tt.scheme)
		if err != nil {
			got = "error"
		}
		if got != tt.wanted {
			t.Errorf("Host(%q, %q) = %q, wanted %q", tt.host, tt.scheme, got, tt.wanted)
		}
	}
}

func TestParsePath(t *testing.T) {
	tests := []struct {
		raw, exact, routed string
		odd                bool
		err                error
	}{
		{"/", "/", "/", false, nil},
		{"/a/b.c/~d", "/a/b.c/~d", "/a/b.c/~d", false, nil},
		{"/%61%2e%7e", "/a.~", "/a.~", false, nil},
		{"/a%2fb", "/a%2Fb", "/a%2Fb", true, nil},
		{"/a%3a%40", "/a%3A%40", "/a%3A%40", true, nil},
		{"/a%20%25%c3%A4", "/a%20%25%C3%A4", "/a%20%25%C3%A4", false, nil},
		{"/a b", "", "", false, target.ErrPath},
		{"/ä[]", "/%C3%A4%5B%5D", "/%C3%A4%5B%5D", false, nil},
		{"/a?b", "", "", false, target.ErrPath},
		{"/a#b", "", "", false, target.ErrPath},
		{"/a\x00", "", "", false, target.ErrPath},
		{"/a%", "", "", false, target.ErrPath},
		{"/a%4", "", "", false, target.ErrPath},
		{"/a%4g", "", "", false, target.ErrPath},
		{"", "", "", false, target.ErrPath},
		{"*", "", "", false, target.ErrPath},
		{"a/b", "", "", false, target.ErrPath},
		{"//a///b/", "//a///b/", "/a/b/", true, nil},
		{"/a/..", "", "", false, target.ErrDots},
		{"/./a", "", "", false, target.ErrDots},
		{"/%2e%2E/a", "", "", false, target.ErrDots},
		{"/a/.%2e", "", "", false, target.ErrDots},
		{"/a/...", "/a/...", "/a/...", false, nil},
		{"/.a/..b", "/.a/..b", "/.a/..b", false, nil},
		{"/%252e%252e/a", "/%252e%252e/a", "/%252e%252e/a", false, nil},
	}
	for _, tt := range tests {
		p, err := target.ParsePath(tt.raw)
		if !errors.Is(err, tt.err) || p != (target.Path{Exact: tt.exact, Routed: tt.routed, Odd: tt.odd}) {
			t.Errorf("ParsePath(%q) = %+v, %v", tt.raw, p, err)
		}
	}
}

// FuzzParsePath: the normal form is its own normal form, net/url takes it for a path of
// the same meaning, and paths that are not odd are told apart by what they decode to.
func FuzzParsePath(f *testing.F) {
	for _, seed := range []string{"/", "/a%2fb//c", "/%41;b", "/ä", "/a/%2e%2e/b", "/%%", "/a%3ab:c"} {
		f.Add(seed, seed)
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		p, err := target.ParsePath(a)
		if err != nil {
			return
		}
		if again, err := target.ParsePath(p.Exact); err != nil || again != p {
			t.Fatalf("%q: %+v, and again %+v, %v", a, p, again, err)
		}
		decoded, err := url.PathUnescape(p.Routed)
		if err != nil {
			t.Fatalf("%q: %v", a, err)
		}
		u := url.URL{Path: decoded, RawPath: p.Routed}
		if got := u.EscapedPath(); got != p.Routed {
			t.Fatalf("%q: net/url makes %q of %q", a, got, p.Routed)
		}
		q, err := target.ParsePath(b)
		if err != nil || p.Odd || q.Odd {
			return
		}
		if other, _ := url.PathUnescape(q.Routed); other == decoded && q != p {
			t.Fatalf("%q and %q both decode to %q", p.Exact, q.Exact, decoded)
		}
	})
}
