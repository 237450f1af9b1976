package freshet

import (
	"context"
	"slices"
	"time"

	"github.com/freshet-dev/freshet/internal/flight"
	"github.com/freshet-dev/freshet/internal/lease"
)

// answer is what became of a shared load.
type answer struct {
	entry *Entry
	// led says that this request ran the load itself: load has dealt with it.
	led bool
	// hit says that the entry came from the store, loaded by another process
	// while this request waited for it, or by a flight that has just landed.
	hit bool
}

// loader runs a load that begins from what has been found, a stamp and maybe a stale
// entry, and returns what may be shared of it: nil when nothing may. land may be called early, by a load that finds out half-way that nothing
// will be shared; those who wait then stop waiting.
type loader func(ctx context.Context, found Found, land func()) *Entry

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

// share gets the answer to q, for which found is a miss, or what has to be loaded
// again: by a load that is under
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
// Where the store cannot be asked there is no stamp, and nobody knows what other
// processes have invalidated. A request then shares only a load that begins after
// it, which has seen all that had been invalidated when the request came. So does
// one whose client wants an answer made anew.
//
// A load that asks for what it is itself loading, or for another answer under the
// same key, would wait for itself: for its flight, or for its lease. It loads
// alone.
func (c *Cache) share(ctx context.Context, q *query, tags []string, found Found, load loader) (a answer, err error) {
	// A look-up may also have failed for the end of ctx: nobody waits then.
	if flight.Loading(ctx, [2]any{c, q.Ref}) || q.bypass != "" && ctx.Err() != nil {
		return answer{}, nil
	}
	// Read before a load can begin, and after the request has: for the one who
	// leads an owed invalidation may be missed, for the one who waits none is.
	now := moment{found.Stamp, c.guard.Added()}
	group, terms := &c.flights, flight.Terms[moment, *Entry]{
		Admit: func(began moment) bool {
			return began.reaches(now) || c.guard.valid(ctx, q.Ref, tags, began.Stamp)
		},
		Accept: func(began moment, e *Entry) bool {
			return e == nil || began.reaches(now) || slices.Equal(e.Tags, tags) || c.guard.valid(ctx, q.Ref, e.Tags, e.Stamp)
		},
		Lead: func(f *voyage) { a = c.lead(f, q, tags, found, load) },
	}
	if q.bypass != "" || q.anew {
		group, terms = &c.batches, flight.Terms[moment, *Entry]{Lead: func(f *voyage) { a = c.leadNext(f, q, found, load) }}
	}
	e, led, err := group.Share(ctx, string(q.identity[:]), now, terms)
	switch {
	case !led:
		a.entry = e
	case a == answer{} && ctx.Err() != nil:
		err = context.Cause(ctx) // everybody had gone before the load could begin
	}
	return a, err
}

// voyage is one load that requests share.
type voyage = flight.Flight[moment, *Entry]

// lead loads the answer, once no other process is doing so.
func (c *Cache) lead(f *voyage, q *query, tags []string, found Found, load loader) answer {
	ctx, seen := f.Context(), found.Entry
	// What has been found before is to be loaded again, however fresh it is.
	hit := func(found Found) bool {
		return found.fresh(time.Now()) && (seen == nil || !found.Entry.same(seen))
	}
	source := lease.Source[Found]{
		Lease: func(found Found) lease.Lease { return c.guard.lease(ctx, q.Ref, tags, found.Stamp) },
		Look:  func() (Found, error) { return c.look(ctx, q) },
		Hit:   hit,
	}
	found, loaded := source.Load(ctx, found, func() { f.Land(nil, true) }, func(found Found, early func()) bool {
		e := load(flight.WithLoading(ctx, [2]any{c, q.Ref}), found, early)
		f.Land(e, true)
		return e != nil
	})
	switch {
	case loaded:
		return answer{led: true}
	case !hit(found):
		return answer{} // everybody has gone
	}
	f.Land(found.Entry, true)
	return answer{entry: found.Entry, hit: true}
}

// leadNext loads the answer, without asking the store for another's, after the load
// that is under way.
func (c *Cache) leadNext(f *voyage, q *query, found Found, load loader) answer {
	before, ok := f.Depart()
	ctx, unfit := f.Context(), func() { f.Land(nil, true) }
	switch {
	case ctx.Err() != nil:
		return answer{}
	case ok && before == nil:
		// Nor will this one be fit for sharing: all who have waited load at once,
		// not one after the other.
		unfit()
		return answer{}
	}
	f.Land(load(flight.WithLoading(ctx, [2]any{c, q.Ref}), found, unfit), true)
	return answer{led: true}
}

// keep stores e for q, the result of a load under ctx. It returns what to show
// in Cache-Status: "stored", which events call as, or why not.
func (c *Cache) keep(ctx context.Context, rule string, q *query, e *Entry, as string) string {
	if q.bypass != "" {
		return q.bypass // and there is no stamp to store it under
	}
	start, word, err := time.Now(), "abandoned", error(nil)
	// Where ctx has ended, everybody has gone, and the load was told so: what it made
	// of the data that it could no longer read may look like an answer.
	if ctx.Err() == nil {
		var outcome Outcome
		if outcome, err = c.fill(context.WithoutCancel(ctx), q, e); err != nil {
			word = "store-error"
		} else {
			word = outcome.String()
		}
	}
	event := Event{Kind: EventFill, Rule: rule, Key: q.Key, Reason: word, Elapsed: time.Since(start), Err: err}
	if word == Stored.String() {
		event.Reason = as
	}
	c.observe(event)
	return word
}

// fill stores e for q, and the marker that leads to it if it needs one.
func (c *Cache) fill(ctx context.Context, q *query, e *Entry) (Outcome, error) {
	if len(q.names) > 0 {
		if outcome, err := c.mark(ctx, q, e.Stamp, e.TTL); err != nil || outcome != Stored {
			return outcome, err
		}
	}
	return c.guard.fill(ctx, q.Ref, e.Stamp, e)
}
