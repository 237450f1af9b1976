package rfc9111

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

// FuzzDirectives looks for a field that is read more permissively for what is appended to
// it: a new line, or more of the same one unless that had a quote left to close.
func FuzzDirectives(f *testing.F) {
	for _, seed := range [][2]string{
		{"max-age=10", "x"}, {`private="a", max-age=1`, `private`}, {`x="y`, `z"`}, {"max-age=60; private", "; public"},
		{"min-fresh=1", "min-fresh=x"}, {"no-cache=x", "\xff"}, {`max-stale, x="\"`, `", max-stale=1`},
	} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, line, more string) {
		before := Parse([]string{line})
		stricter(t, before, Parse([]string{line, more}))
		if before.Has(NoStore) && before.Has(NoCache) {
			return // a quote may be open
		}
		stricter(t, before, Parse([]string{line + "," + more}))
	})
}

// stricter reports what after allows and before did not. The directives that allow something
// are left out: who may append them is asked.
func stricter(t *testing.T, before, after Directives) {
	t.Helper()
	for x := range directives {
		switch {
		case x == Public || x == Immutable || x == MustUnderstand:
		case before.Has(x) && !after.Has(x):
			t.Errorf("directive %d is gone", x)
		case x < MaxAge || !before.Has(x):
		default:
			was, _ := before.Seconds(x)
			is, _ := after.Seconds(x)
			if is < 0 || is > Longest || x == MinFresh && is < was || x != MinFresh && is > was {
				t.Errorf("directive %d was %v and is %v", x, was, is)
			}
		}
	}
	for _, x := range [...]Directive{NoCache, Private} {
		for _, name := range before.Names(x) {
			if !slices.Contains(after.Names(x), name) {
				t.Errorf("directive %d no longer names %s", x, name)
			}
		}
	}
}

// FuzzStorage looks for an answer that is kept for a negative time, or longer for what is
// appended to its Cache-Control that is no directive.
func FuzzStorage(f *testing.F) {
	f.Add("max-age=10", "Sat, 21 Nov 2026 12:01:00 GMT", "5", "max-age=5", "Accept", ";;")
	f.Add("s-maxage=10, no-cache", "0", "x", "a=(1 2);b, no-store=?0", "*", `"`)
	f.Fuzz(func(t *testing.T, control, date, age, targeted, vary, garbage string) {
		h := http.Header{"Cache-Control": {control}, "Expires": {date}, "Last-Modified": {date}, "Age": {age},
			"Cdn-Cache-Control": {targeted}, "Vary": {vary}, "Etag": {`"a"`}}
		for lifetime := Shorter; lifetime <= ByRule; lifetime++ {
			p := Policy{Lifetime: lifetime, TTL: time.Hour, ErrorTTL: time.Minute}
			s := p.Storage(request(), 200, h, noon, noon)
			if s.Fresh < 0 || s.Age < 0 || s.Keep < 0 || s.Why == "" && s.Keep == 0 {
				t.Fatalf("%+v", s)
			}
			// Without letters it cannot be a directive.
			h["Cache-Control"] = []string{control, strings.Map(func(c rune) rune {
				if alphanumeric(byte(c)) {
					return ';'
				}
				return c
			}, garbage)}
			if again := p.Storage(request(), 200, h, noon, noon); s.Why != "" && again.Why == "" || again.Why == "" && again.Fresh > s.Fresh {
				t.Fatalf("%+v became %+v by %q", s, again, h["Cache-Control"])
			}
			h["Cache-Control"] = []string{control}
		}
	})
}

// FuzzReuse looks for a stale answer that is served against must-revalidate, and a fresh one
// that is served to a client who says no-cache.
func FuzzReuse(f *testing.F) {
	f.Add("max-stale", "stale-while-revalidate=10", int64(120), false)
	f.Add("max-age=0, min-fresh=1", "immutable", int64(5), true)
	f.Fuzz(func(t *testing.T, asked, said string, age int64, soft bool) {
		p := Policy{StaleWhileRevalidate: time.Hour, StaleIfError: time.Hour}
		s := stored("Cache-Control", said+"x")
		s.Soft = soft
		now := noon.Add(time.Duration(age%1000) * time.Second)
		s.Header = append(s.Header, Field{Name: "Cache-Control", Value: "must-revalidate"})
		if use := p.Reuse(requestControl(asked), s, now); use.Stale && (use.Verdict <= ServeStale || use.OnError) {
			t.Errorf("stale against must-revalidate: %+v", use)
		}
		r := request("Cache-Control: "+asked, "Cache-Control: no-cache")
		if use := p.Reuse(r, stored("Cache-Control", said), now); use.Verdict <= ServeStale || use.OnError {
			t.Errorf("against no-cache: %+v", use)
		}
	})
}

// FuzzParsers looks for a value that makes a parser panic, or accept what it would not
// write.
func FuzzParsers(f *testing.F) {
	for _, seed := range []string{"Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 29-Feb-00 08:49:60 GMT", "Sun Nov  6 08:49:37 1994",
		`"a";x=1, "b"`, `a=1, b=(1 "2";c), d=:YQ==:, e=%"%c3%bc", f=@1`, "10, 20", "Accept, *", "a/b;q=1.0, */*"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if got, ok := ParseDate(text, noon); ok {
			if again, ok := ParseDate(at(got), noon); !ok || !again.Equal(got) {
				t.Errorf("%q is %v, which is %v when it is sent", text, got, again)
			}
		}
		for _, group := range Groups([]string{text}) {
			if again := Groups([]string{quoted(group)}); len(again) != 1 || again[0] != group {
				t.Errorf("%q holds %q, which is %q when it is sent", text, group, again)
			}
		}
		for _, name := range [...]string{"Accept", "Accept-Language", "X"} {
			r := request()
			r.Header[name] = []string{text}
			value, _ := VaryValue(r, name)
			r.Header[name] = []string{value}
			if again, _ := VaryValue(r, name); again != value {
				t.Errorf("%q becomes %q and then %q", text, value, again)
			}
		}
		AnswerDirectives(http.Header{"Cdn-Cache-Control": {text}})
		Related(request(), http.Header{"Location": {text}})
		VaryNames([]string{text})
		ageValue([]string{text})
	})
}
