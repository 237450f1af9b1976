package owed

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/freshet-dev/freshet/internal/breaker"
)

// Store is what takes invalidations, as far as their delivery has to know it.
type Store[T Target] struct {
	// Probe asks the store for something small.
	Probe func(ctx context.Context) error
	// Take hands targets to the store.
	Take func(ctx context.Context, targets []T) error
}

// Delivery is the traffic with a store that may fail: a breaker that leaves it alone
// while it does, and the queue of what it has yet to take, which is retried until it
// has. What happens to the store is told once, when it begins and when it ends.
type Delivery[T Target] struct {
	*breaker.Breaker
	*Queue[T]
	store   Store[T]
	log     *slog.Logger
	observe func(err error)
}

// NewDelivery returns the traffic with store, queueing in queue. It tells log and
// observe, which gets nil when something has ended to fail. It has to be closed.
func NewDelivery[T Target](store Store[T], queue *Queue[T], log *slog.Logger, observe func(err error)) *Delivery[T] {
	d := &Delivery[T]{Queue: queue, store: store, log: log, observe: observe}
	d.Breaker = breaker.New(breaker.Backend{
		Probe:   store.Probe,
		Deliver: d.deliver,
		Owing:   func() bool { return queue.Len() > 0 },
		Turned: func(err error) {
			d.Tell(err, "freshet: the store fails; requests go to their handlers until it answers again", "freshet: the store answers again")
		},
	})
	return d
}

// Tell reports that something has begun to fail, or with nil that it has ended to.
func (d *Delivery[T]) Tell(err error, failing, fine string) {
	if err != nil {
		d.log.Error(failing, "error", err)
	} else {
		d.log.Info(fine)
	}
	d.observe(err)
}

// Owe adds targets, which the store has not taken because of err. They are retried.
func (d *Delivery[T]) Owe(targets []T, err error) {
	if d.Add(targets) {
		d.Tell(err, "freshet: the store does not take invalidations; they are retried", "")
	}
	d.Mend()
}

func (d *Delivery[T]) deliver(ctx context.Context) error {
	settled, err := d.Deliver(func(targets []T) error { return d.store.Take(ctx, targets) })
	if settled {
		d.Tell(nil, "", "freshet: the store has taken all invalidations")
	}
	return err
}

// Close makes a last attempt to deliver what is owed, within ctx. Only the first
// call does anything; the others' first is false.
func (d *Delivery[T]) Close(ctx context.Context) (first bool, err error) {
	if !d.Breaker.Close(ctx) {
		return false, nil
	}
	if err = d.deliver(ctx); err != nil {
		err = fmt.Errorf("freshet: %d invalidations could not be delivered: %w", d.Len(), err)
	}
	return true, err
}
