package freshet

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/freshet-dev/freshet/internal/owed"
)

// guard stands between the cache and its store, so that trouble with the store
// never becomes trouble of the API, and no invalidation is forgotten.
//
// While the store fails, requests go to their handlers without waiting for it,
// and invalidations are owed: kept here and retried until the store has taken
// them. Nothing that an owed invalidation covers is served or stored by this
// process. One goroutine, alive only while something is wrong, asks the store
// whether it is back; no request ever pays for that question.
type guard struct {
	store   Store
	leaser  Leaser // nil where no other process shares the store
	log     *slog.Logger
	observe func(Event)

	open     atomic.Bool  // the store is left alone until it answers again
	failures atomic.Int32 // failed calls in a row
	owed     *owed.Queue[Target]

	mu      sync.Mutex
	mending bool
	closed  bool
	opened  time.Time // when the store was last taken back; of the mending goroutine

	life context.Context // of the mending: until close
	stop context.CancelFunc
	done sync.WaitGroup
}

const (
	// failuresToOpen in a row make the guard leave the store alone. A call that
	// runs into its time limit does so at once: every further one would take
	// as long.
	failuresToOpen = 3
	// mostOwed bounds what is kept for a store that takes no invalidations;
	// beyond it, everything is invalidated, which covers them all.
	mostOwed = 10_000
	// firstPause and longestPause bound the time between two attempts.
	firstPause   = 50 * time.Millisecond
	longestPause = 2 * time.Second
)

var (
	errOpen = errors.New("freshet: the store is failing and is left alone until it answers again")
	errOwed = errors.New("freshet: an invalidation that covers this is still being delivered")
)

func newGuard(store Store, log *slog.Logger, observe func(Event)) *guard {
	g := &guard{store: store, log: log, observe: observe, owed: owed.New(All(), mostOwed)}
	g.life, g.stop = context.WithCancel(context.Background())
	g.leaser, _ = store.(Leaser)
	return g
}

// lookup asks the store for ref. An error means that the request has to be
// answered without it.
func (g *guard) lookup(ctx context.Context, ref Ref) (Found, error) {
	if g.open.Load() {
		return Found{}, errOpen
	}
	for {
		// The count is read first. If owed invalidations are delivered while
		// the store is being asked, its answer may be from before they were,
		// and the bans that would tell are gone: then ask again.
		paid := g.owed.Paid()
		if g.owed.Covers(ref.Key, nil) {
			return Found{}, errOwed
		}
		found, err := g.store.Lookup(ctx, ref)
		if err = g.report(ctx, err); err != nil {
			return Found{}, err
		}
		if found.Entry == nil || len(found.Entry.Tags) == 0 {
			return found, nil
		}
		if g.owed.Covers(ref.Key, found.Entry.Tags) {
			return Found{}, errOwed
		}
		if g.owed.Paid() == paid {
			return found, nil
		}
	}
}

// fill stores e, unless an owed invalidation covers it: its load may have begun
// before the change that the store has not heard of yet.
func (g *guard) fill(ctx context.Context, ref Ref, stamp Stamp, e *Entry) (Outcome, error) {
	if g.open.Load() {
		return Expired, errOpen
	}
	if g.owed.Covers(ref.Key, e.Tags) {
		return Fenced, nil
	}
	outcome, err := g.store.Fill(ctx, ref, stamp, e)
	return outcome, g.slow(ctx, err)
}

func (g *guard) valid(ctx context.Context, ref Ref, tags []string, stamp Stamp) bool {
	if g.open.Load() || g.owed.Covers(ref.Key, tags) {
		return false
	}
	ok, err := g.store.Valid(ctx, ref, tags, stamp)
	return g.slow(ctx, err) == nil && ok
}

// lease asks for a lease on ref. It returns nil where none is needed, and where
// none is to be had.
func (g *guard) lease(ctx context.Context, ref Ref, tags []string, stamp Stamp) Lease {
	if g.leaser == nil || g.open.Load() {
		return nil
	}
	l, err := g.leaser.Lease(ctx, ref, tags, stamp)
	if g.slow(ctx, err) != nil {
		return nil
	}
	return l
}

// invalidate hands targets to the store, and owes them when it does not take
// them. They are owed before the error is returned.
func (g *guard) invalidate(ctx context.Context, targets []Target) (Version, error) {
	err := errOpen
	if !g.open.Load() {
		var version Version
		version, err = g.store.Invalidate(ctx, targets)
		if g.slow(ctx, err) == nil {
			return version, nil
		}
	}
	g.owe(targets, err)
	return 0, fmt.Errorf("freshet: the invalidation is being retried, and what it covers is not served meanwhile: %w", err)
}

