package rfc9111

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestSeconds is section 1.2.2 and the end of section 4.2.1: how the number of a
// directive is read, and what is made of one that is none.
func TestSeconds(t *testing.T) {
	tests := []struct {
		name  string
		lines []string
		want  time.Duration
		set   bool
	}{
		{"absent", nil, 0, false},
		{"token", []string{"max-age=10"}, 10 * time.Second, true},
		{"quoted", []string{`max-age="10"`}, 10 * time.Second, true},
		{"quoted pair", []string{`max-age="1\0"`}, 10 * time.Second, true},
		{"upper case", []string{"MAX-AGE=10"}, 10 * time.Second, true},
		{"leading zeros", []string{"max-age=0010"}, 10 * time.Second, true},
		{"white space around it", []string{" \tmax-age=10\t , x"}, 10 * time.Second, true},
		{"after an empty member", []string{" ,, max-age=10"}, 10 * time.Second, true},
		{"after an unknown one", []string{"x=y, max-age=10"}, 10 * time.Second, true},
		{"after a quoted comma", []string{`x="a, max-age=5", max-age=10`}, 10 * time.Second, true},
		{"after an escaped quote", []string{`x="\", max-age=5", max-age=10`}, 10 * time.Second, true},
		{"second line", []string{"x", "max-age=10"}, 10 * time.Second, true},
		{"2^31-1", []string{"max-age=2147483647"}, Longest - time.Second, true},
		{"2^31", []string{"max-age=2147483648"}, Longest, true},
		{"overflow of 64 bits", []string{"max-age=99999999999999999999"}, Longest, true},
		{"a thousand digits", []string{"max-age=" + strings.Repeat("9", 1000)}, Longest, true},

		{"space before the sign", []string{"max-age =10"}, 0, true},
		{"space after the sign", []string{"max-age= 10"}, 0, true},
		{"spaces around the sign", []string{"max-age = 10"}, 0, true},
		{"negative", []string{"max-age=-1"}, 0, true},
		{"plus", []string{"max-age=+1"}, 0, true},
		{"fraction", []string{"max-age=1.5"}, 0, true},
		{"hexadecimal", []string{"max-age=0x10"}, 0, true},
		{"word", []string{"max-age=ten"}, 0, true},
		{"no value", []string{"max-age"}, 0, true},
		{"empty value", []string{"max-age="}, 0, true},
		{"empty quotes", []string{`max-age=""`}, 0, true},
		{"space in quotes", []string{`max-age=" 10"`}, 0, true},
		{"something after it", []string{"max-age=10 x"}, 0, true},
		{"semicolon", []string{"max-age=10; x"}, 0, true},
		{"something before it", []string{"; max-age=10"}, 0, true},
		{"quoted as a whole", []string{`"max-age=10"`}, 0, false},
		{"longer name", []string{"x-max-age=10"}, 0, false},

		{"repeated, equal", []string{"max-age=10, max-age=10"}, 10 * time.Second, true},
		{"repeated, less", []string{"max-age=20, max-age=10"}, 10 * time.Second, true},
		{"repeated, more", []string{"max-age=10", "max-age=20"}, 10 * time.Second, true},
		{"repeated, one is none", []string{"max-age=10, max-age=x"}, 0, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := Parse(tt.lines)
			if got, set := d.Seconds(MaxAge); got != tt.want || set != tt.set {
				t.Errorf("%q is %v, %v, want %v, %v", tt.lines, got, set, tt.want, tt.set)
			}
		})
	}
}

// TestRequestNumbers is how min-fresh and max-stale (sections 5.2.1.2 and 5.2.1.3)
// are read where they are not as they should be: so that less is served.
func TestRequestNumbers(t *testing.T) {
	tests := []struct {
		line string
		x    Directive
		want time.Duration
	}{
		{"min-fresh=5", MinFresh, 5 * time.Second},
		{"min-fresh=5, min-fresh=9", MinFresh, 9 * time.Second},
		{"min-fresh=9, min-fresh=5", MinFresh, 9 * time.Second},
		{"min-fresh", MinFresh, Longest},
		{"min-fresh=x", MinFresh, Longest},
		{"min-fresh=5;", MinFresh, Longest},
		{"max-stale=5", MaxStale, 5 * time.Second},
		{"max-stale", MaxStale, Longest},
		{"max-stale, max-stale=5", MaxStale, 5 * time.Second},
		{"max-stale=", MaxStale, 0},
		{"max-stale=x", MaxStale, 0},
		{"max-stale;", MaxStale, 0},
		{"stale-if-error=x", StaleIfError, 0},
		{"stale-while-revalidate", StaleWhileRevalidate, 0},
	}
	for _, tt := range tests {
		d := Parse([]string{tt.line})
		if got, ok := d.Seconds(tt.x); got != tt.want || !ok {
			t.Errorf("%q is %v, %v, want %v", tt.line, got, ok, tt.want)
		}
	}
}

