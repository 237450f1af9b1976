package rfc9111

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// noon is when the answers of these tests are received. It is not a whole second, as the
// dates in them are.
var noon = time.Date(2026, 11, 21, 12, 0, 0, 5e8, time.UTC)

// at returns the date of a moment as it is sent.
func at(t time.Time) string { return t.UTC().Format(http.TimeFormat) }

// header makes a header of lines of the form "Name: value".
func header(lines ...string) http.Header {
	h := make(http.Header)
	for _, line := range lines {
		name, value, _ := strings.Cut(line, ":")
		h.Add(name, strings.TrimSpace(value))
	}
	return h
}

// request makes a GET request with these lines in its header.
func request(lines ...string) *http.Request {
	r := httptest.NewRequest(http.MethodGet, "/x", nil)
	r.Header = header(lines...)
	return r
}

// pure is a policy that adds nothing to what the answer says.
var pure = Policy{Lifetime: Own}

// TestStoringIsForbidden is what section 3 and the directives say must not be stored, under
// every source of lifetimes: none overrides them.
func TestStoringIsForbidden(t *testing.T) {
	tests := []struct {
		name    string
		status  int
		request []string
		header  []string
		why     string
	}{
		{"3: max-age", 200, nil, []string{"Cache-Control: max-age=60"}, ""},
		{"3: interim status", 103, nil, []string{"Cache-Control: max-age=60"}, "status"},
		{"3: 304", 304, nil, []string{"Cache-Control: max-age=60"}, "status"},
		{"3: 206", 206, nil, []string{"Cache-Control: max-age=60"}, "status"},
		{"3: unknown status", 299, nil, []string{"Cache-Control: max-age=60"}, "status"},
		{"RFC 6585: 428", 428, nil, []string{"Cache-Control: max-age=60"}, "status"},
		{"RFC 6585: 429", 429, nil, []string{"Cache-Control: max-age=60"}, "status"},
		{"RFC 6585: 431", 431, nil, []string{"Cache-Control: max-age=60"}, "status"},
		{"RFC 6585: 511", 511, nil, []string{"Cache-Control: max-age=60"}, "status"},
		{"server error", 500, nil, []string{"Cache-Control: public, max-age=60"}, "status"},
		{"5.2.2.5: no-store", 200, nil, []string{"Cache-Control: no-store, max-age=60"}, "no-store"},
		{"5.2.2.5: no-store, second line", 200, nil, []string{"Cache-Control: max-age=60", "Cache-Control: No-Store"}, "no-store"},
		{"5.2.2.5: no-store and public", 200, nil, []string{"Cache-Control: no-store, public, max-age=60"}, "no-store"},
		{"5.2.2.3: must-understand", 200, nil, []string{"Cache-Control: must-understand, no-store, max-age=60"}, ""},
		{"5.2.2.3: must-understand, status unknown", 299, nil, []string{"Cache-Control: must-understand, no-store, max-age=60"}, "no-store"},
		{"5.2.2.3: must-understand alone, status unknown", 299, nil, []string{"Cache-Control: must-understand, max-age=60"}, "status"},
		{"5.2.2.3: must-understand with private", 200, nil, []string{"Cache-Control: must-understand, no-store, private, max-age=60"}, "private"},
		{"5.2.2.7: private", 200, nil, []string{"Cache-Control: private, max-age=60"}, "private"},
		{"5.2.2.7: private and s-maxage", 200, nil, []string{"Cache-Control: private, s-maxage=60, public"}, "private"},
		{"5.2.2.7: private with names", 200, nil, []string{`Cache-Control: private="X-A", max-age=60`}, ""},
		{"5.2.2.7: private with broken names", 200, nil, []string{`Cache-Control: private="()", max-age=60`}, "private"},
		{"7.3: Set-Cookie", 200, nil, []string{"Cache-Control: public, max-age=60", "Set-Cookie: a=b"}, "set-cookie"},
		{"7.3: Set-Cookie in no-cache", 200, nil, []string{`Cache-Control: no-cache="Set-Cookie", max-age=60`, "Set-Cookie: a=b"}, "set-cookie"},
		{"4.1: Vary: *", 200, nil, []string{"Cache-Control: max-age=60", "Vary: Accept", "Vary: X, *"}, "vary"},
		{"4.1: Vary with a broken name", 200, nil, []string{"Cache-Control: max-age=60", "Vary: a b"}, "vary"},
		{"4.1: Vary", 200, nil, []string{"Cache-Control: max-age=60", "Vary: Accept, Origin"}, ""},
		{"5.2.1.5: request no-store", 200, []string{"Cache-Control: no-store"}, []string{"Cache-Control: max-age=60"}, "request no-store"},
		{"5.2.1.5: malformed request", 200, []string{`Cache-Control: x="`}, []string{"Cache-Control: max-age=60"}, "request no-store"},
		{"5.2.1.4: request no-cache", 200, []string{"Cache-Control: no-cache"}, []string{"Cache-Control: max-age=60"}, ""},
		{"5.2.3: unknown directives", 200, nil, []string{`Cache-Control: max-age=60, community="UCI", x`}, ""},
		{"5.2: quotes that are not closed", 200, nil, []string{`Cache-Control: max-age=60, x="y`}, "no-store"},
		{"9213, 2.2: targeted no-store", 200, nil, []string{"Cache-Control: max-age=60", "CDN-Cache-Control: no-store"}, "no-store"},
		{"9213, 2.2: targeted private", 200, nil, []string{"Cache-Control: max-age=60", "Freshet-Cache-Control: private"}, "private"},
		{"9213, 3.1: targeted instead of no-store", 200, nil, []string{"Cache-Control: no-store", "CDN-Cache-Control: max-age=60"}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for lifetime := Shorter; lifetime <= ByRule; lifetime++ {
				p := Policy{Lifetime: lifetime, TTL: time.Minute, ErrorTTL: time.Minute}
				if got := p.Storage(request(tt.request...), tt.status, header(tt.header...), noon, noon); got.Why != tt.why {
					t.Errorf("with lifetime %d it is %q, want %q", lifetime, got.Why, tt.why)
				}
			}
		})
	}
	t.Run("IgnoreClient", func(t *testing.T) {
		p := Policy{Lifetime: Own, IgnoreClient: true}
		got := p.Storage(request("Cache-Control: no-store"), 200, header("Cache-Control: max-age=60"), noon, noon)
		if got.Why != "" {
			t.Error(got.Why)
		}
	})
}

