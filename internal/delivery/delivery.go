// Package delivery sees to it that invalidations reach a store that may fail, from
// a process that may die: they are put on record before the change that makes them
// necessary, and retried until the store has taken them.
package delivery

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync/atomic"
	"time"

	"github.com/freshet-dev/freshet/internal/breaker"
	"github.com/freshet-dev/freshet/internal/owed"
)

// Store is what takes invalidations, of targets T, and orders them by versions V.
type Store[T owed.Target, V any] struct {
	// Probe asks the store for something small.
	Probe func(ctx context.Context) error
	// Invalidate hands targets to the store.
	Invalidate func(ctx context.Context, targets []T) (V, error)
	// Intend puts targets on record; nil if the store keeps no records.
	Intend func(ctx context.Context, targets []T) (Intent[T, V], error)
}

// Delivery is the traffic with one store: a breaker that leaves it alone while it
// fails, and the queue of what it has yet to take. What happens to the store is told
// once, when it begins and when it ends.
type Delivery[T owed.Target, V any] struct {
	*breaker.Breaker
	*owed.Queue[T]
	store   Store[T, V]
	log     *slog.Logger
	observe func(err error)
	// unrecorded is when the store last did not take an intent, in nanoseconds; 0
	// when that trouble is over.
	unrecorded atomic.Int64
}

// calm is for how long a trouble has to be gone before it is told to be over. One
// node of many that takes no records fails some writes and not others: each would
// end or begin the trouble anew, and be a line of the log.
const calm = 10 * time.Second

// New returns the traffic with store, queueing in queue. It tells log and observe,
// which gets nil when a trouble is over. It has to be closed.
func New[T owed.Target, V any](store Store[T, V], queue *owed.Queue[T], log *slog.Logger, observe func(err error)) *Delivery[T, V] {
	d := &Delivery[T, V]{Queue: queue, store: store, log: log, observe: observe}
	d.Breaker = breaker.New(breaker.Backend{
		Probe:   store.Probe,
		Deliver: d.deliver,
		Owing:   func() bool { return queue.Len() > 0 },
		Turned: func(err error) {
			d.tell(err, "freshet: the store fails; requests go to their handlers until it answers again", "freshet: the store answers again")
		},
	})
	return d
}

// ErrOpen is the error of what is not even tried.
var ErrOpen = errors.New("freshet: the store is failing and is left alone until it answers again")

// Invalidate hands targets to the store, and owes them when it does not take them.
// They are owed before the error is returned. record, if not nil, is over.
func (d *Delivery[T, V]) Invalidate(ctx context.Context, record *Record[T, V], targets []T) (version V, err error) {
	take, err := d.store.Invalidate, ErrOpen
	intent := record.end()
	if intent != nil {
		take = intent.Invalidate
	}
	ctx, open, end := d.brief(ctx)
	defer end()
	if !open || intent != nil {
		version, err = take(ctx, targets)
		if d.Limit(ctx, err) == nil {
			return version, nil
		}
	}
	if open {
		err = ErrOpen // and not that of the context, which is no matter of the caller's
	}
	if taken, partly := owed.Taken(targets, err); partly {
		targets = slices.DeleteFunc(slices.Clone(targets), func(t T) bool { return slices.Contains(taken, t) })
	}
	if d.Add(targets) {
		d.tell(err, "freshet: the store does not take invalidations; they are retried", "")
	}
	d.Mend()
	return version, fmt.Errorf("freshet: the invalidation is being retried, and what it covers is not served meanwhile: %w", err)
}

// brief returns the context for what an intent has to be told even while the store
// is left alone: its end, or the record would be kept alive for ever, and what joins
// it. The context has ended then, so that nothing waits for the store.
func (d *Delivery[T, V]) brief(ctx context.Context) (_ context.Context, open bool, end context.CancelFunc) {
	ctx, end = context.WithCancel(ctx)
	if open = d.Open(); open {
		end()
	}
	return ctx, open, end
}

// recorded takes note of whether an intent has been put on record.
func (d *Delivery[T, V]) recorded(err error) {
	now := time.Now()
	last := d.unrecorded.Load()
	switch {
	case err != nil:
		if d.unrecorded.Swap(now.UnixNano()) == 0 {
			d.tell(err, "freshet: writes cannot be put on record; one that is made and whose process dies may leave stale entries", "")
		}
	case last != 0 && now.Sub(time.Unix(0, last)) > calm && d.unrecorded.CompareAndSwap(last, 0):
		d.tell(nil, "", "freshet: writes are put on record again")
	}
}

// tell reports that something has begun to fail, or with nil that it has ended to.
func (d *Delivery[T, V]) tell(err error, failing, fine string) {
	if err != nil {
		d.log.Error(failing, "error", err)
	} else {
		d.log.Info(fine)
	}
	d.observe(err)
}

// deliver hands the store what is owed.
func (d *Delivery[T, V]) deliver(ctx context.Context) error {
	settled, err := d.Deliver(func(targets []T) error {
		_, err := d.store.Invalidate(ctx, targets)
		return err
	})
	if settled {
		d.tell(nil, "", "freshet: the store has taken all invalidations")
	}
	return err
}

// Close makes a last attempt to deliver what is owed, within ctx. Only the first
// call does anything; the others' first is false.
func (d *Delivery[T, V]) Close(ctx context.Context) (first bool, err error) {
	if !d.Breaker.Close(ctx) {
		return false, nil
	}
	if err = d.deliver(ctx); err != nil {
		err = fmt.Errorf("freshet: %d invalidations could not be delivered: %w", d.Len(), err)
	}
	return true, err
}
