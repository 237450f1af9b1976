// Package breaker keeps the callers of a backend from waiting for it while it
// fails, and brings it back into use when it answers again.
//
// A breaker is closed while the backend is used, open while it is left alone, and
// half-open while one goroutine asks it whether it is back. That goroutine lives
// only while something is wrong; no caller ever pays for the question, as in the
// usual breaker, which lets a real call through to try.
package breaker

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"
)

// Backend is what a breaker has to know of what it guards. The functions are
// called by one goroutine at a time, except Turned.
type Backend struct {
	// Probe asks the backend for something small.
	Probe func(ctx context.Context) error
	// Deliver hands the backend what it has not taken yet. It is called when a
	// probe has been answered.
	Deliver func(ctx context.Context) error
	// Owing reports whether there is something to deliver. While there is, the
	// breaker goes on asking.
	Owing func() bool
	// Turned is called when the breaker has opened, with the reason, and with nil
	// when it has closed again.
	Turned func(err error)
}

// The states. What callers ask is only whether it is closed.
const (
	closed   int32 = iota
	open           // nobody asks the backend
	halfOpen       // the mending goroutine asks it, nobody else does
)

const (
	// failuresToOpen in a row open the breaker. A call that runs into its time
	// limit does so at once: every further one would take as long.
	failuresToOpen = 3
	// firstPause and LongestPause bound the time between two attempts.
	firstPause = 50 * time.Millisecond
)

// LongestPause is the longest time between two questions whether a failing backend
// is back.
const LongestPause = 2 * time.Second

// Breaker guards one backend. All methods may run concurrently.
type Breaker struct {
	backend  Backend
	state    atomic.Int32
	failures atomic.Int32 // failed calls in a row

	mu      sync.Mutex
	mending bool
	ended   bool
	back    time.Time // when it was last closed again; of the mending goroutine

	life context.Context // of the mending: until Close
	stop context.CancelFunc
	done sync.WaitGroup
}

// New returns a closed breaker. It has to be closed by Close.
func New(backend Backend) *Breaker {
	b := &Breaker{backend: backend}
	b.life, b.stop = context.WithCancel(context.Background())
	return b
}

// Open reports whether the backend is to be left alone.
func (b *Breaker) Open() bool { return b.state.Load() != closed }

// Health counts the result of a call that tells how the backend is, made under
// ctx: a call that a working backend always answers. It returns err.
func (b *Breaker) Health(ctx context.Context, err error) error {
	switch {
	case err == nil:
		if b.failures.Load() != 0 {
			b.failures.Store(0)
		}
	case partial(err):
	case ctx.Err() != nil:
		// The caller has given up, which says nothing of the backend. But if all
		// callers have less patience than a frozen backend's time limit, no call
		// ever reaches that limit: so the question is put without a caller.
		b.Mend()
	case b.failures.Add(1) >= failuresToOpen:
		b.trip(err)
	default:
		return b.Limit(ctx, err)
	}
	return err
}

// Limit opens the breaker if err, the result of any call made under ctx, says that
// the backend did not answer in time. It returns err.
func (b *Breaker) Limit(ctx context.Context, err error) error {
	if ctx.Err() == nil && timedOut(err) {
		b.trip(err)
	}
	return err
}

// timedOut reports whether err is of a time limit: the context's, or one that
// a backend has set on its connections.
func timedOut(err error) bool {
	var limit interface{ Timeout() bool }
	return errors.As(err, &limit) && limit.Timeout() && !partial(err)
}

// partial reports whether err is of a part of the backend only, which that itself
// leaves alone until it answers again. It says nothing of the rest.
func partial(err error) bool {
	var part interface{ Partial() bool }
	return errors.As(err, &part) && part.Partial()
}

func (b *Breaker) trip(err error) {
	if b.state.CompareAndSwap(closed, open) {
		b.backend.Turned(err)
	}
	b.Mend()
}

// Mend starts the goroutine that asks and delivers until all is well, unless
// there is one.
func (b *Breaker) Mend() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.mending || b.ended {
		return
	}
	b.mending = true
	b.done.Go(b.mend)
}

func (b *Breaker) mend() {
	pause := firstPause
	if time.Since(b.back) < 2*LongestPause {
		// A backend that answers the probe and little else: were it tried again
		// at once, callers would keep running into its time limit.
		pause = LongestPause
	}
	for ; ; pause = min(2*pause, LongestPause) {
		select {
		case <-b.life.Done():
			return
		case <-time.After(pause):
		}
		b.state.CompareAndSwap(open, halfOpen)
		usable, err := b.attempt(b.life)
		switch {
		case !usable:
			b.state.CompareAndSwap(halfOpen, open)
		case b.state.CompareAndSwap(halfOpen, closed):
			b.back = time.Now()
			b.backend.Turned(nil)
		}
		if err == nil && b.settle() {
			return
		}
	}
}

// attempt asks the backend for something, and hands it what is owed. A backend
// that answers, though it takes no writes perhaps, is usable: for reads.
func (b *Breaker) attempt(ctx context.Context) (usable bool, err error) {
	if err = b.Health(ctx, b.backend.Probe(ctx)); err != nil && !partial(err) {
		return false, err
	}
	err = b.Limit(ctx, b.backend.Deliver(ctx))
	return !timedOut(err), err
}

// settle ends the mending, unless there is something to mend again.
func (b *Breaker) settle() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.mending = b.backend.Owing() || b.Open()
	return !b.mending
}

// Close ends the mending, and waits for its end until ctx ends. Only the first call
// does anything, and returns true.
func (b *Breaker) Close(ctx context.Context) (first bool) {
	b.mu.Lock()
	first = !b.ended
	b.ended = true
	b.mu.Unlock()
	if !first {
		return false
	}
	b.stop()
	mended := make(chan struct{})
	go func() { b.done.Wait(); close(mended) }()
	select {
	case <-mended:
	case <-ctx.Done(): // a call to a frozen backend ends with the backend
	}
	return true
}
