package freshet

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/freshet-dev/freshet/internal/rfc9111"
)

// query is one request for an answer: where that is kept and what it must have
// been made from.
type query struct {
	Ref
	identity Identity
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
	if why != "" {
		rt.pass(w, r, "", why)
		return
	}
	q := query{Ref{at.Key, at.Variant}, at.Identity}
	start := time.Now()
	found, err := c.guard.lookup(r.Context(), q.Ref)
	if err != nil {
		rt.pass(w, r, q.Key, trouble(err))
		return
	}
	found = c.own(&q, found)
	if found.Entry != nil {
		rt.hit(w, r, q.Ref, found.Entry, "", start)
		return
	}
	c.observe(Event{Kind: EventMiss, Rule: rt.plan.Name, Key: q.Key, Reason: found.Reason.String(), Elapsed: time.Since(start)})
	rt.miss(w, r, q, found, start)
}

// miss answers a read that the store has no entry for.
func (rt *route) miss(w http.ResponseWriter, r *http.Request, q query, found Found, start time.Time) {
	forwarded := forward(found.Reason)
	tags, why := rt.plan.requests.TagsOf(r)
	if r.Method == http.MethodHead {
		// An answer without its body cannot be stored, and asking the handler
		// for one that nobody wants would be dear.
		why = "head"
	}
	if why != "" {
		rt.alone(w, r, rfc9111.Status{Forward: forwarded, Detail: []string{why}})
		return
	}
	l := &load{route: rt, q: &q, tags: tags, reason: found.Reason, w: w, r: r}
	a, err := rt.cache.share(r.Context(), &q, tags, found, l.run)
	switch {
	case err != nil:
		// The client has gone, or a middleware's deadline has passed. Not the
		// handler: it would be started once for each of those who waited.
		http.Error(w, "the answer was not ready in time", http.StatusServiceUnavailable)
	case a.led:
		l.out.FinishFor(r)
	case a.entry == nil:
		rt.alone(w, r, rfc9111.Status{Forward: forwarded, Detail: []string{"unshared"}})
	case a.hit:
		rt.hit(w, r, q.Ref, a.entry, "", start)
	default:
		rt.hit(w, r, q.Ref, a.entry, forwarded, start)
	}
}

// hit answers from an entry: a stored one, or one that another request has just
// loaded; collapsed then says why this one was forwarded.
func (rt *route) hit(w http.ResponseWriter, r *http.Request, ref Ref, e *Entry, collapsed string, start time.Time) {
	now := time.Now()
	rt.cache.observe(Event{Kind: EventHit, Rule: rt.plan.Name, Key: ref.Key, Elapsed: now.Sub(start)})
	if a := rt.cache.auditor; a != nil && collapsed == "" && a.Sample() {
		defer rt.audit(w.Header().Clone(), r, ref, e)
	}
	serve(w, r, e, collapsed, now)
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
	_, err := rt.cache.drop(ctx, rt.plan.Name, targets)
	return err
}

// forward returns the reason of a miss in the words of RFC 9211, section 2.2.
func forward(r Reason) string {
	if r == Absent || r == Unreadable {
		return "uri-miss"
	}
	return "stale"
}

// trouble says in Cache-Status why the store was not used.
func trouble(err error) string {
	if errors.Is(err, errOwed) {
		return "invalidation-pending"
	}
	return "store-error"
}
