package rfc9111

import (
	"math/rand/v2"
	"net/http"
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
// requested and received, up to the end of its header, at received. A 206 that is stored
// as a part of a 200 is judged as that (section 3.3).
func (p *Policy) Storage(r *http.Request, status int, h http.Header, requested, received time.Time) Storage {
	a := newAnswer(status, h, received)
	s := Storage{Age: a.age(requested), Shareable: p.Shareable(r, &a.Directives)}
	if s.Why = p.refusal(r, a); s.Why != "" {
		return s
	}
	var ok bool
	if s.Fresh, ok = p.lifetime(a, s.Age); !ok {
		s.Why = "lifetime"
		return s
	}
	if s.Keep = p.keep(a, s.Fresh, s.Age); s.Keep <= 0 {
		s.Why = "stale"
	}
	return s
}

// refusal says what forbids to store the answer, whatever its lifetime (section 3).
func (p *Policy) refusal(r *http.Request, a *answer) string {
	always, known := understood[a.status]
	_, explicit := a.own()
	_, star := VaryNames(a.header["Vary"])
	switch {
	case a.Has(NoStore) && !(a.Has(MustUnderstand) && known):
		return "no-store"
	case a.Has(Private):
		return "private"
	case len(a.header["Set-Cookie"]) > 0:
		return "set-cookie"
	case star:
		return "vary"
	case p.Refused(r):
		return "request no-store"
	case !known || !always && !explicit && !a.Has(Public):
		return "status"
	}
	return ""
}

// Refused reports whether the client wants the answer not to be stored (section 5.2.1.5).
func (p *Policy) Refused(r *http.Request) bool {
	if p.IgnoreClient {
		return false
	}
	q := RequestDirectives(r)
	return q.Has(NoStore)
}

// lifetime returns the freshness lifetime of an answer that was age old when it was
// received, and whether there is one.
func (p *Policy) lifetime(a *answer, age time.Duration) (time.Duration, bool) {
	// What the rule says counts from now on: its author thinks of the handler, not of
	// caches in front of that.
	ttl := p.given(a.status)
	limit, limited := age+ttl, ttl > 0
	own, explicit := a.own()
	switch {
	case p.Lifetime == ByRule:
		return limit, limited
	case a.Has(NoCache):
		// It may be stored, to be asked about each time (section 5.2.2.4).
		return 0, limited || p.Lifetime != Shorter
	case explicit && p.Lifetime == Shorter:
		return min(own, limit), limited
	case explicit:
		return own, true
	case p.Lifetime == Own:
		return 0, false
	case p.Lifetime == Shorter:
		return limit, limited
	}
	tenth, ok := a.heuristic()
	return min(tenth, limit), ok && limited
}

// given returns what the rule gives an answer of this status.
func (p *Policy) given(status int) time.Duration {
	ttl := p.TTL
	if status >= 400 {
		ttl = p.ErrorTTL
	}
	if p.Jitter > 0 {
		ttl -= time.Duration(float64(ttl) * p.Jitter * rand.Float64())
	}
	return min(ttl, Longest)
}

// keep returns how long a store has use for an answer.
func (p *Policy) keep(a *answer, fresh, age time.Duration) time.Duration {
	after := time.Duration(0)
	if !noStale(&a.Directives) {
		after = max(window(&a.Directives, StaleWhileRevalidate, p.StaleWhileRevalidate), window(&a.Directives, StaleIfError, p.StaleIfError))
	}
	if a.validator() {
		after = max(after, min(fresh, time.Hour), time.Minute)
	}
	return max(0, fresh-age) + after
}

// Shareable reports whether an answer that says d may be reused for others though the
// request r for it has credentials (section 3.5): it is public, or has s-maxage, unless
// the rule overrides that. For Authorization must-revalidate will do, too. Cookies are
// taken as credentials like it, as the RFC does not; of these must-revalidate says nothing.
func (p *Policy) Shareable(r *http.Request, d *Directives) bool {
	return !Credentials(r) || d.Has(Public) || d.Has(SMaxAge) && p.Lifetime != ByRule ||
		d.Has(MustRevalidate) && r.Header["Cookie"] == nil
}