// TestDirectivesWithoutNumber is what counts as a directive: what forbids also in a
// malformed field, what allows only in a well-formed one.
func TestDirectivesWithoutNumber(t *testing.T) {
	tests := []struct {
		name string
		line string
		want []Directive
	}{
		{"none", "", nil},
		{"all", "no-store,no-cache,no-transform,only-if-cached,must-revalidate,proxy-revalidate,must-understand,private,public,immutable",
			[]Directive{NoStore, NoCache, NoTransform, OnlyIfCached, MustRevalidate, ProxyRevalidate, MustUnderstand, Private, Public, Immutable}},
		{"any case", "No-Store, PUBLIC", []Directive{NoStore, Public}},
		{"unknown", "no-storage, x-private, publicly", nil},
		{"in quotes", `x="no-store", y="a, private, b"`, nil},
		{"quotes that are not closed", `x="public, max-stale`, []Directive{NoStore, NoCache}},
		{"a quote that is escaped", `x="public\", y`, []Directive{NoStore, NoCache}},
		{"a backslash at the end", `x="\`, []Directive{NoStore, NoCache}},
		{"a quoted string alone", `"no-store", no-cache`, []Directive{NoCache}},
		{"forbidding with an argument", "no-store=x, must-revalidate=1, proxy-revalidate=\"\", only-if-cached=0",
			[]Directive{NoStore, OnlyIfCached, MustRevalidate, ProxyRevalidate}},
		{"allowing with an argument", "public=x, must-understand=1", nil},
		{"immutable with an argument", "immutable=x", []Directive{Immutable}},
		{"forbidding after a semicolon", "max-age=60; private", []Directive{Private}},
		{"forbidding before a semicolon", "private; max-age=60", []Directive{Private}},
		{"allowing after a semicolon", "x; public, y; immutable; must-understand", nil},
		{"allowing before a semicolon", "public; x", nil},
		{"after a semicolon and a comma", "x;, public", []Directive{Public}},
		{"in garbage", "@@no-store@@public", []Directive{NoStore}},
		{"bytes outside ASCII", "\xff no-store \x00 public", []Directive{NoStore}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := Parse([]string{tt.line})
			var got []Directive
			for x := range MaxAge {
				if d.Has(x) {
					got = append(got, x)
				}
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("%q (-want +got):\n%s", tt.line, diff)
			}
		})
	}
}

// TestQualifiedForms is sections 5.2.2.4 and 5.2.2.7: no-cache and private with names
// of fields. What is no list of names speaks of the whole answer.
func TestQualifiedForms(t *testing.T) {
	tests := []struct {
		name  string
		line  string
		names []string
		whole bool
	}{
		{"unqualified", "private", nil, true},
		{"one", `private="x-a"`, []string{"X-A"}, false},
		{"list", `private="x-a, ,SET-COOKIE "`, []string{"X-A", "Set-Cookie"}, false},
		{"token form", "private=x-a", []string{"X-A"}, false},
		{"twice", `private="x-a", private=x-b`, []string{"X-A", "X-B"}, false},
		{"both forms", `private="x-a", private`, []string{"X-A"}, true},
		{"empty", `private=""`, nil, true},
		{"no value", "private=", nil, true},
		{"no names", `private=", ,"`, nil, true},
		{"no name", `private="x-a, (b)"`, nil, true},
		{"followed by something", `private="x-a" x`, nil, true},
		{"after garbage", `x; private="x-a"`, nil, true},
		{"a field that cannot be left out", `private="x-a, vary"`, nil, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for x, line := range map[Directive]string{Private: tt.line, NoCache: strings.ReplaceAll(tt.line, "private", "no-cache")} {
				d := Parse([]string{line})
				if got := d.Names(x); !slices.Equal(got, tt.names) || d.Has(x) != tt.whole {
					t.Errorf("%q names %q, and the whole: %v", line, got, d.Has(x))
				}
			}
		})
	}
}

// TestDirectivesInGreatNumber would not end if reading took more than linear time.
func TestDirectivesInGreatNumber(t *testing.T) {
	const n = 200_000
	for _, part := range []string{"max-age=1,", `private="a",`, `x="\"",`, ";", `"`, `\`, "a=", "=", " ", "a ", `"a"b `, "\x00", `a="`} {
		line := strings.Repeat(part, n)
		Parse([]string{line, line})
		AnswerDirectives(map[string][]string{"Cdn-Cache-Control": {line}})
		Groups([]string{line})
		VaryNames([]string{line})
		ageValue([]string{line})
	}
	d := Parse([]string{strings.Repeat("max-age=7,", 10_000) + "max-age=3"})
	if got, _ := d.Seconds(MaxAge); got != 3*time.Second {
		t.Errorf("max-age is %v", got)
	}
}