// TestStoringNeedsAReason is the last item of section 3: something has to say that the
// answer may be stored; and a pure cache stores none without a lifetime (section 4.2.2).
func TestStoringNeedsAReason(t *testing.T) {
	long := "Last-Modified: " + at(noon.Add(-100*time.Hour))
	tests := []struct {
		name     string
		lifetime Lifetime
		status   int
		header   []string
		why      string
	}{
		{"nothing", Own, 200, nil, "lifetime"},
		{"only a validator", Own, 200, []string{`Etag: "a"`}, "lifetime"},
		{"max-age", Own, 200, []string{"Cache-Control: max-age=1"}, ""},
		{"s-maxage", Own, 200, []string{"Cache-Control: s-maxage=1"}, ""},
		{"Expires", Own, 200, []string{"Expires: " + at(noon.Add(time.Minute))}, ""},
		{"public alone", Own, 200, []string{"Cache-Control: public"}, "lifetime"},
		{"Last-Modified", Own, 200, []string{long}, "lifetime"},
		{"302 with max-age", Own, 302, []string{"Cache-Control: max-age=1"}, ""},
		{"307 with Expires", Own, 307, []string{"Expires: " + at(noon.Add(time.Minute))}, ""},

		{"heuristic, nothing", Heuristically, 200, nil, "lifetime"},
		{"heuristic, Last-Modified", Heuristically, 200, []string{long}, ""},
		{"heuristic, 302", Heuristically, 302, []string{long}, "status"},
		{"heuristic, 302 and public", Heuristically, 302, []string{long, "Cache-Control: public"}, ""},
		{"heuristic, 405", Heuristically, 405, []string{long}, "status"},

		{"rule", ByRule, 200, nil, ""},
		{"rule, 404 without ErrorTTL", ByRule, 404, nil, "lifetime"},
		{"rule, 302", ByRule, 302, nil, "status"},
		{"rule, 302 and max-age", ByRule, 302, []string{"Cache-Control: max-age=1"}, ""},
		{"shorter", Shorter, 200, nil, ""},
		{"shorter, 302", Shorter, 302, nil, "status"},
		{"shorter, 302 and public", Shorter, 302, []string{"Cache-Control: public"}, ""},
		{"shorter, 404 and max-age without ErrorTTL", Shorter, 404, []string{"Cache-Control: max-age=1"}, "lifetime"},
		{"own, 404 and max-age", Own, 404, []string{"Cache-Control: max-age=1"}, ""},
		{"own, 404", Own, 404, nil, "lifetime"},
		{"of no use: max-age=0", Own, 200, []string{"Cache-Control: max-age=0"}, "stale"},
		{"of no use: no-cache", Own, 200, []string{"Cache-Control: no-cache"}, "stale"},
		{"of no use: older than its lifetime", Own, 200, []string{"Cache-Control: max-age=60", "Age: 60"}, "stale"},
		{"of use: max-age=0 and ETag", Own, 200, []string{"Cache-Control: max-age=0", `Etag: "a"`}, ""},
		{"of use: no-cache and Last-Modified", Own, 200, []string{"Cache-Control: no-cache", long}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := Policy{Lifetime: tt.lifetime, TTL: time.Minute}
			if got := p.Storage(request(), tt.status, header(tt.header...), noon, noon); got.Why != tt.why {
				t.Errorf("it is %q, want %q", got.Why, tt.why)
			}
		})
	}
}

