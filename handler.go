package freshet

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/freshet-dev/freshet/internal/capture"
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
}

// route is a handler behind a rule.
type route struct {
	cache *Cache
	plan  *plan
	next  http.Handler
}

// ServeHTTP is the life of a request.
func (rt *route) ServeHTTP(w http.ResponseWriter, r *http.Request) {
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

func (rt *route) read(w http.ResponseWriter, r *http.Request) {
	c := rt.cache
	if c.auditor.Running(r.Context()) {
		rt.next.ServeHTTP(w, r)
		return
	}
	at, why := rt.plan.requests.Read(r)
	if why == "" && at.Credentialed {
		why = "credentials"
	}
	if why != "" {
		rt.pass(w, r, "", why)
		return
	}
	q := query{Ref{at.Key, at.Variant}, at.Identity, ""}
	start := time.Now()
	found, err := c.guard.lookup(r.Context(), q.Ref)
	found = c.own(&q, found)
	switch {
	case err != nil:
		q.bypass = trouble(err)
		c.observe(Event{Kind: EventBypass, Rule: rt.plan.Name, Key: q.Key, Reason: q.bypass})
	case found.Entry != nil:
		rt.hit(w, r, q.Ref, found.Entry, nil, start)
		return
	default:
		c.observe(Event{Kind: EventMiss, Rule: rt.plan.Name, Key: q.Key, Reason: found.Reason.String(), Elapsed: time.Since(start)})
	}
	rt.miss(w, r, q, found, start)
}

// miss answers a read that the store has no entry for, or could not be asked for.
func (rt *route) miss(w http.ResponseWriter, r *http.Request, q query, found Found, start time.Time) {
	status := q.forwarded(found.Reason)
	tags, why := rt.plan.requests.TagsOf(r)
	prefix, unprefixed := rt.plan.requests.GroupPrefixOf(r)
	why = cmp.Or(why, unprefixed)
	if r.Method == http.MethodHead {
		// An answer without its body cannot be stored, and asking the handler
		// for one that nobody wants would be dear.
		why = "head"
	}
	if why != "" {
		status.Detail = append(status.Detail, why)
		rt.alone(w, r, status)
		return
	}
	l := &load{route: rt, q: &q, tags: tags, prefix: prefix, reason: found.Reason, w: w, r: r}
	a, err := rt.cache.share(r.Context(), &q, tags, found, l.run)
	switch {
	case err != nil:
		// The client has gone, or a middleware's deadline has passed. Not the
		// handler: it would be started once for each of those who waited.
		http.Error(w, "the answer was not ready in time", http.StatusServiceUnavailable)
	case a.led:
		l.out.FinishFor(r)
	case a.entry == nil:
		status.Detail = append(status.Detail, "unshared")
		rt.alone(w, r, status)
	case a.hit:
		rt.hit(w, r, q.Ref, a.entry, nil, start)
	default:
		status.Collapsed = true
		rt.hit(w, r, q.Ref, a.entry, &status, start)
	}
}

// hit answers from an entry: a stored one, or one that another request has just
// loaded; shared then says why this one was forwarded.
func (rt *route) hit(w http.ResponseWriter, r *http.Request, ref Ref, e *Entry, shared *rfc9111.Status, start time.Time) {
	now := time.Now()
	rt.cache.observe(Event{Kind: EventHit, Rule: rt.plan.Name, Key: ref.Key, Elapsed: now.Sub(start)})
	if a := rt.cache.auditor; a != nil && shared == nil && a.Sample() {
		defer rt.audit(w.Header().Clone(), r, ref, e)
	}
	a := capture.Answer{Status: e.Status, Header: e.Header, Body: e.Body, Loaded: e.Loaded, TTL: e.TTL}
	a.Serve(w, r, shared, now)
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

// forwarded says why a request went on to its handler: reason is that of the miss,
// in the words of RFC 9211, section 2.2.
func (q *query) forwarded(reason Reason) rfc9111.Status {
	switch {
	case q.bypass != "":
		return rfc9111.Status{Forward: "bypass", Detail: []string{q.bypass}}
	case reason == Absent || reason == Unreadable:
		return rfc9111.Status{Forward: "uri-miss"}
	default:
		return rfc9111.Status{Forward: "stale"}
	}
}

// trouble says in Cache-Status why the store was not used.
func trouble(err error) string {
	if errors.Is(err, errOwed) {
		return "invalidation-pending"
	}
	return "store-error"
}
