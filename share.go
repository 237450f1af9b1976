package freshet

import (
	"context"
	"slices"
	"time"

	"github.com/freshet-dev/freshet/internal/flight"
)

// answer is what became of a shared load.
type answer struct {
	entry *Entry
	// led says that this request ran the load itself: load has dealt with it.
	led bool
	// hit says that the entry came from the store, loaded by another process
	// while this request waited for it.
	hit bool
}

// loader runs a load and returns what may be shared of it: nil when nothing
// may. land may be called early, by a load that finds out half-way that nothing
// will be shared; those who wait then stop waiting.
type loader func(ctx context.Context, stamp Stamp, land func()) *Entry

// moment tells which invalidations came before a request or a load: those that
// the store has taken, and those that this process owes it.
type moment struct {
	Stamp
	owed uint64
}

// reaches reports whether what began at m has seen all that came before other.
func (m moment) reaches(other moment) bool {
	return m.Incarnation == other.Incarnation && m.Version >= other.Version && m.owed >= other.owed
}

// share gets the answer to q, for which found is a miss: by a load that is under
// way, in this process or another, or by load. Whoever gets an answer without an
// entry, and has not led, has to load alone. The error is the cause of ctx.
//
// A waiter shares a load only if no invalidation between the beginning of the
// load and its own covers it:
//
//  1. a load begins and reads the old data
//  2. an invalidation of what it reads returns
//  3. a request begins, misses, and finds the load still under way
//
// Step 3 has seen the invalidation, in its stamp or among those owed, and step 1
// has not. So the load's moment does not reach the request's, and then the store
// is asked: on boarding, by what is known of the answer, which is its key and
// the rule's tags, and on landing by the tags that the handler has added.
//
// A load that asks for what it is itself loading, or for another answer under the
// same key, would wait for itself: for its flight, or for its lease. It loads
// alone.
func (c *Cache) share(ctx context.Context, q *query, tags []string, found Found, load loader) (answer, error) {
	if flight.Loading(ctx, [2]any{c, q.Ref}) {
		return answer{}, nil
	}
	// Read before a load can begin, and after the request has: for the one who
	// leads an owed invalidation may be missed, for the one who waits none is.
	now := moment{found.Stamp, c.guard.owed.Added()}
	// The first failure may have been the leader's own trouble: one waiter takes
	// over. After the second, each is on its own and none waits for the other.
	for range 2 {
		f, leader := c.flights.Enter(ctx, string(q.identity[:]), now, func(began moment) bool {
			return began.reaches(now) || c.guard.valid(ctx, q.Ref, tags, began.Stamp)
		})
		switch {
		case leader:
			// Deferred, so that a panic or an abort lands the flight too.
			defer f.End()
			defer f.Land(nil, false)
			a, ok := c.lead(f.Context(), q, tags, found, load, func(e *Entry) { f.Land(e, true) })
			if !ok {
				return answer{}, context.Cause(ctx)
			}
			return a, nil
		case f == nil:
			return answer{}, nil
		}
		e, ok, err := f.Wait(ctx)
		switch {
		case err != nil:
			return answer{}, err
		case ok && e == nil:
			return answer{}, nil // it is not one to share
		case ok && (f.Stamp().reaches(now) || slices.Equal(e.Tags, tags) || c.guard.valid(ctx, q.Ref, e.Tags, e.Stamp)):
			return answer{entry: e}, nil
		}
	}
	return answer{}, nil
}

// lead loads the answer, once no other process is doing so. ok is false if
// everybody had gone before the load could begin.
func (c *Cache) lead(ctx context.Context, q *query, tags []string, found Found, load loader, land func(*Entry)) (a answer, ok bool) {
	lease, found, unfit := c.await(ctx, q, tags, found)
	if unfit {
		land(nil)
	}
	// After a panic the others should look again and take over, not give up.
	shared := true
	release := func() {
		if lease != nil {
			// The load's context may have ended with those who waited for it.
			lease.Release(context.WithoutCancel(ctx), shared)
			lease = nil
		}
	}
	defer release()
	if found.Entry != nil {
		land(found.Entry)
		return answer{entry: found.Entry, hit: true}, true
	}
	if ctx.Err() != nil {
		return answer{}, false
	}
	e := load(flight.WithLoading(ctx, [2]any{c, q.Ref}), found.Stamp, func() {
		shared = false
		land(nil)
		release()
	})
	shared = e != nil
	land(e)
	return answer{led: true}, true
}

// await waits while another process holds the lease on q, and returns either a
// lease of this process, or what the other has stored, or neither. unfit says
// that the other has found its answer unfit for sharing.
func (c *Cache) await(ctx context.Context, q *query, tags []string, found Found) (lease Lease, _ Found, unfit bool) {
	// Bounded, as share is: an answer that is never there to be found is not
	// loaded by one process after another.
	for range 3 {
		lease = c.guard.lease(ctx, q.Ref, tags, found.Stamp)
		if lease == nil {
			return nil, found, false
		}
		shared := true
		if !lease.Held() {
			var err error
			if shared, err = lease.Wait(ctx); err != nil {
				return nil, found, false
			}
		}
		// The holder looks again, too: another may have filled and released
		// between the look from before and the lease.
		// Without a new stamp the old one serves: it only makes the fill more
		// likely to be refused.
		again, err := c.guard.lookup(ctx, q.Ref)
		if err == nil {
			found = c.own(q, again)
		}
		switch {
		case lease.Held():
			return lease, found, false
		case err != nil, found.Entry != nil, !shared:
			return nil, found, !shared && found.Entry == nil
		}
	}
	return nil, found, false
}

// own turns an entry that was made for another request into a miss.
func (c *Cache) own(q *query, found Found) Found {
	if found.Entry != nil && found.Entry.Identity != q.identity {
		found.Entry, found.Reason = nil, Absent
	}
	return found
}

// keep stores e for q, the result of a load under ctx. It returns what to show
// in Cache-Status: "stored", or why not.
func (c *Cache) keep(ctx context.Context, rule string, q *query, stamp Stamp, e *Entry) string {
	if ctx.Err() != nil {
		// Everybody has gone, and the load was told so: what it made of the
		// data that it could no longer read may look like an answer.
		c.observe(Event{Kind: EventFill, Rule: rule, Key: q.Key, Reason: "abandoned"})
		return "abandoned"
	}
	start := time.Now()
	outcome, err := c.guard.fill(context.WithoutCancel(ctx), q.Ref, stamp, e)
	word := outcome.String()
	if err != nil {
		word = "store-error"
	}
	c.observe(Event{Kind: EventFill, Rule: rule, Key: q.Key, Reason: word, Elapsed: time.Since(start), Err: err})
	return word
}
