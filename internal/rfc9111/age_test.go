package rfc9111

import (
	"testing"
	"time"
)

// TestAge is section 4.2.3 and 5.1: how old an answer is when it is received.
func TestAge(t *testing.T) {
	date := func(ago time.Duration) string { return "Date: " + at(noon.Add(-ago)) }
	tests := []struct {
		name   string
		delay  time.Duration // from the request to its answer
		header []string
		want   time.Duration
	}{
		{"nothing", 0, nil, 0},
		{"delay", 3 * time.Second, nil, 3 * time.Second},
		{"Age", 0, []string{"Age: 10"}, 10 * time.Second},
		{"Age counts from the request", 3 * time.Second, []string{"Age: 10"}, 13 * time.Second},
		{"Date", 0, []string{date(10 * time.Second)}, 10 * time.Second},
		{"Date says more than Age", 0, []string{"Age: 5", date(10 * time.Second)}, 10 * time.Second},
		{"Age says more than Date", time.Second, []string{"Age: 10", date(10 * time.Second)}, 11 * time.Second},
		{"Date in the future", 0, []string{"Age: 5", date(-time.Hour)}, 5 * time.Second},
		{"Date of this second", 0, []string{date(0)}, 0},
		{"invalid Date", 0, []string{"Date: yesterday"}, 0},
		{"Date of the first year", 0, []string{"Date: Mon, 01 Jan 0001 00:00:00 GMT"}, Longest},
		{"clock that went back", -time.Hour, []string{"Age: 5"}, 5 * time.Second},

		{"list: the first", 0, []string{"Age: 10, 20"}, 10 * time.Second},
		{"lines: the first", 0, []string{"Age: 10", "Age: 20"}, 10 * time.Second},
		{"empty members", 0, []string{"Age: , 10"}, 10 * time.Second},
		{"overflow", time.Hour, []string{"Age: 99999999999999999999"}, Longest},
		{"2^31", 0, []string{"Age: 2147483648"}, Longest},
		{"negative", 0, []string{"Age: -10"}, 0},
		{"fraction", 0, []string{"Age: 10.5"}, 0},
		{"word", 0, []string{"Age: old"}, 0},
		{"empty", 0, []string{"Age:"}, 0},
		{"quoted", 0, []string{`Age: "10"`}, 0},
		{"the first of a list is invalid", 0, []string{"Age: x, 10"}, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := header(append(tt.header, "Cache-Control: max-age=1")...)
			if s := pure.Storage(request(), 200, h, noon.Add(-tt.delay), noon); s.Age != tt.want {
				t.Errorf("it is %v, want %v", s.Age, tt.want)
			}
		})
	}
}

// TestNothingOverflows is the end of section 1.2.2, for the sums: no time comes out
// negative, whatever an answer and a rule say.
func TestNothingOverflows(t *testing.T) {
	const forever = 1<<63 - 1
	for lifetime := Shorter; lifetime <= ByRule; lifetime++ {
		p := Policy{Lifetime: lifetime, TTL: forever, StaleIfError: forever}
		h := header("Age: 99999999999", "Cache-Control: max-age=99999999999, stale-while-revalidate=99999999999", `Etag: "a"`)
		s := p.Storage(request(), 200, h, noon.Add(-time.Hour), noon)
		if s.Why != "" || s.Fresh < Longest || s.Age != Longest || s.Keep < 0 {
			t.Errorf("lifetime %d: %+v", lifetime, s)
		}
		stored := Stored{Loaded: time.Time{}, Fresh: s.Fresh, Age: s.Age}
		if got := p.Reuse(request("Cache-Control: min-fresh=99999999999, max-stale"), &stored, noon); got.Verdict != Validate {
			t.Errorf("lifetime %d: %+v", lifetime, got)
		}
	}
}

// TestKeep is how long a store has use for an answer.
func TestKeep(t *testing.T) {
	tests := []struct {
		name   string
		header []string
		want   time.Duration
	}{
		{"its lifetime", []string{"Cache-Control: max-age=100"}, 100 * time.Second},
		{"what is left of it", []string{"Cache-Control: max-age=100", "Age: 30"}, 70 * time.Second},
		{"and stale-while-revalidate", []string{"Cache-Control: max-age=100, stale-while-revalidate=20"}, 120 * time.Second},
		{"and stale-if-error, the longer", []string{"Cache-Control: max-age=100, stale-while-revalidate=20, stale-if-error=30"}, 130 * time.Second},
		{"stale from the start", []string{"Cache-Control: max-age=100, stale-if-error=30", "Age: 200"}, 30 * time.Second},
		{"neither with must-revalidate", []string{"Cache-Control: max-age=100, stale-if-error=30, must-revalidate"}, 100 * time.Second},
		{"neither with s-maxage", []string{"Cache-Control: s-maxage=100, stale-if-error=30"}, 100 * time.Second},
		{"a validator: a minute at least", []string{"Cache-Control: max-age=10", `Etag: "a"`}, 70 * time.Second},
		{"a validator: as long again", []string{"Cache-Control: max-age=100", `Etag: "a"`}, 200 * time.Second},
		{"a validator: an hour at most", []string{"Cache-Control: max-age=36000", `Etag: "a"`}, 11 * time.Hour},
		{"a date is a validator", []string{"Cache-Control: max-age=100", "Last-Modified: " + at(noon)}, 200 * time.Second},
		{"an invalid one is not", []string{"Cache-Control: max-age=100", "Last-Modified: 0"}, 100 * time.Second},
		{"a validator and stale-if-error", []string{"Cache-Control: max-age=100, stale-if-error=500", `Etag: "a"`}, 600 * time.Second},
		{"a validator and must-revalidate", []string{"Cache-Control: max-age=100, must-revalidate", `Etag: "a"`}, 200 * time.Second},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if s := pure.Storage(request(), 200, header(tt.header...), noon, noon); s.Keep != tt.want {
				t.Errorf("it is %v, want %v", s.Keep, tt.want)
			}
		})
	}
}

// TestShareable is section 3.5, and cookies, which are treated likewise.
func TestShareable(t *testing.T) {
	const auth, cookie = "Authorization: Bearer x", "Cookie: a=b"
	tests := []struct {
		name     string
		control  string
		lifetime Lifetime
		want     [4]bool // for a request without credentials, Authorization, Cookie, both
	}{
		{"nothing", "max-age=60", Own, [4]bool{true, false, false, false}},
		{"public", "public, max-age=60", Own, [4]bool{true, true, true, true}},
		{"s-maxage", "s-maxage=60", Own, [4]bool{true, true, true, true}},
		{"s-maxage that the rule overrides", "s-maxage=60", ByRule, [4]bool{true, false, false, false}},
		{"must-revalidate", "max-age=60, must-revalidate", Own, [4]bool{true, true, false, false}},
		{"proxy-revalidate", "max-age=60, proxy-revalidate", Own, [4]bool{true, false, false, false}},
		{"no-cache", "no-cache", Own, [4]bool{true, false, false, false}},
		{"immutable", "max-age=60, immutable", Own, [4]bool{true, false, false, false}},
		{"public with an argument", "public=x, max-age=60", Own, [4]bool{true, false, false, false}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := Policy{Lifetime: tt.lifetime, TTL: time.Hour}
			for i, lines := range [][]string{nil, {auth}, {cookie}, {auth, cookie}} {
				s := p.Storage(request(lines...), 200, header("Cache-Control: "+tt.control, `Etag: "a"`), noon, noon)
				if s.Why != "" || s.Shareable != tt.want[i] {
					t.Errorf("with %q: %v %q", lines, s.Shareable, s.Why)
				}
			}
		})
	}
}
