package background

import (
	"context"
	"errors"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/freshet-dev/freshet/internal/capture"
)

// ErrTimeout ends what a request has waited for that does not wait any more, and that
// is not to go on without it.
var ErrTimeout = errors.New("freshet: the handler has not answered in time")

// Limit is a time at which a request stops waiting for its load. Ready, unless it is
// nil, reports whether Answer has anything to answer it by; otherwise it waits on.
type Limit struct {
	At     time.Time
	Ready  func() bool
	Answer func()
}

// Await has load answer req, with a writer and a request of its own, and waits for it
// until one of limits. A load that calls leads goes on then, as a run of id, for those
// who come later; any other ends. Until then the client's leaving ends it, too. A panic
// of load is the caller's.
//
// After a limit, rest waits for the end of the load and returns what it has panicked
// with. It is nil if the load has ended.
func (r *Runs) Await(id [32]byte, w http.ResponseWriter, req *http.Request, limits []Limit,
	load func(w http.ResponseWriter, r *http.Request, leads func()),
) (rest func() any) {
	ctx, cancel := context.WithCancelCause(context.WithoutCancel(req.Context()))
	unwatch := context.AfterFunc(req.Context(), func() { cancel(context.Cause(req.Context())) })
	gate, leading, done := capture.NewGate(w), new(atomic.Bool), make(chan any, 1)
	own := req.Clone(ctx)
	go func() {
		defer func() { done <- recover() }()
		load(gate, own, func() { leading.Store(true) })
	}()
	for _, limit := range limits {
		late := time.NewTimer(time.Until(limit.At))
		select {
		case value := <-done:
			late.Stop()
			unwatch()
			cancel(nil)
			raise(value)
			return nil
		case <-late.C:
		}
		if (limit.Ready == nil || limit.Ready()) && gate.Detach() {
			unwatch()
			limit.Answer()
			return r.leave(id, leading.Load(), cancel, done)
		}
	}
	value := <-done
	unwatch()
	cancel(nil)
	raise(value)
	return nil
}

// raise panics with what another goroutine has panicked with.
func raise(value any) {
	if value != nil {
		panic(value)
	}
}

// leave leaves a load to itself. One that waits for another's has nothing to wait for
// any more, and one that finds no place cannot go on.
func (r *Runs) leave(id [32]byte, leading bool, cancel context.CancelCauseFunc, done <-chan any) (rest func() any) {
	end, ok := func() {}, false
	if leading {
		end, ok = r.Begin(id, cancel)
	}
	if !ok {
		cancel(ErrTimeout)
		end = func() {}
	}
	return func() any {
		defer cancel(nil)
		defer end()
		return <-done
	}
}
