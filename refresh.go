package freshet

import (
	"context"
	"net/http"
	"time"

	"github.com/freshet-dev/freshet/internal/background"
	"github.com/freshet-dev/freshet/internal/capture"
	"github.com/freshet-dev/freshet/internal/memo"
	"github.com/freshet-dev/freshet/internal/rfc9111"
)

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
	if c.memo.Has(v.identity, memo.Failing) || c.memo.Has(v.identity, memo.Uncacheable) {
		return nil // it would be the same for every request
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
				v.fails(true)
				c.logPanic(value)
			}
		}()
		other.start = time.Now()
		other.event(EventRefresh, "", nil)
		other.miss(true)
	}
}

// behind runs what goes on after the request has been answered. A router that is
// asked for parameters keeps them in what it uses again for other requests, so that
// a handler under it has to end before the request does: then the answer is sent, and
// the request stays.
func (v *visit) behind(run func()) {
	if v.route.plan.lasts() {
		go run()
		return
	}
	// One that cannot be flushed is sent when the request returns.
	_ = http.NewResponseController(v.w).Flush()
	run()
}

// await loads the answer in a goroutine that the request leaves when its time is
// over. The handler goes on, and its answer is stored.
func (v *visit) await() {
	c, p := v.route.cache, v.route.plan
	stale := func() {
		v.fails(true)
		v.stale("timeout", &rfc9111.Status{Forward: "stale", Detail: []string{"timeout"}})
	}
	var limits []background.Limit
	if p.SoftTimeout > 0 && v.use.OnError {
		limits = append(limits, background.Limit{At: v.start.Add(p.SoftTimeout), Ready: v.stands, Answer: stale})
	}
	if p.HardTimeout > 0 {
		limits = append(limits, background.Limit{At: v.start.Add(p.HardTimeout), Answer: func() {
			if v.use.OnError && v.stands() {
				stale()
				return
			}
			v.refuse("timeout")
		}})
	}
	rest := c.runs.Await(v.identity, v.w, v.r, limits, func(w http.ResponseWriter, r *http.Request, leads func()) {
		other := v.on(w, r)
		other.leads = leads
		other.load()
	})
	if rest != nil {
		v.behind(func() { c.logPanic(rest()) })
	}
}

// lasts reports whether a request is good for its handler when it has been answered.
func (p *plan) lasts() bool { return p.Params == nil || p.ParamsLast }
