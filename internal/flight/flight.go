// Package flight lets the requests of one process share one load.
//
// A flight belongs to everybody who waits for it, not to the request that
// started it: its context ends when the last of them has left, and what becomes
// of the request that leads it (a panic, an abort, a client that goes away)
// never reaches the others. A flight carries the stamp it was started under, so
// that a request that began after an invalidation can refuse to share it.
package flight

import (
	"context"
	"errors"
	"sync"
)

// ErrAbandoned is the cause of a flight's context when nobody waits any more.
var ErrAbandoned = errors.New("freshet: nobody waits for this load any more")

// MaxWaiters bounds the requests that wait for one flight. Enter refuses to
// admit more, so that a stuck handler cannot hold an unbounded number.
const MaxWaiters = 10_000

// Group holds the flights under way, by key. S is the stamp of a load, R its
// result. The zero value is ready for use; all methods may run concurrently.
type Group[S, R any] struct {
	mu      sync.Mutex
	flights map[string]*Flight[S, R]
}

// Flight is one load under way.
type Flight[S, R any] struct {
	group   *Group[S, R]
	key     string
	stamp   S
	ctx     context.Context
	cancel  context.CancelCauseFunc
	unwatch func() bool // stops watching the leader's context
	done    chan struct{}

	// The leader and the waiters are the flight's members; guarded by group.mu.
	led     bool // the leader's own request still wants the answer
	waiters int
	landed  bool
	// Of a flight by Gather: the load has begun, and before it the one of before,
	// nil if there is none or it has landed.
	departed bool
	before   *Flight[S, R]
	// result and ok are written before done is closed, read after.
	result R
	ok     bool
}

// Enter joins the flight of key, or starts one under stamp and makes the caller
// its leader. A leader must call Land and End, whatever happens.
//
// admit is asked, without a lock held, whether the result of a load under the
// flight's stamp may answer this caller. When it says no, the caller starts a
// flight of its own, which later callers find instead. f is nil when the flight
// has MaxWaiters already: the caller then loads alone.
func (g *Group[S, R]) Enter(ctx context.Context, key string, stamp S, admit func(S) bool) (f *Flight[S, R], leader bool) {
	var refused *Flight[S, R]
	for {
		g.mu.Lock()
		f = g.flights[key]
		if f == nil || f == refused {
			f = g.start(ctx, key, stamp)
			g.mu.Unlock()
			return f, true
		}
		if f.waiters == MaxWaiters {
			g.mu.Unlock()
			return nil, false
		}
		// Counted before admit is asked: otherwise the flight could be
		// abandoned while the answer is on its way.
		f.waiters++
		g.mu.Unlock()
		if admit(f.stamp) {
			return f, false
		}
		f.leave()
		refused = f
	}
}

// start makes the flight of key; g.mu is held. A flight that it replaces goes on
// for those who wait for it already.
func (g *Group[S, R]) start(ctx context.Context, key string, stamp S) *Flight[S, R] {
	f := &Flight[S, R]{group: g, key: key, stamp: stamp, led: true, done: make(chan struct{})}
	f.ctx, f.cancel = context.WithCancelCause(context.WithoutCancel(ctx))
	f.unwatch = context.AfterFunc(ctx, f.desert)
	if g.flights == nil {
		g.flights = make(map[string]*Flight[S, R])
	}
	g.flights[key] = f
	return f
}

// Stamp returns what the flight was started under.
func (f *Flight[S, R]) Stamp() S { return f.stamp }

// Context is what the load runs under: the leader's values, without its end. It
// ends when nobody waits for the flight any more, and at End.
func (f *Flight[S, R]) Context() context.Context { return f.ctx }

// Land hands result to everybody who waits. ok false says that the leader has
// failed without a result. Only the first call counts, so that a leader can
// defer the failure and still land early.
//
// After an early landing the load goes on for the leader alone, and its context
// ends with the leader's own: whoever streams to a client has to learn that the
// client has gone.
func (f *Flight[S, R]) Land(result R, ok bool) {
	f.change(func() {
		if !f.landed {
			f.landed, f.result, f.ok = true, result, ok
			close(f.done)
		}
	})
}

// End releases the flight's context. The leader calls it when its load has
// returned, which may be after Land.
func (f *Flight[S, R]) End() {
	f.unwatch()
	f.cancel(context.Canceled)
}

// Wait blocks a caller that is not the leader until the flight has landed or
// ctx ends; the error is then the cause. ok false says that the leader has
// failed. It must be called exactly once.
func (f *Flight[S, R]) Wait(ctx context.Context) (result R, ok bool, err error) {
	select {
	case <-f.done:
		return f.result, f.ok, nil
	case <-ctx.Done():
		f.leave()
		return result, false, context.Cause(ctx)
	}
}

// leave takes a waiter off the flight.
func (f *Flight[S, R]) leave() { f.change(func() { f.waiters-- }) }

// desert takes the leader's request off the flight, which it goes on to run.
func (f *Flight[S, R]) desert() { f.change(func() { f.led = false }) }

// change applies what has happened to the members, and abandons the flight if
// nobody is left who wants it.
func (f *Flight[S, R]) change(apply func()) {
	g := f.group
	g.mu.Lock()
	apply()
	wanted := f.led || f.waiters > 0 && !f.landed
	// Taken off the board under the lock that Enter joins under: nobody boards
	// a flight whose context is about to end. A newer one of the key stays.
	if (f.landed || !wanted) && g.flights[f.key] == f {
		delete(g.flights, f.key)
		if f.before != nil && !f.before.landed {
			// Nobody has waited for its turn. The load under way goes on, and
			// who comes next waits for that again.
			g.flights[f.key] = f.before
		}
	}
	g.mu.Unlock()
	if !wanted {
		f.cancel(ErrAbandoned)
	}
}
