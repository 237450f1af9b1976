package rfc9111

import (
	"net/http"
	"slices"
	"strings"
	"time"
)

// answer is what a handler answered, as far as freshness depends on it.
type answer struct {
	Directives
	targeted bool // and so Expires does not count
	status   int
	header   http.Header
	received time.Time
}

func newAnswer(status int, h http.Header, received time.Time) *answer {
	d, targeted := AnswerDirectives(h)
	return &answer{d, targeted, status, h, received}
}

// own returns the freshness lifetime that the answer gives itself (section 4.2.1): the
// first of s-maxage, max-age and Expires.
func (a *answer) own() (time.Duration, bool) {
	for _, x := range [...]Directive{SMaxAge, MaxAge} {
		if n, ok := a.Seconds(x); ok {
			return n, true
		}
	}
	lines := a.header["Expires"]
	if a.targeted || len(lines) == 0 {
		return 0, false
	}
	// Whatever is no date has expired, "0" above all (section 5.3).
	expires, ok := ParseDate(lines[0], a.received)
	if !ok || slices.ContainsFunc(lines, func(line string) bool { return line != lines[0] }) {
		return 0, true
	}
	return min(max(0, expires.Sub(a.date())), Longest), true
}

// heuristic returns a tenth of the time for which the answer has not changed, a day at
// most (section 4.2.2).
func (a *answer) heuristic() (time.Duration, bool) {
	changed, ok := a.modified()
	since := a.date().Sub(changed)
	if !ok || since <= 0 {
		return 0, false
	}
	return min(since/10, 24*time.Hour).Truncate(time.Second), true
}

// modified returns the Last-Modified date, if there is one and it is valid.
func (a *answer) modified() (time.Time, bool) {
	lines := a.header["Last-Modified"]
	if len(lines) != 1 {
		return time.Time{}, false
	}
	return ParseDate(lines[0], a.received)
}

// validator reports whether the answer has what it can be revalidated by (section 4.3.1).
func (a *answer) validator() bool {
	_, ok := a.modified()
	return ok || len(a.header["Etag"]) == 1
}

// date returns when the answer was made: when it was received, where it has no valid
// Date (RFC 9110, section 6.6.1).
func (a *answer) date() time.Time {
	if lines := a.header["Date"]; len(lines) == 1 {
		if t, ok := ParseDate(lines[0], a.received); ok {
			return t
		}
	}
	return a.received.Truncate(time.Second)
}

// age returns how old the answer was when it was received (section 4.2.3), in the more
// cautious of the two ways.
func (a *answer) age(requested time.Time) time.Duration {
	apparent := max(0, a.received.Truncate(time.Second).Sub(a.date()))
	corrected := ageValue(a.header["Age"]) + max(0, a.received.Sub(requested))
	return min(max(apparent, corrected), Longest)
}

// ageValue reads an Age field: of a list the first member counts, and what is no number
// is disregarded (section 5.1).
func ageValue(lines []string) time.Duration {
	for member := range strings.SplitSeq(strings.Join(lines, ","), ",") {
		if member = strings.Trim(member, " \t"); member != "" {
			age, _ := seconds(member)
			return age
		}
	}
	return 0
}

// window returns how long after its lifetime an answer may be served stale for the sake
// of x: its own word goes before the rule's.
func window(d *Directives, x Directive, rule time.Duration) time.Duration {
	if n, ok := d.Seconds(x); ok {
		return n
	}
	return min(rule, Longest)
}

// noStale reports whether an answer forbids to serve it stale (section 4.2.4).
func noStale(d *Directives) bool {
	return d.Has(MustRevalidate) || d.Has(ProxyRevalidate) || d.Has(NoCache) || d.Has(SMaxAge)
}
