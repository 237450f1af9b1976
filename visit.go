package freshet

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"runtime/debug"
	"time"

	"github.com/freshet-dev/freshet/internal/background"
	"github.com/freshet-dev/freshet/internal/memo"
	"github.com/freshet-dev/freshet/internal/rfc9111"
)

const (
	// retryPause is how long a handler that has failed is spared while there is
	// something stale to serve.
	retryPause = 2 * time.Second
	// unfitPause is for how long it is remembered that an answer cannot be stored.
	unfitPause = 5 * time.Second
	// credentials is why a request was not answered like an anonymous one.
	credentials = "credentials"
)

// visit is a read that is not answered from the store without another thought:
//
//	        ┌ serve ───────────────────────────────────► the entry
//	        ├ serve stale ─────────────────────────────► the entry, and refresh behind its back
//	judge ──┼ unavailable ─────────────────────────────► 504
//	        └ load ─┬ alone, if nobody can share it ─┬─► the handler's answer
//	                └ share: another's load, or lead ┤
//	                                                 ├─► the entry, freshened by a 304
//	                                                 └─► the stale entry, if the handler fails
//
// Whatever is served from the store is what the look-up of this very request has
// found: what that has been spared by every invalidation from before the request.
type visit struct {
	query
	route *route
	w     http.ResponseWriter
	r     *http.Request
	found Found
	part  *Entry // a piece of the answer, where the client wants one and Entry is nil
	start time.Time
	// Of the rule: the tags, and what goes before the names of groups.
	tags   []string
	prefix string

	use   rfc9111.Reuse // what may be done with found.Entry
	leads func()        // called once this visit runs a load itself, nil for nothing
}

// answer judges what has been found, and does what follows.
func (v *visit) answer() {
	e, p := v.found.Entry, v.route.plan
	if e == nil {
		v.use.Verdict = p.policy.Absent(v.r)
		v.use.Requested = p.demanding(v.r) && reloads(v.r)
		switch {
		case v.home.Credentialed:
			v.event(EventBypass, credentials, nil)
		case v.bypass == "":
			v.event(EventMiss, v.found.Reason.String(), nil)
		}
	} else {
		v.use = p.policy.Reuse(v.r, &rfc9111.Stored{
			Header: e.Header, Loaded: e.Loaded, Fresh: e.Fresh, Age: e.Age, Soft: v.found.Reason != Absent,
		}, v.start)
	}
	v.anew = v.use.Requested
	switch v.use.Verdict {
	case rfc9111.Serve:
		if v.use.Stale {
			v.stale("max-stale", nil)
			return
		}
		front := v.w.Header().Clone()
		v.route.hit(v.w, v.r, &v.query, e, nil, v.start)
		if p.EarlyRefresh && background.Early(e.left(v.start), e.Took) {
			v.refresh(front)
		}
	case rfc9111.ServeStale:
		front := v.w.Header().Clone()
		v.stale("revalidating", nil)
		v.refresh(front)
	case rfc9111.Unavailable:
		v.refuse("only-if-cached")
	default:
		if e != nil {
			v.event(EventMiss, "stale", nil)
		}
		if v.use.OnError && v.route.cache.memo.Has(v.identity, memo.Failing) {
			v.stale("failing", nil)
			return
		}
		v.miss(false)
	}
}

// reloads reports whether r wants an answer that is made for it, from now on.
func reloads(r *http.Request) bool {
	d := rfc9111.RequestDirectives(r)
	age, limited := d.Seconds(rfc9111.MaxAge)
	return d.Has(rfc9111.NoCache) || limited && age == 0
}

// miss asks the handler; patiently, if nobody waits for the answer.
func (v *visit) miss(patiently bool) {
	p := v.route.plan
	tags, why := p.requests.TagsOf(v.r)
	prefix, unprefixed := p.requests.GroupPrefixOf(v.r)
	if why = cmp.Or(why, unprefixed); why != "" {
		status := v.forwarded()
		status.Detail = append(status.Detail, why)
		v.route.alone(v.w, v.r, status)
		return
	}
	v.tags, v.prefix = tags, prefix
	if !patiently && (p.HardTimeout > 0 || p.SoftTimeout > 0 && v.use.OnError) {
		v.await()
		return
	}
	v.load()
}

// load gets the answer from the handler, or from another's load.
func (v *visit) load() {
	if v.single() {
		v.alone(false)
		return
	}
	l := &load{visit: v}
	a, err := v.route.cache.share(v.r.Context(), &v.query, v.tags, v.found, l.run)
	switch {
	case err != nil:
		// The client has gone, or a middleware's deadline has passed. Not the
		// handler: it would be started once for each of those who waited.
		http.Error(v.w, "the answer was not ready in time", http.StatusServiceUnavailable)
	case a.led:
		l.finish()
	case a.entry == nil && v.use.OnError && v.route.cache.memo.Has(v.identity, memo.Failing) && v.stands():
		v.stale("failing", nil)
	case a.entry == nil:
		v.alone(true)
	case a.entry.Identity != v.identity && !v.meets(a.entry):
		v.move(a.entry)
	case a.hit:
		v.route.hit(v.w, v.r, &v.query, a.entry, nil, v.start)
	default:
		status := v.forwarded()
		status.Collapsed = true
		v.route.hit(v.w, v.r, &v.query, a.entry, &status, v.start)
	}
}

