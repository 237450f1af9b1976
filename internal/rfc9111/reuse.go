package rfc9111

import (
	"net/http"
	"time"
)

// Stored is what decides whether a stored answer may be reused.
type Stored struct {
	Header     []Field
	Loaded     time.Time
	Fresh, Age time.Duration
	// Soft says that it counts as stale, however old it is.
	Soft bool
}

// Verdict is what to do with a request.
type Verdict uint8

// The verdicts.
const (
	Serve       Verdict = iota // answer from the store
	ServeStale                 // answer from the store, and load in the background
	Validate                   // ask the handler first
	Unavailable                // answer 504: the client wants none from the handler
)

// Reuse says how a stored answer may be used for a request.
type Reuse struct {
	Verdict Verdict
	// Stale says that the stored answer is.
	Stale bool
	// OnError says that it may be served in place of an error of the handler, or of
	// none at all (RFC 5861, section 4).
	OnError bool
	// Requested says that the request wants the handler to be asked, whatever is stored:
	// unless that is stale, fwd is then request (RFC 9211, section 2.2).
	Requested bool
}

// Reuse judges what is stored for r at now (RFC 9111, section 4; 5.2.1; 5861; 8246).
func (p *Policy) Reuse(r *http.Request, s *Stored, now time.Time) Reuse {
	var q Directives
	if !p.IgnoreClient {
		q = RequestDirectives(r)
	}
	d := storedDirectives(s.Header)
	age := s.Age + min(max(0, now.Sub(s.Loaded)), Longest)
	use := Reuse{Stale: s.Soft || age >= s.Fresh}
	past := max(0, age-s.Fresh) // 0 for one that is softly invalidated before its time
	barred := use.Stale && noStale(&d)
	use.OnError = !barred && !q.Has(NoCache) && past < p.tolerance(&q, &d)
	use.Verdict = p.verdict(&q, &d, use.Stale, age, s.Fresh)
	switch {
	case use.Verdict == Validate:
		use.Requested = true
	case !use.Stale:
	case barred:
		use.Verdict = Validate
	default:
		use.Verdict = p.stale(&q, &d, past)
	}
	if use.Verdict == Validate && q.Has(OnlyIfCached) {
		use.Verdict = Unavailable
	}
	return use
}

// Absent is the verdict where nothing is stored that could answer r: Validate, or
// Unavailable if r asks for no more than what is stored (section 5.2.1.7).
func (p *Policy) Absent(r *http.Request) Verdict {
	if p.IgnoreClient || r.Header["Cache-Control"] == nil {
		return Validate
	}
	if q := RequestDirectives(r); q.Has(OnlyIfCached) {
		return Unavailable
	}
	return Validate
}

// verdict is what the request says of an answer of this age, before it is known what to
// do if that is stale: Serve, or Validate.
func (p *Policy) verdict(q, d *Directives, stale bool, age, fresh time.Duration) Verdict {
	limit, limited := q.Seconds(MaxAge)
	least, _ := q.Seconds(MinFresh)
	_, anyStale := q.Seconds(MaxStale)
	switch {
	case q.Has(NoCache):
		return Validate
	case q.Has(MinFresh) && fresh-age < least:
		return Validate
	case !limited, !stale && d.Has(Immutable):
		// A reload has no reason to ask about what cannot change (RFC 8246, section 2).
		return Serve
	case age > limit, stale && !anyStale:
		return Validate
	}
	return Serve
}

// stale is the verdict on an answer that is past its lifetime and does not forbid to be
// served then.
func (p *Policy) stale(q, d *Directives, past time.Duration) Verdict {
	if past < window(d, StaleWhileRevalidate, p.StaleWhileRevalidate) {
		return ServeStale
	}
	if limit, ok := q.Seconds(MaxStale); ok && past <= limit {
		return Serve
	}
	return Validate
}

// tolerance is how long past its lifetime an answer may stand in for an error: what the
// client says of that goes before the answer, and that before the rule.
func (p *Policy) tolerance(q, d *Directives) time.Duration {
	return window(q, StaleIfError, window(d, StaleIfError, p.StaleIfError))
}
