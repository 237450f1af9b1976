package freshet

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/freshet-dev/freshet/internal/owed"
)

// ErrUnrecorded is wrapped by the error of a change that would have to be made
// without its invalidation on record: see [Options.RefuseWrites].
var ErrUnrecorded = errors.New("freshet: the invalidation cannot be put on record")

// change is something under way that makes entries stale: the handler of a write,
// or the function of [Cache.Update]. What it is known to invalidate is on record
// with the store from before it begins ([Intender]):
//
//  1. the targets are put on record
//  2. the change is committed
//  3. its process dies
//  4. the record falls due, and another process invalidates the targets
//
// Without step 1, entries from before the change would be served until their TTL.
type change struct {
	cache   *Cache
	rule    string
	ctx     context.Context // what the change runs under
	control *Control
	targets []Target // known from the beginning
	fence   time.Duration
	record  *record
}

// begin puts on record what ch is known to invalidate, unless silent, and makes
// ch.ctx of the caller's ctx. The error is [ErrUnrecorded]: the change must not
// be made.
func (ch *change) begin(ctx context.Context, silent bool) error {
	ch.ctx, ch.control = withControl(ctx)
	ch.control.join = ch.join
	ch.record = ch.cache.guard.Record(silent)
	return ch.join(ch.targets)
}

// join puts targets on record, which the change is going to invalidate. That the
// caller ends, a client that leaves, does not stop what its handler has begun.
func (ch *change) join(targets []Target) error {
	err := ch.record.Join(context.WithoutCancel(ch.ctx), ch.fenced(targets), ch.all)
	if err == nil || !ch.cache.options.RefuseWrites {
		return nil
	}
	return fmt.Errorf("%w: %w", ErrUnrecorded, err)
}

// all returns what ch invalidates, as far as it is known.
func (ch *change) all() []Target {
	return ch.fenced(slices.Concat(ch.targets, ch.control.added()))
}

// fenced returns targets with the change's own fence, unless they are soft, each once.
func (ch *change) fenced(targets []Target) []Target {
	targets = owed.Distinct(targets, Target.outlasting)
	for i := range targets {
		if !targets[i].Soft {
			targets[i].Fence = max(targets[i].Fence, ch.fence)
		}
	}
	return targets
}

// end drops targets at the end of the change, in one call, and takes away the record.
// A failure has been logged and is being retried.
func (ch *change) end(targets []Target) (Version, error) {
	if len(targets) == 0 {
		ch.record.Withdraw(context.WithoutCancel(ch.ctx))
	}
	return ch.cache.drop(ch.ctx, ch.rule, ch.record, targets)
}

// Update runs apply, which changes something, and invalidates what that makes
// stale: for jobs and message consumers, which no rule's write stands for. Before
// apply runs, targets are put on record, so that they are invalidated even if this
// process dies. In apply, [FromContext] works as in the handler of a write: it adds
// targets that only the result can tell. When apply has returned, or panicked, all
// are invalidated in one call, whatever it returns: an error does not prove that
// nothing has changed.
//
// The error is that of apply, joined with that of [Cache.Invalidate] if there is
// one. apply does not run if one of targets names nothing, [ErrTarget], or if they
// cannot be put on record where [Options.RefuseWrites] is set, [ErrUnrecorded].
func (c *Cache) Update(ctx context.Context, apply func(ctx context.Context) error, targets ...Target) (version Version, err error) {
	if err := check(targets); err != nil {
		return 0, err
	}
	if c.options.Disabled {
		return 0, apply(ctx)
	}
	ch := &change{cache: c, targets: slices.Clone(targets)}
	if err := ch.begin(ctx, false); err != nil {
		return 0, err
	}
	defer func() {
		var owing error
		if version, owing = ch.end(ch.all()); owing != nil {
			err = errors.Join(err, owing)
		}
	}()
	return 0, apply(ch.ctx)
}