// TestFreshnessLifetime is section 4.2.1 with 5.2.2.1, 5.2.2.10 and 5.3: what an answer
// says of its own lifetime, all read as a pure cache does.
func TestFreshnessLifetime(t *testing.T) {
	now, minute := "Date: "+at(noon), "Expires: "+at(noon.Add(time.Minute))
	tests := []struct {
		name   string
		header []string
		want   time.Duration // -1: none
	}{
		{"none", nil, -1},
		{"max-age", []string{"Cache-Control: max-age=10"}, 10 * time.Second},
		{"s-maxage goes before max-age", []string{"Cache-Control: max-age=10, s-maxage=20"}, 20 * time.Second},
		{"s-maxage goes before Expires", []string{"Cache-Control: s-maxage=20", minute}, 20 * time.Second},
		{"max-age goes before Expires", []string{"Cache-Control: max-age=10", "Expires: 0"}, 10 * time.Second},
		{"invalid max-age goes before Expires", []string{"Cache-Control: max-age=x", minute}, 0},
		{"invalid s-maxage goes before max-age", []string{"Cache-Control: s-maxage=x, max-age=10"}, 0},
		{"no-cache goes before max-age", []string{"Cache-Control: max-age=10, no-cache"}, 0},
		{"no-cache with names does not", []string{`Cache-Control: max-age=10, no-cache="X-A"`}, 10 * time.Second},
		{"overflow", []string{"Cache-Control: max-age=99999999999999999999"}, Longest},

		{"Expires less Date", []string{now, minute}, time.Minute},
		{"Expires less a later Date", []string{"Date: " + at(noon.Add(time.Hour)), "Expires: " + at(noon.Add(2*time.Hour))}, time.Hour},
		{"Expires less an earlier Date", []string{"Date: " + at(noon.Add(-time.Hour)), minute}, time.Hour + time.Minute},
		{"Expires without Date", []string{minute}, time.Minute},
		{"Expires with an invalid Date", []string{"Date: yesterday", minute}, time.Minute},
		{"Expires with two Dates", []string{now, "Date: " + at(noon.Add(-time.Hour)), minute}, time.Minute},
		{"Expires before Date", []string{now, "Expires: " + at(noon.Add(-time.Minute))}, 0},
		{"Expires at Date", []string{now, "Expires: " + at(noon)}, 0},
		{"Expires: 0", []string{now, "Expires: 0"}, 0},
		{"Expires: -1", []string{now, "Expires: -1"}, 0},
		{"Expires: nothing", []string{now, "Expires:"}, 0},
		{"Expires: no date", []string{now, "Expires: tomorrow"}, 0},
		{"Expires in another zone", []string{now, "Expires: Sat, 21 Nov 2026 13:00:00 CET"}, 0},
		{"Expires on the wrong day", []string{now, "Expires: Sun, 21 Nov 2026 13:00:00 GMT"}, 0},
		{"Expires in lower case", []string{now, "Expires: sat, 21 nov 2026 12:01:00 gmt"}, time.Minute},
		{"Expires of RFC 850", []string{now, "Expires: Saturday, 21-Nov-26 12:01:00 GMT"}, time.Minute},
		{"Expires of asctime", []string{now, "Expires: Sat Nov 21 12:01:00 2026"}, time.Minute},
		{"Expires, equal ones", []string{now, minute, minute}, time.Minute},
		{"Expires, different ones", []string{now, minute, "Expires: " + at(noon.Add(time.Hour))}, 0},
		{"Expires in the last year", []string{now, "Expires: Fri, 31 Dec 9999 23:59:59 GMT"}, Longest},

		{"9213: targeted", []string{"CDN-Cache-Control: max-age=5", "Cache-Control: max-age=10"}, 5 * time.Second},
		{"9213: ours first", []string{"CDN-Cache-Control: max-age=5", "Freshet-Cache-Control: max-age=7"}, 7 * time.Second},
		{"9213: ours is invalid", []string{"CDN-Cache-Control: max-age=5", "Freshet-Cache-Control: max-age=7,"}, 5 * time.Second},
		{"9213: two lines", []string{"CDN-Cache-Control: public", "CDN-Cache-Control: max-age=5"}, 5 * time.Second},
		{"9213: the last counts", []string{"CDN-Cache-Control: max-age=5, max-age=6"}, 6 * time.Second},
		{"9213: parameters do not", []string{"CDN-Cache-Control: max-age=5;x=1"}, 5 * time.Second},
		{"9213: empty", []string{"CDN-Cache-Control:", "Cache-Control: max-age=10"}, 10 * time.Second},
		{"9213: invalid", []string{"CDN-Cache-Control: max-age = 5", "Cache-Control: max-age=10"}, 10 * time.Second},
		{"9213: upper case is invalid", []string{"CDN-Cache-Control: Max-Age=5", "Cache-Control: max-age=10"}, 10 * time.Second},
		{"9213: unknown directive", []string{"CDN-Cache-Control: none", "Cache-Control: max-age=10"}, -1},
		{"9213: without lifetime Expires does not count", []string{"CDN-Cache-Control: public", minute}, -1},
		{"9213: String for Integer", []string{`CDN-Cache-Control: max-age="5"`, "Cache-Control: max-age=10"}, 0},
		{"9213: Decimal for Integer", []string{"CDN-Cache-Control: max-age=5.0", "Cache-Control: max-age=10"}, 0},
		{"9213: Boolean for Integer", []string{"CDN-Cache-Control: max-age", "Cache-Control: max-age=10"}, 0},
		{"9213: negative", []string{"CDN-Cache-Control: max-age=-5", "Cache-Control: max-age=10"}, 0},
		{"9213: no-cache", []string{"CDN-Cache-Control: no-cache, max-age=5"}, 0},
		{"9213: no-cache that is false", []string{"CDN-Cache-Control: no-cache=?0, max-age=5"}, 0},
		{"9213: no-cache with names", []string{`CDN-Cache-Control: no-cache="x-a", max-age=5`}, 5 * time.Second},
		{"9213: another target", []string{"Other-Cache-Control: max-age=5", "Surrogate-Control: max-age=5"}, -1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			// The validator makes it worth storing whatever its lifetime.
			s := pure.Storage(request(), 200, header(append(tt.header, `Etag: "a"`)...), noon, noon)
			if tt.want == -1 && s.Why != "lifetime" || tt.want != -1 && (s.Why != "" || s.Fresh != tt.want) {
				t.Errorf("it is %v, %q, want %v", s.Fresh, s.Why, tt.want)
			}
		})
	}
}

