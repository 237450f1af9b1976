package freshet

import (
	"context"
	"net/http"

	"github.com/freshet-dev/freshet/internal/capture"
	"github.com/freshet-dev/freshet/internal/resolve"
	"github.com/freshet-dev/freshet/internal/rfc9111"
)

// write is a request that changes something.
type write struct {
	change
	out      *capture.Writer
	returned bool // the handler has
}

// write runs a handler that changes something and invalidates what it affects.
// The invalidation has happened before the first byte of the answer can reach
// the client, so that nobody who has heard of the change is shown the state
// before it.
func (rt *route) write(w http.ResponseWriter, r *http.Request) {
	p := rt.plan
	// Resolved first: the handler may change the request.
	wr := &write{change: change{cache: rt.cache, rule: p.Name, targets: p.targets(r), fence: p.FenceFor}}
	if wr.begin(r.Context(), p.NoIntent) != nil {
		refuse(w)
		return
	}
	wr.out = capture.New(w, p.MaxBody, wr.before)
	settled := false
	defer func() {
		if !settled {
			// The handler has panicked, and who knows what it had changed.
			_, _ = wr.finish()
		}
	}()
	rt.next.ServeHTTP(wr.out, r.WithContext(wr.ctx))
	wr.returned = true
	if wr.out.Passing() {
		// Its answer began to go out while it was still at work: what it has
		// changed since is not covered by the invalidation from before.
		_ = wr.settle()
	}
	wr.out.Finish()
	settled = true
}

// targets resolves what a write to r invalidates: its own key and the lists.
func (p *plan) targets(r *http.Request) (all []Target) {
	p.requests.Write(r, func(kind resolve.Kind, text string) {
		all = append(all, Target{Kind: TargetKind(kind), Value: text})
	})
	return all
}

// before runs right before anything of the answer goes out.
func (wr *write) before() {
	status := rfc9111.Status{Forward: "method"}
	if err := wr.settle(); err != nil {
		status.Detail = []string{"invalidation-pending"}
	} else if !refused(wr.out.Status) {
		status.Detail = []string{"invalidated"}
	}
	if wr.out.Sent != nil {
		wr.out.Sent.Add("Cache-Status", status.String())
	}
}

// settle draws the consequence of the answer's status. While the handler is at work
// the record stays. A failure has been logged and is being retried; the answer to
// the write stands.
func (wr *write) settle() error {
	switch {
	case !wr.returned && refused(wr.out.Status):
		return nil
	case !wr.returned:
		return wr.invalidate()
	case refused(wr.out.Status):
		wr.record.Withdraw(context.WithoutCancel(wr.ctx))
		return nil
	default:
		_, err := wr.finish()
		return err
	}
}

// refused reports whether a write was turned down, so that nothing has changed.
func refused(status int) bool { return status >= 400 && status < 500 }

// retryAfter is in seconds: by then a failing store has been asked once more.
const retryAfter = "2"

// refuse answers a write that must not be made: its invalidation is not on record.
func refuse(w http.ResponseWriter) {
	status := rfc9111.Status{Forward: "method", Detail: []string{"refused"}}
	w.Header().Add("Cache-Status", status.String())
	w.Header().Set("Retry-After", retryAfter)
	http.Error(w, "the change cannot be put on record", http.StatusServiceUnavailable)
}