// report counts the result of a lookup, the call that tells how the store is.
func (g *guard) report(ctx context.Context, err error) error {
	switch {
	case err == nil:
		if g.failures.Load() != 0 {
			g.failures.Store(0)
		}
	case ctx.Err() != nil:
		// The caller has given up, which says nothing of the store. But if all
		// callers have less patience than a frozen store's time limit, no call
		// ever reaches that limit: so the question is put without a caller.
		g.mend()
	case g.failures.Add(1) >= failuresToOpen:
		g.trip(err)
	default:
		return g.slow(ctx, err)
	}
	return err
}

// slow opens the guard if err says that the store did not answer in time.
func (g *guard) slow(ctx context.Context, err error) error {
	if ctx.Err() == nil && timedOut(err) {
		g.trip(err)
	}
	return err
}

// timedOut reports whether err is of a time limit: the context's, or one that
// a store has set on its connections.
func timedOut(err error) bool {
	var limit interface{ Timeout() bool }
	return errors.As(err, &limit) && limit.Timeout()
}

func (g *guard) trip(err error) {
	if g.open.CompareAndSwap(false, true) {
		g.log.Error("freshet: the store fails; requests go to their handlers until it answers again", "error", err)
		g.observe(Event{Kind: EventStore, Err: err})
	}
	g.mend()
}

func (g *guard) owe(targets []Target, err error) {
	if g.owed.Add(targets) {
		g.log.Error("freshet: the store does not take invalidations; they are retried", "error", err)
		g.observe(Event{Kind: EventStore, Err: err})
	}
	g.mend()
}

// mend starts the goroutine that waits for the store, unless there is one.
func (g *guard) mend() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.mending || g.closed {
		return
	}
	g.mending = true
	g.done.Go(g.run)
}

func (g *guard) run() {
	pause := firstPause
	if time.Since(g.opened) < 2*longestPause {
		// A store that answers the probe and little else: were it tried again
		// at once, requests would keep running into its time limit.
		pause = longestPause
	}
	for ; ; pause = min(2*pause, longestPause) {
		select {
		case <-g.life.Done():
			return
		case <-time.After(pause):
		}
		if g.attempt(g.life) == nil && g.settle() {
			return
		}
	}
}

// attempt asks the store for something, and hands it what is owed.
func (g *guard) attempt(ctx context.Context) error {
	_, err := g.store.Lookup(ctx, Ref{Key: "freshet:probe"})
	if err = g.report(ctx, err); err != nil {
		return err
	}
	err = g.slow(ctx, g.deliver(ctx))
	if !timedOut(err) {
		// It answers, though perhaps it takes no writes: reads may use it.
		g.reopen()
	}
	return err
}

// deliver hands the store what is owed.
func (g *guard) deliver(ctx context.Context) error {
	for {
		targets, number := g.owed.Batch(500)
		if len(targets) == 0 {
			return nil
		}
		if _, err := g.store.Invalidate(ctx, targets); err != nil {
			return err
		}
		if g.owed.Pay(targets, number) {
			g.log.Info("freshet: the store has taken all invalidations")
			g.observe(Event{Kind: EventStore})
		}
	}
}

func (g *guard) reopen() {
	if g.open.CompareAndSwap(true, false) {
		g.opened = time.Now()
		g.log.Info("freshet: the store answers again")
		g.observe(Event{Kind: EventStore})
	}
}

// settle ends the mending, unless there is something to mend again.
func (g *guard) settle() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.mending = g.owed.Len() > 0 || g.open.Load()
	return !g.mending
}

// close ends the mending and closes the store, after a last attempt to deliver
// what is owed.
func (g *guard) close(ctx context.Context) error {
	g.mu.Lock()
	again := g.closed
	g.closed = true
	g.mu.Unlock()
	if again {
		return nil
	}
	g.stop()
	mended := make(chan struct{})
	go func() { g.done.Wait(); close(mended) }()
	select {
	case <-mended:
	case <-ctx.Done(): // a call to a frozen store ends with the store
	}
	err := g.deliver(ctx)
	if err != nil {
		err = fmt.Errorf("freshet: %d invalidations could not be delivered: %w", g.owed.Len(), err)
	}
	return errors.Join(err, g.store.Close())
}
