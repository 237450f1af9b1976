package gateway_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// echo answers with what it has been asked for, for a minute.
func echo(seen *journal) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen.add("%s %s %s", r.Method, r.Host, r.RequestURI)
		w.Header().Set("Cache-Control", "max-age=60")
		fmt.Fprintf(w, "%s %s", r.Host, r.RequestURI)
	})
}

// TestTargets sends targets in all the forms that there are: what the upstream gets is
// what is in the key, and what is equivalent has one key.
func TestTargets(t *testing.T) {
	tests := []struct {
		name, target, host string
		wanted             string // what the upstream is asked for; a status if it is not
	}{
		{"plain", "/a/b?x=1", "h.com", "h.com /a/b?x=1"},
		{"empty query", "/a?", "h.com", "h.com /a?"},
		{"order and case of the query stay", "/a?B=1&a=%41", "h.com", "h.com /a?B=1&a=%41"},
		{"escapes that need not be", "/%41%2d%7Eb", "h.com", "h.com /A-~b"},
		{"escapes in lower case", "/a%2fb%c3%a4", "h.com", "h.com /a%2Fb%C3%A4"},
		{"bytes that need escapes", "/a|b\"c\\d", "h.com", "h.com /a%7Cb%22c%5Cd"},
		{"delimiters stay", "/a:b@c!$&'()*+,;=d", "h.com", "h.com /a:b@c!$&'()*+,;=d"},
		{"repeated slashes stay", "//a///b", "h.com", "h.com //a///b"},
		{"case of the host", "/", "H.CoM", "h.com /"},
		{"default port", "/", "h.com:80", "h.com /"},
		{"another port", "/", "h.com:8080", "h.com:8080 /"},
		{"empty port", "/", "h.com:", "h.com /"},
		{"dot of the root", "/", "h.com.", "h.com /"},
		{"IPv6", "/", "[::1]:80", "[::1] /"},
		{"absolute form", "http://x.com/a?b", "h.com", "x.com /a?b"},
		{"absolute form without a path", "http://x.com?b", "h.com", "x.com /?b"},
		{"absolute form of another scheme", "https://h.com/", "h.com", "421"},
		{"absolute form with a user", "http://u:p@h.com/", "h.com", "400"},
		{"dot segment", "/a/../b", "h.com", "400"},
		{"hidden dot segment", "/a/%2E%2e/b", "h.com", "400"},
		{"half hidden dot segment", "/a/.%2e", "h.com", "400"},
		{"dot segment behind slashes", "//..//b", "h.com", "400"},
		{"single dot", "/./b", "h.com", "400"},
		{"fragment", "/a#b", "h.com", "400"},
		{"fragment in the query", "/a?b#c", "h.com", "400"},
		{"broken escape", "/a%2", "h.com", "400"},
		{"host with a path", "/", "h.com/x", "400"},
		{"host with a user", "/", "u@h.com", "400"},
		{"host with two ports", "/", "h.com:80:80", "400"},
		{"host with a comma", "/", "h.com,x.com", "400"},
		{"no slash", "a", "h.com", "400"},
		{"tilde and dots in names", "/~a/..b/c..", "h.com", "h.com /~a/..b/c.."},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var seen journal
			s := open(t, echo(&seen), plain)
			answer := s.raw("GET " + tt.target + " HTTP/1.1\nHost: " + tt.host + "\nConnection: close\n\n")
			if len(tt.wanted) == 3 {
				if got := status(answer); got != tt.wanted || len(seen.all()) > 0 {
					t.Errorf("%s, and the upstream saw %q; wanted %s", got, seen.all(), tt.wanted)
				}
				return
			}
			if diff := cmp.Diff([]string{"GET " + tt.wanted}, seen.all()); diff != "" {
				t.Errorf("asked for (-want +got):\n%s\n%s", diff, answer)
			}
		})
	}
}

// TestEquivalentTargetsShareAnEntry are spellings of one URI, and beside them URIs that
// look alike.
func TestEquivalentTargetsShareAnEntry(t *testing.T) {
	var seen journal
	s := open(t, echo(&seen), plain)
	for _, same := range []string{"/b", "/%62", "http://H.com:80/b"} {
		s.raw("GET " + same + " HTTP/1.1\nHost: h.com\nConnection: close\n\n")
	}
	if got := len(seen.all()); got != 1 {
		t.Errorf("%d loads of one URI: %q", got, seen.all())
	}
	different := []string{"/b?", "/b/", "//b", "/B", "/b%2F", "/b//", "/b%3F", "/b;", "/b%3B", "/%2Fb", "/b?a&b", "/b?b&a", "/b?a%26b"}
	for _, target := range different {
		for range 2 {
			answer := s.raw("GET " + target + " HTTP/1.1\nHost: h.com\nConnection: close\n\n")
			if !strings.HasSuffix(answer, "h.com "+target) {
				t.Errorf("%s is answered by %q", target, answer)
			}
		}
	}
	if got := len(seen.all()); got != 1+len(different) {
		t.Errorf("%d loads of %d URIs: %q", got, 1+len(different), seen.all())
	}
}

