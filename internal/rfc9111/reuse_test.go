package rfc9111

import (
	"net/http"
	"testing"
	"time"
)

// TestReuse is section 4 with 4.2.4 and the directives of requests (5.2.1), RFC 5861 and
// RFC 8246. The stored answer is fresh for 100 seconds; age is how old it is.
func TestReuse(t *testing.T) {
	tests := []struct {
		name    string
		stored  string // Cache-Control
		age     time.Duration
		request string // Cache-Control
		want    Verdict
		stale   bool
		onError bool
	}{
		{"4.2: fresh", "", 99, "", Serve, false, false},
		{"4.2: stale at its lifetime", "", 100, "", Validate, true, false},
		{"4.2.4: stale", "", 200, "", Validate, true, false},

		{"5861, 3: within the time", "stale-while-revalidate=50", 149, "", ServeStale, true, false},
		{"5861, 3: past the time", "stale-while-revalidate=50", 150, "", Validate, true, false},
		{"5861, 3: fresh", "stale-while-revalidate=50", 50, "", Serve, false, false},
		{"5861, 3: invalid", "stale-while-revalidate=x", 120, "", Validate, true, false},
		{"5861, 4: within the time", "stale-if-error=50", 149, "", Validate, true, true},
		{"5861, 4: past the time", "stale-if-error=50", 150, "", Validate, true, false},
		{"5861, 4: invalid", "stale-if-error=x", 120, "", Validate, true, false},
		{"5861, 4: request", "", 149, "stale-if-error=50", Validate, true, true},
		{"5861, 4: request, less than the answer", "stale-if-error=500", 160, "stale-if-error=50", Validate, true, false},
		{"5861: both", "stale-while-revalidate=50, stale-if-error=100", 120, "", ServeStale, true, true},

		{"5.2.2.2: must-revalidate, fresh", "must-revalidate", 50, "", Serve, false, false},
		{"5.2.2.2: must-revalidate", "must-revalidate, stale-while-revalidate=50, stale-if-error=50", 120, "max-stale", Validate, true, false},
		{"5.2.2.8: proxy-revalidate", "proxy-revalidate, stale-while-revalidate=50, stale-if-error=50", 120, "max-stale", Validate, true, false},
		{"5.2.2.10: s-maxage", "s-maxage=100, stale-while-revalidate=50, stale-if-error=50", 120, "max-stale", Validate, true, false},
		{"5.2.2.4: no-cache", "no-cache, stale-while-revalidate=50, stale-if-error=50", 120, "max-stale", Validate, true, false},
		{"5.2.2.4: no-cache with names", `no-cache="X-A", stale-while-revalidate=50`, 120, "", ServeStale, true, false},

		{"5.2.1.1: max-age, younger", "", 40, "max-age=50", Serve, false, false},
		{"5.2.1.1: max-age, as old", "", 50, "max-age=50", Serve, false, false},
		{"5.2.1.1: max-age, older", "", 51, "max-age=50", Validate, false, false},
		{"5.2.1.1: max-age=0", "", 1, "max-age=0", Validate, false, false},
		{"5.2.1.1: max-age, invalid", "", 1, "max-age=x", Validate, false, false},
		{"5.2.1.1: max-age and stale", "stale-while-revalidate=50", 120, "max-age=500", Validate, true, false},
		{"5.2.1.1: max-age, stale and max-stale", "stale-while-revalidate=50", 120, "max-age=500, max-stale=10", ServeStale, true, false},
		{"5.2.1.1: max-age keeps stale-if-error", "stale-if-error=50", 120, "max-age=0", Validate, true, true},

		{"5.2.1.2: max-stale, within", "", 110, "max-stale=10", Serve, true, false},
		{"5.2.1.2: max-stale, past", "", 111, "max-stale=10", Validate, true, false},
		{"5.2.1.2: max-stale, any", "", 100000, "max-stale", Serve, true, false},
		{"5.2.1.2: max-stale, invalid", "", 101, "max-stale=x", Validate, true, false},
		{"5.2.1.2: max-stale, fresh", "", 50, "max-stale=10", Serve, false, false},
		{"5.2.1.2: max-stale and stale-while-revalidate", "stale-while-revalidate=50", 120, "max-stale=100", ServeStale, true, false},
		{"5.2.1.2: max-stale and max-age", "", 120, "max-stale=100, max-age=110", Validate, true, false},

		{"5.2.1.3: min-fresh, as long", "", 50, "min-fresh=50", Serve, false, false},
		{"5.2.1.3: min-fresh, less", "", 51, "min-fresh=50", Validate, false, false},
		{"5.2.1.3: min-fresh, invalid", "", 1, "min-fresh=x", Validate, false, false},
		{"5.2.1.3: min-fresh and stale", "stale-while-revalidate=50", 120, "min-fresh=1", Validate, true, false},
		{"5.2.1.3: min-fresh=0 and stale", "stale-while-revalidate=50", 120, "min-fresh=0", Validate, true, false},
		{"5.2.1.3: min-fresh and max-stale", "", 51, "min-fresh=50, max-stale=100", Validate, false, false},

		{"5.2.1.4: no-cache", "", 1, "no-cache", Validate, false, false},
		{"5.2.1.4: no-cache with an argument", "", 1, "no-cache=x", Validate, false, false},
		{"5.2.1.4: no-cache, stale", "stale-while-revalidate=50, stale-if-error=50", 120, "no-cache", Validate, true, false},
		{"5.2.1.4: no-cache and max-stale", "", 120, "no-cache, max-stale", Validate, true, false},
		{"5.2.1.5: no-store is no reason", "", 50, "no-store", Serve, false, false},
		{"5.2.1.7: only-if-cached, fresh", "", 50, "only-if-cached", Serve, false, false},
		{"5.2.1.7: only-if-cached, stale", "", 120, "only-if-cached", Unavailable, true, false},
		{"5.2.1.7: only-if-cached, stale allowed", "stale-while-revalidate=50", 120, "only-if-cached", ServeStale, true, false},
		{"5.2.1.7: only-if-cached and max-stale", "", 120, "only-if-cached, max-stale", Serve, true, false},
		{"5.2.1.7: only-if-cached and max-age", "", 50, "only-if-cached, max-age=10", Unavailable, false, false},
		{"5.2.3: unknown directives", "", 50, "x, y=z", Serve, false, false},

		{"8246: reload", "immutable", 50, "max-age=0", Serve, false, false},
		{"8246: reload of stale", "immutable", 120, "max-age=0", Validate, true, false},
		{"8246: reload of stale that may be served", "immutable, stale-while-revalidate=50", 120, "max-age=0", Validate, true, false},
		{"8246: forced reload", "immutable", 50, "no-cache", Validate, false, false},
		{"8246: min-fresh", "immutable", 60, "min-fresh=50", Validate, false, false},
		{"8246: in the request", "", 50, "immutable, max-age=0", Validate, false, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := stored("Cache-Control", tt.stored)
			got := pure.Reuse(requestControl(tt.request), s, s.Loaded.Add(tt.age*time.Second-s.Age))
			if want := (Reuse{tt.want, tt.stale, tt.onError, got.Requested}); got != want {
				t.Errorf("%+v, want %+v", got, want)
			}
		})
	}
}

