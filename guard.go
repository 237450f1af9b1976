package freshet

import (
	"context"
	"errors"
	"log/slog"

	"github.com/freshet-dev/freshet/internal/delivery"
	"github.com/freshet-dev/freshet/internal/lease"
	"github.com/freshet-dev/freshet/internal/owed"
)

// guard stands between the cache and its store, so that trouble with the store
// never becomes trouble of the API, and no invalidation is forgotten.
//
// While the store fails, requests go to their handlers without waiting for it,
// and invalidations are owed: kept here and retried until the store has taken
// them. Nothing that an owed invalidation covers is served or stored by this
// process.
type guard struct {
	store  Store
	leaser Leaser // nil where no other process shares the store
	*delivery.Delivery[Target, Version]
}

// record is what is on record of a change ([Intender]).
type record = delivery.Record[Target, Version]

// mostOwed bounds what is kept for a store that takes no invalidations; beyond
// it, everything is invalidated, which covers them all.
const mostOwed = 10_000

var errOwed = errors.New("freshet: an invalidation that covers this is still being delivered")

func newGuard(store Store, log *slog.Logger, observe func(Event)) *guard {
	g := &guard{store: store}
	g.leaser, _ = store.(Leaser)
	taker := delivery.Store[Target, Version]{
		Probe: func(ctx context.Context) error {
			_, err := store.Lookup(ctx, Ref{Key: "freshet:probe"})
			return err
		},
		Invalidate: store.Invalidate,
	}
	if i, ok := store.(Intender); ok {
		taker.Intend = func(ctx context.Context, targets []Target) (delivery.Intent[Target, Version], error) {
			return i.Intend(ctx, targets)
		}
	}
	queue := owed.New(All(), Target.outlasting, mostOwed)
	g.Delivery = delivery.New(taker, queue, log, func(err error) { observe(Event{Kind: EventStore, Err: err}) })
	return g
}

// lookup asks the store for ref. An error means that the request has to be
// answered without it.
func (g *guard) lookup(ctx context.Context, ref Ref) (Found, error) {
	if g.Open() {
		return Found{}, delivery.ErrOpen
	}
	for {
		// The count is read first. If owed invalidations are delivered while
		// the store is being asked, its answer may be from before they were,
		// and the bans that would tell are gone: then ask again.
		paid := g.Paid()
		if g.Covers(ref.Key, nil) {
			return Found{}, errOwed
		}
		found, err := g.store.Lookup(ctx, ref)
		if err = g.Health(ctx, err); err != nil {
			return Found{}, err
		}
		if found.Entry == nil || len(found.Entry.Tags) == 0 {
			return found, nil
		}
		if g.Covers(ref.Key, found.Entry.Tags) {
			return Found{}, errOwed
		}
		if g.Paid() == paid {
			return found, nil
		}
	}
}

// fill stores e, unless an owed invalidation covers it: its load may have begun
// before the change that the store has not heard of yet.
func (g *guard) fill(ctx context.Context, ref Ref, stamp Stamp, e *Entry) (Outcome, error) {
	if g.Open() {
		return Expired, delivery.ErrOpen
	}
	if g.Covers(ref.Key, e.Tags) {
		return Fenced, nil
	}
	outcome, err := g.store.Fill(ctx, ref, stamp, e)
	return outcome, g.Limit(ctx, err)
}

func (g *guard) valid(ctx context.Context, ref Ref, tags []string, stamp Stamp) bool {
	if g.Open() || g.Covers(ref.Key, tags) {
		return false
	}
	ok, err := g.store.Valid(ctx, ref, tags, stamp)
	return g.Limit(ctx, err) == nil && ok
}

// lease asks for a lease on ref. It returns nil where none is to be had.
func (g *guard) lease(ctx context.Context, ref Ref, tags []string, stamp Stamp) Lease {
	switch {
	case g.Open():
		return nil
	case g.leaser == nil:
		return lease.Sole{}
	}
	l, err := g.leaser.Lease(ctx, ref, tags, stamp)
	if g.Limit(ctx, err) != nil {
		return nil
	}
	return l
}

// close ends the mending and closes the store, after a last attempt to deliver
// what is owed.
func (g *guard) close(ctx context.Context) error {
	first, err := g.Close(ctx)
	if !first {
		return nil
	}
	return errors.Join(err, g.store.Close())
}
