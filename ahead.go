package freshet

import (
	"context"
	"net/http"
	"time"

	"github.com/freshet-dev/freshet/internal/background"
)

// spread is the part of RefreshAhead, one in so many, over which processes that all
// wait to load the same answer again are spread.
const spread = 4

// expect has the answer to q, for which r is being answered with e, loaded again
// before its lifetime ends.
func (rt *route) expect(w http.ResponseWriter, r *http.Request, q *query, e *Entry) {
	c, ahead, loaded := rt.cache, rt.plan.RefreshAhead, &Entry{Loaded: e.Loaded} // and not its body
	due := e.Loaded.Add(e.Fresh - e.Age - ahead)
	if !c.ahead.Wants(q.identity, due) || q.home.Credentialed || !background.Small(r) {
		return
	}
	front := w.Header().Clone()
	v := &visit{route: rt, r: background.Request(context.WithoutCancel(r.Context()), r), query: *q}
	c.ahead.Expect(q.identity, due, ahead/spread, func(ctx context.Context) {
		found, err := c.look(ctx, &v.query)
		// What is gone has been invalidated, and what was loaded since is not due.
		if err != nil || !found.fresh(time.Now()) || !found.Entry.alike(loaded) {
			return
		}
		v.found, v.start = found, time.Now()
		if run := v.reload(front); run != nil {
			run()
		}
	})
}

// refreshAhead checks the field of that name.
func (c *compiler) refreshAhead() {
	switch {
	case c.RefreshAhead < 0 || c.RefreshAhead > 0 && c.RefreshAhead >= c.TTL:
		c.fail("RefreshAhead", "%v is out of range: use less than the TTL, which is %v, or 0 for none", c.RefreshAhead, c.TTL)
	case c.RefreshAhead > 0 && !c.lasts():
		// What it is asked is a request that is long over.
		c.fail("RefreshAhead", "Params may know nothing of a request that has been answered: use StaleWhileRevalidate, or see ParamsLast")
	}
}