// TestRequested is that the client is told apart from time as the reason to ask the
// handler.
func TestRequested(t *testing.T) {
	tests := []struct {
		request string
		age     time.Duration
		want    bool
	}{
		{"", 50, false}, {"", 120, false}, {"max-stale=10", 120, false}, {"max-age=60", 50, false},
		{"no-cache", 50, true}, {"no-cache", 120, true}, {"max-age=0", 50, true}, {"max-age=0", 120, true},
		{"min-fresh=90", 50, true}, {"only-if-cached", 120, false}, {"only-if-cached, no-cache", 50, true},
	}
	for _, tt := range tests {
		s := stored("", "")
		got := pure.Reuse(requestControl(tt.request), s, s.Loaded.Add(tt.age*time.Second-s.Age))
		if got.Requested != tt.want {
			t.Errorf("%q at %d: %+v", tt.request, tt.age, got)
		}
	}
}

// stored returns an answer that is fresh for 100 seconds and was 20 old when it was loaded.
func stored(name, value string) *Stored {
	s := &Stored{Loaded: noon, Fresh: 100 * time.Second, Age: 20 * time.Second}
	if value != "" {
		s.Header = []Field{{Name: name, Value: value}}
	}
	return s
}

func requestControl(control string) *http.Request {
	if control == "" {
		return request()
	}
	return request("Cache-Control: " + control)
}

