package rfc9111

import (
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"time"
)

// Lifetime says where lifetimes come from; the values are those of the root
// package's type of that name, which documents them.
type Lifetime uint8

// The sources of lifetimes.
const (
	Shorter Lifetime = iota
	Own
	Heuristically
	ByRule
)

// Policy is what a rule says of lifetimes.
type Policy struct {
	Lifetime Lifetime
	// TTL is the rule's lifetime, ErrorTTL that of answers with a status from 400
	// on; 0 means that they are not stored on the word of the rule.
	TTL, ErrorTTL time.Duration
	// StaleWhileRevalidate and StaleIfError hold where an answer does not say them.
	StaleWhileRevalidate, StaleIfError time.Duration
	// IgnoreClient disregards Cache-Control and Pragma of requests.
	IgnoreClient bool
	// Jitter shortens TTL at random by up to this fraction.
	Jitter float64
}

// Storage says whether an answer may be stored, and for how long it counts.
type Storage struct {
	// Why the answer must not be stored, in the words of Cache-Status; empty if it
	// may be.
	Why string
	// Fresh is the freshness lifetime (RFC 9111, section 4.2.1) and Age the age when
	// it was received (section 4.2.3): it is fresh until Age and the time since then
	// reach Fresh. A lifetime that the rule gives counts from the receipt.
	Fresh, Age time.Duration
	// Keep is how long a store has use for it, from the receipt: the rest of its
	// freshness and, after that, the time in which it can be revalidated or served
	// stale.
	Keep time.Duration
	// Shareable says that the answer may be reused for others though the request had
	// credentials: see [Policy.Shareable].
	Shareable bool
}

// The targeted fields that this cache obeys (RFC 9213, section 2.2), in their order.
var targetList = [...]string{"Freshet-Cache-Control", "Cdn-Cache-Control"}

// AnswerDirectives returns what an answer's header says to a cache like this one: the
// first valid targeted field that is not empty, or else Cache-Control. It reports
// whether it is a targeted one; Expires then does not count either (RFC 9213, section
// 2.2).
func AnswerDirectives(h http.Header) (d Directives, targeted bool) {
	for _, name := range targetList {
		lines := h[name]
		if len(lines) == 0 {
			continue
		}
		d, found := Directives{}, false
		ok := dictionary(lines, func(name string, value item) {
			found = true
			d.member(name, value)
		})
		if ok && found {
			return d, true
		}
	}
	return Parse(h["Cache-Control"]), false
}

// RequestDirectives returns what a request asks of caches. Pragma counts where there is
// no Cache-Control, as HTTP/1.0 clients mean it (section 5.4).
func RequestDirectives(r *http.Request) Directives {
	if lines := r.Header["Cache-Control"]; lines != nil {
		return parseRequest(lines)
	}
	pragma := parseRequest(r.Header["Pragma"])
	var d Directives
	d.set[NoCache] = pragma.set[NoCache]
	return d
}

// parseRequest is Parse for a request, where no-cache has no argument: it counts with one,
// too.
func parseRequest(lines []string) Directives {
	d := Parse(lines)
	d.set[NoCache] = d.set[NoCache] || d.named[NoCache] != nil
	return d
}

// understood are the statuses whose caching requirements this cache implements:
// an answer with another one is not stored (section 3). It holds true for those that
// may be stored though the answer does not say for how long (RFC 9110, section 15.1).
// Of these 206 is left out here, and 405, 414 and 501 are false: errors that are cheap
// to make again.
var understood = map[int]bool{
	200: true, 203: true, 204: true, 300: true, 301: true, 302: false, 303: false, 307: false, 308: true,
	400: false, 403: false, 404: true, 405: false, 410: true, 414: false, 451: false,
}

// Storage judges the answer to r with this status and header, which has to be the
// handler's own: without what middleware or this cache has added. It was asked for at
// requested and received, up to the end of its header, at received.
func (p *Policy) Storage(r *http.Request, status int, h http.Header, requested, received time.Time) Storage {
	d, targeted := AnswerDirectives(h)
	own, explicit := ownLifetime(&d, targeted, h, received)
	s := Storage{Age: initialAge(h, requested, received), Shareable: p.Shareable(r, &d)}
	if s.Why = p.refusal(r, status, h, &d); s.Why != "" {
		return s
	}
	always, known := understood[status]
	if !known || !always && !explicit && !d.Has(Public) {
		s.Why = "status"
		return s
	}
	var ok bool
	if s.Fresh, ok = p.lifetime(status, h, &d, own, explicit, s.Age, received); !ok {
		s.Why = "lifetime"
		return s
	}
	if s.Keep = p.keep(&d, h, s.Fresh, s.Age, received); s.Keep <= 0 {
		s.Why = "stale"
	}
	return s
}

// refusal says what forbids to store the answer, whatever its lifetime (section 3).
func (p *Policy) refusal(r *http.Request, status int, h http.Header, d *Directives) string {
	_, known := understood[status]
	_, star := VaryNames(h["Vary"])
	switch {
	case d.Has(NoStore) && !(d.Has(MustUnderstand) && known):
		return "no-store"
	case d.Has(Private):
		return "private"
	case len(h["Set-Cookie"]) > 0:
		return "set-cookie"
	case star:
		return "vary"
	case p.IgnoreClient:
		return ""
	}
	if q := RequestDirectives(r); q.Has(NoStore) {
		return "request no-store"
	}
	return ""
}

