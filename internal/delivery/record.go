package delivery

import (
	"context"
	"sync"

	"github.com/freshet-dev/freshet/internal/owed"
)

// Intent is what a store has on record of one change; the root package has the
// contract.
type Intent[T, V any] interface {
	// Add puts more targets on record.
	Add(ctx context.Context, targets []T) error
	// Invalidate invalidates targets and takes the record away.
	Invalidate(ctx context.Context, targets []T) (V, error)
	// Withdraw takes the record away.
	Withdraw(ctx context.Context)
}

// Record is what is on record of one change. All methods may run concurrently.
type Record[T owed.Target, V any] struct {
	delivery *Delivery[T, V]

	// mu is held over calls to the store: an intent's methods are called one at a
	// time. Only goroutines of the one change ever wait for it.
	mu     sync.Mutex
	over   bool         // nothing is put on record any more, or ever
	intent Intent[T, V] // nil while nothing is on record
}

// Record returns the record of a change that is about to begin. Nothing is ever put
// on it if silent is true, or if the store keeps no records.
func (d *Delivery[T, V]) Record(silent bool) *Record[T, V] {
	return &Record[T, V]{delivery: d, over: silent || d.store.Intend == nil}
}

// Join puts targets on record. all are those that were to be on record so far,
// targets included: what could not be recorded before is tried once more.
func (r *Record[T, V]) Join(ctx context.Context, targets []T, all func() []T) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.over || len(targets) == 0 {
		return nil
	}
	d, err := r.delivery, ErrOpen
	switch {
	case d.Open():
	case r.intent != nil:
		err = r.intent.Add(ctx, targets)
	default:
		var intent Intent[T, V]
		if intent, err = d.store.Intend(ctx, all()); err == nil {
			r.intent = intent
		}
	}
	if d.unrecorded.Swap(err != nil) != (err != nil) {
		d.tell(err, "freshet: writes cannot be put on record; one that is made and whose process dies may leave stale entries", "freshet: writes are put on record again")
	}
	return d.Limit(ctx, err)
}

// Withdraw takes the record away: nothing has changed.
func (r *Record[T, V]) Withdraw(ctx context.Context) {
	if intent := r.end(); intent != nil {
		ctx, _, end := r.delivery.brief(ctx)
		defer end()
		intent.Withdraw(ctx)
	}
}

// end returns what is on record, nil if nothing is. No more joins it from here on.
func (r *Record[T, V]) end() Intent[T, V] {
	if r == nil {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	intent := r.intent
	r.intent, r.over = nil, true
	return intent
}
