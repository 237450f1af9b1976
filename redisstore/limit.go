package redisstore

import (
	"context"
	"sync/atomic"
	"time"
)

// limits hands out the deadlines of calls.
type limits struct {
	life    context.Context // of the store
	timeout time.Duration
	current atomic.Pointer[limit]
}

// limit is a deadline shared by all calls that begin within a tenth of the
// timeout.
type limit struct {
	context.Context
	end   context.CancelFunc
	renew time.Time
}

func (l *limits) init(life context.Context, timeout time.Duration) {
	l.life, l.timeout = life, timeout
}

func (l *limits) close() {
	if current := l.current.Swap(nil); current != nil {
		current.end()
	}
}

// within returns the context for a call on behalf of ctx: ctx itself when it
// ends soon enough, and otherwise one that ends after nine to ten tenths of the
// timeout and does not follow ctx.
//
// A context of its own for each call would cost five allocations; and one that
// can be cancelled but has no deadline, as those of HTTP requests are, makes
// the client give up writing and reading on the caller's own goroutine for good,
// which is by far the cheapest way for a single caller. Nothing is gained by
// leaving a healthy Redis half a millisecond early.
func (l *limits) within(ctx context.Context) (context.Context, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	now := time.Now()
	current := l.current.Load()
	if current == nil || now.After(current.renew) {
		fresh := &limit{renew: now.Add(l.timeout / 10)}
		// Of two that renew at once one replaces the other's. Either is good,
		// and a limit that nobody uses any more ends by itself.
		fresh.Context, fresh.end = context.WithTimeout(l.life, l.timeout)
		l.current.Store(fresh)
		current = fresh
	}
	own, ok := ctx.Deadline()
	if shared, _ := current.Deadline(); ok && own.Before(shared) {
		return ctx, nil
	}
	return current, nil
}