// lifetime returns the freshness lifetime, and whether there is one.
func (p *Policy) lifetime(status int, h http.Header, d *Directives, own time.Duration, explicit bool, age time.Duration, received time.Time) (time.Duration, bool) {
	// What the rule says counts from now on: its author thinks of the handler, not of
	// caches in front of that.
	ttl := p.jittered(status)
	limit, limited := age+ttl, ttl > 0
	if p.Lifetime == ByRule {
		return limit, limited
	}
	if d.Has(NoCache) {
		// It may be stored, to be asked about each time (section 5.2.2.4).
		own, explicit = 0, true
	}
	switch {
	case explicit && p.Lifetime == Shorter:
		return min(own, limit), limited
	case explicit:
		return own, true
	case p.Lifetime == Own:
		return 0, false
	case p.Lifetime == Shorter:
		return limit, limited
	}
	tenth, ok := heuristicLifetime(h, received)
	return min(tenth, limit), ok && limited
}

// jittered returns what the rule gives an answer of this status.
func (p *Policy) jittered(status int) time.Duration {
	ttl := p.TTL
	if status >= 400 {
		ttl = p.ErrorTTL
	}
	if p.Jitter > 0 {
		ttl -= time.Duration(float64(ttl) * p.Jitter * rand.Float64())
	}
	return min(ttl, MaxSeconds)
}

// ownLifetime returns the freshness lifetime that the answer gives itself (section
// 4.2.1): the first of s-maxage, max-age and Expires.
func ownLifetime(d *Directives, targeted bool, h http.Header, received time.Time) (time.Duration, bool) {
	for _, x := range [...]Directive{SMaxAge, MaxAge} {
		if n, ok := d.Seconds(x); ok {
			return n, true
		}
	}
	lines := h["Expires"]
	if targeted || len(lines) == 0 {
		return 0, false
	}
	// Whatever is no date has expired, "0" above all (section 5.3).
	expires, ok := ParseDate(lines[0], received)
	if !ok || slices.ContainsFunc(lines, func(line string) bool { return line != lines[0] }) {
		return 0, true
	}
	return min(max(0, expires.Sub(date(h, received))), MaxSeconds), true
}

// heuristicLifetime returns a tenth of the time for which the answer has not changed, a
// day at most (section 4.2.2).
func heuristicLifetime(h http.Header, received time.Time) (time.Duration, bool) {
	changed, ok := modified(h, received)
	since := date(h, received).Sub(changed)
	if !ok || since <= 0 {
		return 0, false
	}
	return min(since/10, 24*time.Hour).Truncate(time.Second), true
}

// modified returns the Last-Modified date, if there is one and it is valid.
func modified(h http.Header, received time.Time) (time.Time, bool) {
	lines := h["Last-Modified"]
	if len(lines) != 1 {
		return time.Time{}, false
	}
	return ParseDate(lines[0], received)
}

// date returns when the answer was made: now where it has no valid Date (RFC 9110,
// section 6.6.1).
func date(h http.Header, received time.Time) time.Time {
	if lines := h["Date"]; len(lines) == 1 {
		if t, ok := ParseDate(lines[0], received); ok {
			return t
		}
	}
	return received.Truncate(time.Second)
}

// initialAge returns the age of an answer when it was received (section 4.2.3).
func initialAge(h http.Header, requested, received time.Time) time.Duration {
	apparent := max(0, received.Truncate(time.Second).Sub(date(h, received)))
	corrected := ageValue(h["Age"]) + max(0, received.Sub(requested))
	return min(max(apparent, corrected), MaxSeconds)
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

// keep returns how long a store has use for an answer.
func (p *Policy) keep(d *Directives, h http.Header, fresh, age time.Duration, received time.Time) time.Duration {
	after := time.Duration(0)
	if !noStale(d) {
		after = max(window(d, StaleWhileRevalidate, p.StaleWhileRevalidate), window(d, StaleIfError, p.StaleIfError))
	}
	if validator(h, received) {
		after = max(after, min(fresh, time.Hour), time.Minute)
	}
	return max(0, fresh-age) + after
}

// validator reports whether an answer has what it can be revalidated by (section
// 4.3.1).
func validator(h http.Header, received time.Time) bool {
	_, ok := modified(h, received)
	return ok || len(h["Etag"]) == 1
}

// window returns how long after its lifetime an answer may be served stale for the sake
// of x: its own word goes before the rule's.
func window(d *Directives, x Directive, rule time.Duration) time.Duration {
	if n, ok := d.Seconds(x); ok {
		return n
	}
	return min(rule, MaxSeconds)
}

// noStale reports whether an answer forbids to serve it stale (section 4.2.4).
func noStale(d *Directives) bool {
	return d.Has(MustRevalidate) || d.Has(ProxyRevalidate) || d.Has(NoCache) || d.Has(SMaxAge)
}

// Shareable reports whether an answer that says d may be reused for others though the
// request r for it has credentials (section 3.5): it is public, or has s-maxage, unless
// the rule overrides that. For Authorization must-revalidate will do, too. Cookies are
// taken as credentials like it, as the RFC does not; of these must-revalidate says nothing.
func (p *Policy) Shareable(r *http.Request, d *Directives) bool {
	return !Credentials(r) || d.Has(Public) || d.Has(SMaxAge) && p.Lifetime != ByRule ||
		d.Has(MustRevalidate) && r.Header["Cookie"] == nil
}
