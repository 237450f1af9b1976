package freshet

import (
	"context"
	"net/http"
	"time"

	"github.com/freshet-dev/freshet/internal/capture"
	"github.com/freshet-dev/freshet/internal/resolve"
	"github.com/freshet-dev/freshet/internal/rfc9111"
)

// load runs the handler for a request that leads a flight.
type load struct {
	route  *route
	q      *query
	tags   []string
	prefix string // of groups
	reason Reason
	w      http.ResponseWriter
	r      *http.Request

	out  *capture.Writer
	fate string // what became of the answer, for Cache-Status
}

// run is the loader of a route: it runs the handler into a capture and stores
// what may be stored.
func (l *load) run(ctx context.Context, stamp Stamp, land func()) *Entry {
	ctx, control := withControl(ctx)
	// A read that finds something to invalidate is taken at its word.
	defer func() { _ = l.route.drop(ctx, control.added()) }()
	l.out = capture.New(l.w, l.route.plan.MaxBody, func() {
		if l.fate == "" {
			// The answer goes straight through: nobody should wait for a share.
			l.fate = "streamed"
			land()
		}
		l.mark()
	})
	l.route.next.ServeHTTP(l.out, rfc9111.Unconditional(l.r.WithContext(ctx)))
	var e *Entry
	if !l.out.Passing() {
		e = l.make(control, stamp)
	}
	if e != nil {
		l.fate = l.route.cache.keep(ctx, l.route.plan.Name, l.q, stamp, e)
	} else {
		l.route.cache.observe(Event{Kind: EventFill, Rule: l.route.plan.Name, Key: l.q.Key, Reason: l.fate})
	}
	return e
}

// make returns the entry of a captured answer, nil if it may not be shared.
func (l *load) make(control *Control, stamp Stamp) *Entry {
	p := l.route.plan
	l.out.Settle()
	ttl := p.lifetime(l.out.Status)
	if ttl == 0 {
		l.fate = "status"
		return nil
	}
	if l.fate = l.out.Unfit(p.VaryHeaders); l.fate != "" {
		return nil
	}
	control.Tag(resolve.TagGroups(l.prefix, rfc9111.Groups(l.out.Sent["Cache-Groups"]))...)
	now := time.Now()
	e := &Entry{Identity: l.q.identity, Stamp: stamp, Loaded: now, Status: l.out.Status}
	if !control.apply(e, l.tags, ttl) {
		l.fate = "no-store"
		return nil
	}
	l.out.Complete(now)
	e.Header, e.Body = l.out.Fields(), string(l.out.Body)
	return e
}

// lifetime returns how long the rule keeps an answer of this status, zero for
// not at all.
func (p *plan) lifetime(status int) time.Duration {
	switch {
	case !rfc9111.Heuristic(status):
		return 0
	case status == http.StatusNotFound || status == http.StatusGone:
		return p.ErrorTTL
	default:
		return p.TTL
	}
}

// mark adds what became of the load to the header that is about to be sent.
func (l *load) mark() {
	if l.out.Sent == nil {
		return // hijacked: there is no header
	}
	status := l.q.forwarded(l.reason)
	status.Stored = l.fate == Stored.String()
	if l.reason != Absent {
		status.Detail = append(status.Detail, l.reason.String())
	}
	if !status.Stored && l.fate != l.q.bypass {
		status.Detail = append(status.Detail, l.fate)
	}
	l.out.Sent.Add("Cache-Status", status.String())
}
