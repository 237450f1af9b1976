package freshet

import (
	"context"
	"net/http"
	"time"

	"github.com/freshet-dev/freshet/internal/background"
	"github.com/freshet-dev/freshet/internal/capture"
	"github.com/freshet-dev/freshet/internal/coding"
	"github.com/freshet-dev/freshet/internal/pattern"
	"github.com/freshet-dev/freshet/internal/resolve"
	"github.com/freshet-dev/freshet/internal/rfc9111"
)

// query is one request for an answer: where that is kept and what it must have
// been made from.
type query struct {
	Ref
	identity Identity
	// bypass is why the store could not be asked for the answer, which is then
	// not stored either; empty if it could.
	bypass string
	// anew says that the client wants an answer that is made for it, from now on.
	anew bool
	// home is where the request looks first; names are the request fields that tell
	// apart the answers which have their places elsewhere, and have led here.
	home  resolve.Place
	names []string
}

// route is a handler behind a rule.
type route struct {
	cache *Cache
	plan  *plan
	next  http.Handler
}

// ServeHTTP is the life of a request.
func (rt *route) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	r = coding.Known(r, rt.cache.options.Codings)
	switch r.Method {
	case http.MethodGet, http.MethodHead:
		rt.read(w, r)
	case pattern.Query:
		rt.read(w, resolve.Hold(r, rt.plan.MaxBody))
	case http.MethodOptions, http.MethodTrace:
		rt.next.ServeHTTP(w, r)
	default:
		rt.write(w, r)
	}
}

// read answers from the store what it can without another thought; everything else
// is a visit.
func (rt *route) read(w http.ResponseWriter, r *http.Request) {
	c := rt.cache
	if c.auditor.Running(r.Context()) {
		rt.next.ServeHTTP(w, r)
		return
	}
	at, why := rt.plan.requests.Read(r)
	if why != "" {
		rt.pass(w, r, "", why)
		return
	}
	start := time.Now()
	q, found, err := c.find(r, at, rt.wanted(r))
	early := err == nil && found.fresh(start) && rt.plan.EarlyRefresh && background.Early(found.Entry.left(start), found.Entry.Took)
	if early && found.Entry.Identity != q.identity { // a form is not what is loaded
		q, found, err = c.find(r, at, nil)
	}
	if at.Credentialed && found.Entry != nil && !rt.plan.shared(found.Entry, r) {
		found.Entry, found.Reason = nil, Absent
	}
	if err == nil && found.fresh(start) && !early && !rt.plan.demanding(r) {
		rt.hit(w, r, &q, found.Entry, nil, start)
		return
	}
	v := &visit{route: rt, w: w, r: r, query: q, found: found, start: start}
	switch {
	case err != nil:
		v.bypass = trouble(err)
		c.observe(Event{Kind: EventBypass, Rule: rt.plan.Name, Key: v.Key, Reason: v.bypass})
	case found.Entry == nil && v.ranged() && v.pick():
		return
	}
	v.answer()
}

// demanding reports whether r says itself what it takes from a cache.
func (p *plan) demanding(r *http.Request) bool {
	return !p.IgnoreClient && (r.Header["Cache-Control"] != nil || r.Header["Pragma"] != nil)
}

// left returns how much longer e is fresh at now, negative once it is stale. A clock
// that was set back makes nothing younger.
func (e *Entry) left(now time.Time) time.Duration {
	return e.Fresh - e.Age - max(0, now.Sub(e.Loaded))
}

// fresh reports whether there is an entry that may be served without asking its
// handler.
func (f *Found) fresh(now time.Time) bool {
	return f.Entry != nil && f.Reason == Absent && f.Entry.left(now) > 0
}

// shared reports whether e says that it may be served to r, which has credentials,
// though it may have been made for somebody else (RFC 9111, section 3.5).
func (p *plan) shared(e *Entry, r *http.Request) bool {
	d, _ := rfc9111.AnswerDirectives(rfc9111.Header(e.Header))
	return p.policy.Shareable(r, &d)
}

// hit answers from an entry: a stored one, for which status is nil unless there is
// more to say than that, or one that another request has just loaded.
func (rt *route) hit(w http.ResponseWriter, r *http.Request, q *query, e *Entry, status *rfc9111.Status, start time.Time) {
	now := time.Now()
	rt.cache.observe(Event{Kind: EventHit, Rule: rt.plan.Name, Key: q.Key, Elapsed: now.Sub(start)})
	if rt.plan.RefreshAhead > 0 && status == nil {
		rt.expect(w, r, q, e)
	}
	if a := rt.cache.auditor; a != nil && status == nil && a.Sample() {
		defer rt.audit(w.Header().Clone(), r, q, e)
	}
	a := rt.form(r, q, e).answer()
	a.Serve(w, r, status, now)
}

// answer returns e as it is served.
func (e *Entry) answer() capture.Answer {
	return capture.Answer{Status: e.Status, Header: e.Header, Body: e.Body, Loaded: e.Loaded, Fresh: e.Fresh, Age: e.Age}
}

// pass sends a request that cannot be answered from the cache to its handler.
func (rt *route) pass(w http.ResponseWriter, r *http.Request, key, why string) {
	rt.cache.observe(Event{Kind: EventBypass, Rule: rt.plan.Name, Key: key, Reason: why})
	rt.alone(w, r, rfc9111.Status{Forward: "bypass", Detail: []string{why}})
}

// alone runs the handler for this request only.
func (rt *route) alone(w http.ResponseWriter, r *http.Request, status rfc9111.Status) {
	ctx, control := withControl(r.Context())
	defer func() { _ = rt.drop(ctx, control.added()) }()
	w.Header().Add("Cache-Status", status.String())
	rt.next.ServeHTTP(w, r.WithContext(ctx))
}

// drop invalidates targets, as [Cache.drop] does.
func (rt *route) drop(ctx context.Context, targets []Target) error {
	_, err := rt.cache.drop(ctx, rt.plan.Name, nil, targets)
	return err
}
