package freshet

import (
	"context"
	"net/http"

	"github.com/freshet-dev/freshet/internal/capture"
	"github.com/freshet-dev/freshet/internal/rfc9111"
)

// write is a request that changes something.
type write struct {
	route   *route
	ctx     context.Context
	control *Control
	targets []Target // by the rule
	out     *capture.Writer
}

// write runs a handler that changes something and invalidates what it affects.
// The invalidation has happened before the first byte of the answer can reach
// the client, so that nobody who has heard of the change is shown the state
// before it.
func (rt *route) write(w http.ResponseWriter, r *http.Request) {
	// Resolved first: the handler may change the request.
	wr := &write{route: rt, targets: rt.plan.targets(r)}
	wr.ctx, wr.control = withControl(r.Context())
	wr.out = capture.New(w, rt.plan.MaxBody, wr.before)
	settled := false
	defer func() {
		if !settled {
			// The handler has panicked, and who knows what it had changed.
			_ = wr.invalidate()
		}
	}()
	rt.next.ServeHTTP(wr.out, r.WithContext(wr.ctx))
	if wr.out.Passing() && !refused(wr.out.Status) {
		// Its answer began to go out while it was still at work: what it has
		// changed since is not covered by the invalidation from before.
		_ = wr.invalidate()
	}
	wr.out.Finish()
	settled = true
}

// targets resolves what a write to r invalidates: its own key and the lists.
func (p *plan) targets(r *http.Request) (all []Target) {
	p.requests.Write(r, p.drops, func(n int, text string, exact bool) {
		switch kind := p.kinds[n]; {
		case exact:
			all = append(all, Target{Kind: kind, Value: text})
		case kind == TargetTag:
			// Tags have no patterns: everything is the only safe superset.
			all = append(all, All())
		default:
			all = append(all, Match(text))
		}
	})
	return all
}

// before runs right before anything of the answer goes out.
func (wr *write) before() {
	status := rfc9111.Status{Forward: "method"}
	if !refused(wr.out.Status) {
		status.Detail = []string{"invalidated"}
		if wr.invalidate() != nil {
			status.Detail = []string{"invalidation-pending"}
		}
	}
	if wr.out.Sent != nil {
		wr.out.Sent.Add("Cache-Status", status.String())
	}
}

// invalidate drops what the rule and the handler name, in one call. A failure
// has been logged and is being retried; the answer to the write stands.
func (wr *write) invalidate() error {
	return wr.route.drop(wr.ctx, append(wr.targets[:len(wr.targets):len(wr.targets)], wr.control.added()...))
}

// refused reports whether a write was turned down, so that nothing has changed.
func refused(status int) bool { return status >= 400 && status < 500 }