// single reports whether nobody can share the load: its answer is somebody's own, is
// not to be stored for the request's sake, has no body, is a piece, or has lately been
// found unfit to be stored.
func (v *visit) single() bool {
	return v.home.Credentialed || v.r.Method == http.MethodHead || v.ranged() && v.found.Entry == nil ||
		v.route.plan.policy.Refused(v.r) ||
		v.route.cache.memo.Has(v.identity, memo.Uncacheable)
}

// ranged reports whether the client wants a piece, as only a GET can.
func (v *visit) ranged() bool { return v.r.Method == http.MethodGet && v.r.Header["Range"] != nil }

// meets reports whether the answer that another has loaded answers this request,
// too: it agrees in all that the answer's Vary names.
func (v *visit) meets(e *Entry) bool {
	q := v.elsewhere(e)
	if q.identity != e.Identity {
		return false
	}
	v.query = q // where its forms are
	return true
}

// elsewhere returns the place of this request among answers that differ like e.
func (v *visit) elsewhere(e *Entry) query {
	q, _ := v.route.plan.varied(v.query, rfc9111.Lines(e.Header, "Vary"), v.r, v.route.unseen(e))
	return q
}

// move goes on at the place that this request has among answers that differ like e,
// which is another's.
func (v *visit) move(e *Entry) {
	q := v.elsewhere(e)
	if q.identity == v.identity {
		v.alone(true) // e has been loaded by other names than it has now
		return
	}
	v.query, v.use.OnError = q, false
	var err error
	if v.found, err = v.route.cache.look(v.r.Context(), &v.query); err != nil {
		v.bypass = trouble(err)
	}
	if v.found.fresh(time.Now()) && !v.anew {
		v.route.hit(v.w, v.r, &v.query, v.found.Entry, nil, v.start)
		return
	}
	v.load()
}

// alone loads the answer for this request only; unshared says that another's could
// not be shared.
func (v *visit) alone(unshared bool) {
	l := &load{visit: v, single: true, unshared: unshared}
	l.run(v.r.Context(), v.found, func() {})
	l.finish()
}

// stale serves the entry that has been found though it is stale; why is for people.
// A status is given unless it is simply a hit.
func (v *visit) stale(why string, status *rfc9111.Status) {
	v.event(EventStale, why, nil)
	now, a := time.Now(), v.route.form(v.r, &v.query, v.found.Entry).answer()
	if status == nil {
		status = &rfc9111.Status{Hit: true, TTL: v.found.Entry.left(now), Detail: []string{why}}
	}
	a.Serve(v.w, v.r, status, now)
}

// fails notes whether the handler does, and is to be spared for a while. To a request with
// credentials it may fail where it does not to others.
func (v *visit) fails(does bool) {
	pause := time.Duration(0)
	if does {
		pause = retryPause
	}
	if !v.home.Credentialed {
		v.route.cache.memo.Note(v.identity, memo.Failing, pause)
	}
}

// stands reports whether what has been found may still be served after a wait: no
// invalidation has come meanwhile. Where the store cannot be asked, it may.
func (v *visit) stands() bool {
	e, c := v.found.Entry, v.route.cache
	if c.guard.Covers(v.Key, e.Tags) {
		return false
	}
	found, err := c.look(context.WithoutCancel(v.r.Context()), &v.query)
	return err != nil || found.Entry != nil && found.Entry.same(e)
}

// same reports whether two look-ups have found the same entry.
func (e *Entry) same(other *Entry) bool {
	return e.Stamp == other.Stamp && e.alike(other)
}

// refuse answers without the handler and without an entry.
func (v *visit) refuse(why string) {
	status := v.forwarded()
	status.Detail = append(status.Detail, why)
	v.w.Header().Add("Cache-Status", status.String())
	http.Error(v.w, "the answer is not at hand", http.StatusGatewayTimeout)
}

// forwarded says why the request goes on to its handler, in the words of RFC 9211,
// section 2.2.
func (v *visit) forwarded() rfc9111.Status {
	reason := v.found.Reason
	switch {
	case v.bypass != "":
		return rfc9111.Status{Forward: "bypass", Detail: []string{v.bypass}}
	case v.home.Credentialed && v.found.Entry == nil:
		return rfc9111.Status{Forward: "bypass", Detail: []string{credentials}}
	case v.use.Requested && v.found.Entry != nil && !v.use.Stale:
		return rfc9111.Status{Forward: "request"}
	case v.found.Entry == nil && len(v.names) > 0 && reason == Absent:
		return rfc9111.Status{Forward: "vary-miss"}
	case v.found.Entry == nil && (reason == Absent || reason == Unreadable):
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

func (v *visit) event(kind EventKind, reason string, err error) {
	v.route.cache.observe(Event{Kind: kind, Rule: v.route.plan.Name, Key: v.Key, Reason: reason, Elapsed: time.Since(v.start), Err: err})
}

// logPanic logs that a handler has panicked behind the back of its request.
func (c *Cache) logPanic(value any) {
	if value != nil && value != http.ErrAbortHandler {
		c.options.logger().Error("freshet: a handler that no request waits for has panicked", "panic", value, "stack", string(debug.Stack()))
	}
}
