package freshet

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"

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
	store    Store
	leaser   Leaser   // nil where no other process shares the store
	intender Intender // nil where the store does not outlive the process

	*owed.Delivery[Target]
	// unrecorded says that the store did not take the latest intent.
	unrecorded atomic.Bool
}

// mostOwed bounds what is kept for a store that takes no invalidations; beyond
// it, everything is invalidated, which covers them all.
const mostOwed = 10_000

var (
	errOpen = errors.New("freshet: the store is failing and is left alone until it answers again")
	errOwed = errors.New("freshet: an invalidation that covers this is still being delivered")
)

func newGuard(store Store, log *slog.Logger, observe func(Event)) *guard {
	g := &guard{store: store}
	g.leaser, _ = store.(Leaser)
	g.intender, _ = store.(Intender)
	g.Delivery = owed.NewDelivery(owed.Store[Target]{
		Probe: func(ctx context.Context) error {
			_, err := store.Lookup(ctx, Ref{Key: "freshet:probe"})
			return err
		},
		Take: func(ctx context.Context, targets []Target) error {
			_, err := store.Invalidate(ctx, targets)
			return err
		},
	}, owed.New(All(), Target.outlasting, mostOwed), log, func(err error) { observe(Event{Kind: EventStore, Err: err}) })
	return g
}

// lookup asks the store for ref. An error means that the request has to be
// answered without it.
func (g *guard) lookup(ctx context.Context, ref Ref) (Found, error) {
	if g.Open() {
		return Found{}, errOpen
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
		return Expired, errOpen
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

// lease asks for a lease on ref. It returns nil where none is needed, and where
// none is to be had.
func (g *guard) lease(ctx context.Context, ref Ref, tags []string, stamp Stamp) Lease {
	if g.leaser == nil || g.Open() {
		return nil
	}
	l, err := g.leaser.Lease(ctx, ref, tags, stamp)
	if g.Limit(ctx, err) != nil {
		return nil
	}
	return l
}

// record puts targets on record: by intent, or by a new one if that is nil. It
// returns the intent that is to be ended, which is nil if there is none.
func (g *guard) record(ctx context.Context, intent Intent, targets []Target) (Intent, error) {
	err := errOpen
	switch {
	case g.Open():
	case intent == nil:
		if intent, err = g.intender.Intend(ctx, targets); err != nil {
			intent = nil
		}
	default:
		err = intent.Add(ctx, targets)
	}
	if g.unrecorded.Swap(err != nil) != (err != nil) {
		g.Tell(err, "freshet: writes are not put on record; one whose process dies may leave stale entries", "freshet: writes are put on record again")
	}
	return intent, g.Limit(ctx, err)
}

// invalidate hands targets to the store, and owes them when it does not take
// them. They are owed before the error is returned. intent, if not nil, is ended.
func (g *guard) invalidate(ctx context.Context, intent Intent, targets []Target) (Version, error) {
	take, err := g.store.Invalidate, errOpen
	if intent != nil {
		take = intent.Invalidate
	}
	ctx, open, end := g.brief(ctx)
	defer end()
	if !open || intent != nil {
		var version Version
		version, err = take(ctx, targets)
		if g.Limit(ctx, err) == nil {
			return version, nil
		}
	}
	g.Owe(targets, err)
	return 0, fmt.Errorf("freshet: the invalidation is being retried, and what it covers is not served meanwhile: %w", err)
}

// withdraw ends intent: nothing has changed.
func (g *guard) withdraw(ctx context.Context, intent Intent) {
	ctx, _, end := g.brief(ctx)
	defer end()
	intent.Withdraw(ctx)
}

// brief returns the context for the end of an intent, which has to be told to the
// store even while that is left alone, or it would keep the record alive for ever.
// The context has ended then, so that nothing waits for the store.
func (g *guard) brief(ctx context.Context) (_ context.Context, open bool, end context.CancelFunc) {
	ctx, end = context.WithCancel(ctx)
	if open = g.Open(); open {
		end()
	}
	return ctx, open, end
}

// close ends the mending and closes the store, after a last attempt to deliver
// what is owed.
func (g *guard) close(ctx context.Context) error {
	first, err := g.Delivery.Close(ctx)
	if !first {
		return nil
	}
	return errors.Join(err, g.store.Close())
}
