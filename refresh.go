package freshet

import (
	"context"
	"errors"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/freshet-dev/freshet/internal/background"
	"github.com/freshet-dev/freshet/internal/capture"
	"github.com/freshet-dev/freshet/internal/memo"
	"github.com/freshet-dev/freshet/internal/rfc9111"
)

// errTimeout ends what a request has waited for that does not wait any more.
var errTimeout = errors.New("freshet: the handler has not answered in time")

// on returns the visit as it goes on elsewhere, on a request of its own.
func (v *visit) on(w http.ResponseWriter, r *http.Request) *visit {
	other := *v
	other.w, other.r = w, r
	return &other
}

// refresh loads the answer again behind the back of a request that has been
// answered. The load is shared like any other, so that there is one of it, and is
// filled under a stamp from before it:
//
//  1. a request looks its entry up, with the stamp, and is answered
//  2. the refresh runs the handler, which reads the data
//  3. the data is changed, and its invalidation returns
//  4. the refresh fills: the store refuses it, or never serves it
//
// front is what middleware in front has set, from before the answer.
func (v *visit) refresh(front http.Header) {
	if run := v.reload(front); run != nil {
		v.behind(run)
	}
}

// reload returns what refresh runs, nil if it is not to be.
func (v *visit) reload(front http.Header) (run func()) {
	c := v.route.cache
	if c.memo.Has(v.identity, memo.Failing) {
		return nil
	}
	ctx, cancel := context.WithCancelCause(context.WithoutCancel(v.r.Context()))
	end, ok := c.runs.Begin(v.identity, cancel)
	if !ok {
		cancel(nil)
		return nil
	}
	other := v.on(capture.Nowhere(front), background.Request(ctx, v.r))
	other.use.Requested, other.anew = false, false
	return func() {
		defer cancel(nil)
		defer end()
		defer func() {
			if value := recover(); value != nil {
				c.memo.Note(v.identity, memo.Failing, retryPause)
				c.logPanic(value)
			}
		}()
		other.start = time.Now()
		other.event(EventRefresh, "", nil)
		other.miss()
	}
}

// behind runs what goes on after the request has been answered. A router that is
// asked for parameters keeps them in what it uses again for other requests, so that
// a handler under it has to end before the request does: then the answer is sent, and
// the request stays.
func (v *visit) behind(run func()) {
	if v.route.plan.Params == nil {
		go run()
		return
	}
	// One that cannot be flushed is sent when the request returns.
	_ = http.NewResponseController(v.w).Flush()
	run()
}

// await loads the answer in a goroutine that the request can leave when its time is
// over. The handler goes on, and its answer is stored.
func (v *visit) await() {
	ctx, cancel := context.WithCancelCause(context.WithoutCancel(v.r.Context()))
	// Until then the client's leaving counts as ever.
	unwatch := context.AfterFunc(v.r.Context(), func() { cancel(context.Cause(v.r.Context())) })
	gate := capture.NewGate(v.w)
	other := v.on(gate, v.r.Clone(ctx))
	var leading atomic.Bool
	other.leads = func() { leading.Store(true) }
	done := make(chan any, 1)
	go func() {
		defer func() { done <- recover() }()
		other.load()
	}()
	finish := func(value any) {
		unwatch()
		cancel(nil)
		if value != nil {
			panic(value)
		}
	}
	for _, limit := range v.limits() {
		timer := time.NewTimer(time.Until(v.start.Add(limit.after)))
		select {
		case value := <-done:
			timer.Stop()
			finish(value)
			return
		case <-timer.C:
		}
		if limit.stale && !v.stands() || !gate.Detach() {
			continue
		}
		unwatch()
		v.late(limit.stale)
		v.leave(leading.Load(), cancel, done)
		return
	}
	finish(<-done)
}

// limit is how long a request waits, and whether it then gets what is stale.
type limit struct {
	after time.Duration
	stale bool
}

func (v *visit) limits() (all []limit) {
	p := v.route.plan
	if p.SoftTimeout > 0 && v.use.OnError {
		all = append(all, limit{p.SoftTimeout, true})
	}
	if p.HardTimeout > 0 {
		all = append(all, limit{p.HardTimeout, false})
	}
	return all
}

// late answers a request whose time is over.
func (v *visit) late(stale bool) {
	if !stale && !(v.use.OnError && v.stands()) {
		v.refuse("timeout")
		return
	}
	v.route.cache.memo.Note(v.identity, memo.Failing, retryPause)
	v.stale("timeout", &rfc9111.Status{Forward: "stale", Detail: []string{"timeout"}})
}

// leave leaves the load to itself. One that waits for another's has nothing to wait
// for any more.
func (v *visit) leave(leading bool, cancel context.CancelCauseFunc, done <-chan any) {
	end, ok := func() {}, false
	if leading {
		end, ok = v.route.cache.runs.Begin(v.identity, cancel)
	}
	if !ok {
		cancel(errTimeout)
		end = func() {}
	}
	v.behind(func() {
		defer cancel(nil)
		defer end()
		v.route.cache.logPanic(<-done)
	})
}