// TestLifetimeOfTheRule is how Rule.TTL and the answer's own lifetime go together.
func TestLifetimeOfTheRule(t *testing.T) {
	changed := "Last-Modified: " + at(noon.Add(-100*time.Minute))
	const age = "Age: 100"
	type want = [4]time.Duration // by Lifetime; -1: not stored
	tests := []struct {
		name   string
		status int
		header []string
		want   want
	}{
		{"nothing", 200, nil, want{60, -1, -1, 60}},
		{"max-age, less", 200, []string{"Cache-Control: max-age=10"}, want{10, 10, 10, 60}},
		{"max-age, more", 200, []string{"Cache-Control: max-age=1000"}, want{60, 1000, 1000, 60}},
		{"no-cache", 200, []string{"Cache-Control: no-cache", `Etag: "a"`}, want{0, 0, 0, 60}},
		{"no-cache and max-age", 200, []string{"Cache-Control: no-cache, max-age=1000", `Etag: "a"`}, want{0, 0, 0, 60}},
		{"Expires, past", 200, []string{"Expires: 0", `Etag: "a"`}, want{0, 0, 0, 60}},
		{"targeted", 200, []string{"CDN-Cache-Control: max-age=10", "Cache-Control: max-age=20"}, want{10, 10, 10, 60}},
		{"Last-Modified, more than TTL", 200, []string{changed}, want{60, -1, 60, 60}},
		{"Last-Modified, less than TTL", 200, []string{"Last-Modified: " + at(noon.Add(-5*time.Minute))}, want{60, -1, 30, 60}},
		{"Last-Modified and max-age", 200, []string{changed, "Cache-Control: max-age=10"}, want{10, 10, 10, 60}},
		{"Last-Modified, future", 200, []string{"Last-Modified: " + at(noon.Add(time.Minute))}, want{60, -1, -1, 60}},
		{"Last-Modified, now", 200, []string{"Last-Modified: " + at(noon)}, want{60, -1, -1, 60}},
		{"Last-Modified, invalid", 200, []string{"Last-Modified: x"}, want{60, -1, -1, 60}},
		{"Last-Modified, two", 200, []string{changed, changed}, want{60, -1, -1, 60}},
		{"404", 404, nil, want{5, -1, -1, 5}},
		{"404, max-age", 404, []string{"Cache-Control: max-age=10"}, want{5, 10, 10, 5}},
		{"410, Last-Modified", 410, []string{changed}, want{5, -1, 5, 5}},
		// The rule's count from the receipt, the answer's from its generation.
		{"old", 200, []string{age}, want{160, -1, -1, 160}},
		{"old, max-age", 200, []string{age, "Cache-Control: max-age=130"}, want{130, 130, 130, 160}},
		{"old, long max-age", 200, []string{age, "Cache-Control: max-age=1000"}, want{160, 1000, 1000, 160}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for lifetime, want := range tt.want {
				p := Policy{Lifetime: Lifetime(lifetime), TTL: time.Minute, ErrorTTL: 5 * time.Second}
				s := p.Storage(request(), tt.status, header(tt.header...), noon, noon)
				if want == -1 && s.Why == "" || want != -1 && (s.Why != "" || s.Fresh != want*time.Second) {
					t.Errorf("lifetime %d: %v %q, want %v", lifetime, s.Fresh, s.Why, want*time.Second)
				}
			}
		})
	}
}