// TestRoutesTellSpellingsApart has an upstream to which / and %2F differ, as many do.
func TestRoutesTellSpellingsApart(t *testing.T) {
	var seen journal
	s := open(t, echo(&seen), plain+`
routes:
  - {pattern: "GET /files/{path...}", key: "file:{path}", ttl: 1m}
  - {pattern: "PUT /files/{path...}", invalidate: ["file:{path}"]}
`)
	for _, target := range []string{"/files/a/b", "/files/a%2Fb", "/files/a;x", "/files/a%3Bx", "/files//a/b", "/files/a/b"} {
		for range 2 {
			answer := s.raw("GET " + target + " HTTP/1.1\nHost: h.com\nConnection: close\n\n")
			if !strings.HasSuffix(answer, "h.com "+target) {
				t.Errorf("%s is answered by %q", target, answer)
			}
		}
	}
	if got := len(seen.all()); got != 5 {
		t.Errorf("%d loads: %q", got, seen.all())
	}
	// A write by any spelling is one to all of them: who knows what the upstream makes
	// of it.
	for _, spelling := range []string{"/files/a/b", "/files//a/b", "/files/a%2Fb"} {
		s.raw("PUT " + spelling + " HTTP/1.1\nHost: h.com\nConnection: close\nContent-Length: 0\n\n")
		for _, target := range []string{"/files/a/b", "/files/a%2Fb", "/files//a/b"} {
			if got := s.get(target, "Host: h.com").cached(); got != "stored" {
				t.Errorf("%s after PUT %s: %s", target, spelling, got)
			}
		}
	}
}

// TestEvadingWrites: to many upstreams %2F is a slash, so that a write could do what a
// route's write does, without its invalidations.
func TestEvadingWrites(t *testing.T) {
	var seen journal
	s := open(t, echo(&seen), plain+`
routes:
  - {pattern: "PUT /posts/{id}", invalidate: ["p:{id}"]}
  - {pattern: "PUT /projects/{id}", invalidate: ["p:{id}"]}
`)
	for target, wanted := range map[string]string{
		"PUT /posts%2F7": "400", "PUT /%2Fposts/7": "400", "PUT /posts%2F%2f7": "400", "PUT /x/..%2Fposts%2f7": "400",
		"PUT /projects/group%2Fname": "200", "PUT /other%2Fpath": "200", "GET /posts%2F7": "200", "PUT /posts%2F7/x": "200",
	} {
		if got := status(s.raw(target + " HTTP/1.1\nHost: h.com\nConnection: close\nContent-Length: 0\n\n")); got != wanted {
			t.Errorf("%s: %s, wanted %s", target, got, wanted)
		}
	}
}

// TestSpellingStaysInside: how a path is spelt is for the gateway itself.
func TestSpellingStaysInside(t *testing.T) {
	s := open(t, mirror(), plain)
	if got := s.get("//p%2F7"); !strings.Contains(got.body, " //p%2F7\n") || strings.Contains(got.body, "Freshet-Path") {
		t.Errorf("the upstream got\n%s", got.body)
	}
}

// TestNoRedirects: what http.ServeMux would redirect is the upstream's business.
func TestNoRedirects(t *testing.T) {
	var seen journal
	s := open(t, echo(&seen), plain+`
routes:
  - {pattern: "GET /tree/", ttl: 1m}
  - {pattern: "GET /all/{rest...}", ttl: 1m}
`)
	for _, target := range []string{"/tree", "/all", "/tree/", "//tree//x", "/other"} {
		if got := s.get(target); got.StatusCode != http.StatusOK || !strings.HasSuffix(got.body, " "+target) {
			t.Errorf("%s: %s %s", target, got.Status, got.body)
		}
	}
}

func TestOrigins(t *testing.T) {
	var seen journal
	s := open(t, echo(&seen), plain+`origins: ["http://h.com", "http://i.com:81"]`)
	for host, wanted := range map[string]int{"h.com": 200, "H.COM:80": 200, "i.com:81": 200, "i.com": 421, "x.com": 421, "h.com:81": 421} {
		if got := s.get("/", "Host: "+host).StatusCode; got != wanted {
			t.Errorf("%s: %d, wanted %d", host, got, wanted)
		}
	}
}

func TestMethodsThatAreNotForwarded(t *testing.T) {
	var seen journal
	s := open(t, echo(&seen), plain)
	for text, wanted := range map[string]string{
		"CONNECT h.com:443 HTTP/1.1":           "501",
		"TRACE / HTTP/1.1":                     "501",
		"OPTIONS /x HTTP/1.1\nMax-Forwards: 0": "200",
		"OPTIONS * HTTP/1.1\nMax-Forwards: 0":  "200",
	} {
		if got := status(s.raw(text + "\nHost: h.com\nConnection: close\n\n")); got != wanted {
			t.Errorf("%s: %s, wanted %s", text, got, wanted)
		}
	}
	if got := seen.all(); got != nil {
		t.Errorf("the upstream saw %q", got)
	}
	s.raw("OPTIONS * HTTP/1.1\nHost: h.com\nConnection: close\n\n")
	s.raw("OPTIONS /x HTTP/1.1\nMax-Forwards: 3\nHost: h.com\nConnection: close\n\n")
	if diff := cmp.Diff([]string{"OPTIONS h.com *", "OPTIONS h.com /x"}, seen.all()); diff != "" {
		t.Errorf("asked for (-want +got):\n%s", diff)
	}
}