// TestReuseByRule is that the rule's times hold where the answer says none, and that a
// soft invalidation makes any answer stale.
func TestReuseByRule(t *testing.T) {
	p := Policy{StaleWhileRevalidate: 10 * time.Second, StaleIfError: 50 * time.Second}
	tests := []struct {
		name    string
		stored  string
		soft    bool
		age     time.Duration
		want    Verdict
		onError bool
	}{
		{"fresh", "", false, 99, Serve, true},
		{"revalidate", "", false, 109, ServeStale, true},
		{"error", "", false, 149, Validate, true},
		{"neither", "", false, 150, Validate, false},
		{"the answer says less", "stale-while-revalidate=0, stale-if-error=0", false, 105, Validate, false},
		{"the answer says more", "stale-while-revalidate=100", false, 150, ServeStale, false},
		{"the answer forbids it", "must-revalidate", false, 105, Validate, false},
		{"soft", "", true, 50, ServeStale, true},
		{"soft, past its lifetime", "", true, 120, Validate, true},
		{"soft, forbidden", "must-revalidate", true, 50, Validate, false},
		{"soft, immutable", "immutable", true, 50, ServeStale, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := stored(">Cache-Control", tt.stored)
			s.Soft = tt.soft
			got := p.Reuse(request(), s, s.Loaded.Add(tt.age*time.Second-s.Age))
			if got.Verdict != tt.want || got.OnError != tt.onError || got.Stale != (tt.soft || tt.age >= 100) {
				t.Errorf("%+v", got)
			}
		})
	}
}

// TestReuseOfTargeted is that a targeted field decides at reuse, too (RFC 9213, section
// 2.2).
func TestReuseOfTargeted(t *testing.T) {
	s := stored("Cdn-Cache-Control", "max-age=100, stale-while-revalidate=50")
	s.Header = append(s.Header, Field{Name: "Cache-Control", Value: "no-cache"})
	if got := pure.Reuse(request(), s, noon.Add(100*time.Second)); got.Verdict != ServeStale {
		t.Errorf("%+v", got)
	}
}

// TestPragma is section 5.4: it counts where there is no Cache-Control, and only then.
func TestPragma(t *testing.T) {
	tests := []struct {
		name    string
		request []string
		want    Verdict
	}{
		{"no-cache", []string{"Pragma: no-cache"}, Validate},
		{"any case, among others", []string{"Pragma: x, NO-CACHE"}, Validate},
		{"something else", []string{"Pragma: x, no-store, max-age=0"}, Serve},
		{"beside Cache-Control", []string{"Pragma: no-cache", "Cache-Control: max-age=60"}, Serve},
		{"beside an empty Cache-Control", []string{"Pragma: no-cache", "Cache-Control:"}, Serve},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := pure.Reuse(request(tt.request...), stored("", ""), noon); got.Verdict != tt.want {
				t.Errorf("%+v", got)
			}
		})
	}
}

// TestIgnoreClient is Rule.IgnoreClient: nothing that a client says makes a difference.
func TestIgnoreClient(t *testing.T) {
	p := Policy{IgnoreClient: true}
	for _, line := range []string{"Cache-Control: no-cache", "Cache-Control: max-age=0", "Cache-Control: min-fresh=1000", "Pragma: no-cache"} {
		if got := p.Reuse(request(line), stored("", ""), noon); got.Verdict != Serve {
			t.Errorf("%s: %+v", line, got)
		}
	}
	for _, line := range []string{"Cache-Control: max-stale", "Cache-Control: only-if-cached", "Cache-Control: stale-if-error=1000"} {
		if got := p.Reuse(request(line), stored("", ""), noon.Add(time.Hour)); got.Verdict != Validate || got.OnError {
			t.Errorf("%s: %+v", line, got)
		}
	}
	if got := p.Absent(request("Cache-Control: only-if-cached")); got != Validate {
		t.Errorf("absent: %v", got)
	}
}

// TestAbsent is section 5.2.1.7 where nothing is stored.
func TestAbsent(t *testing.T) {
	for line, want := range map[string]Verdict{
		"Cache-Control: only-if-cached":           Unavailable,
		"Cache-Control: max-age=1,ONLY-IF-CACHED": Unavailable,
		"Cache-Control: no-cache":                 Validate,
		"X: only-if-cached":                       Validate,
		"Pragma: only-if-cached":                  Validate,
	} {
		if got := pure.Absent(request(line)); got != want {
			t.Errorf("%s: %v", line, got)
		}
	}
}