// TestHeuristicLifetime is the bound of section 4.2.2 that is ours: a day.
func TestHeuristicLifetime(t *testing.T) {
	p := Policy{Lifetime: Heuristically, TTL: 1000 * time.Hour}
	h := header("Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT", "Date: "+at(noon))
	if s := p.Storage(request(), 200, h, noon, noon); s.Fresh != 24*time.Hour {
		t.Errorf("a century is %v", s.Fresh)
	}
	h = header("Last-Modified: "+at(noon.Add(-10*time.Hour)), "Date: "+at(noon.Add(-5*time.Hour)))
	if s := p.Storage(request(), 200, h, noon, noon); s.Fresh != 30*time.Minute {
		t.Errorf("five hours before Date are %v", s.Fresh)
	}
}

// TestJitter is that only what comes from the rule is shortened.
func TestJitter(t *testing.T) {
	p := Policy{TTL: time.Hour, Jitter: 0.5}
	seen := make(map[time.Duration]bool)
	for range 50 {
		s := p.Storage(request(), 200, header(), noon, noon)
		if s.Fresh > time.Hour || s.Fresh < time.Hour/2 {
			t.Fatalf("%v", s.Fresh)
		}
		seen[s.Fresh] = true
		if s := p.Storage(request(), 200, header("Cache-Control: max-age=1800"), noon, noon); s.Fresh != 30*time.Minute {
			t.Fatalf("max-age is %v", s.Fresh)
		}
	}
	if len(seen) < 10 {
		t.Errorf("%d different lifetimes of 50", len(seen))
	}
}
