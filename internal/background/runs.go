// Package background bounds and ends the loads that no request waits for.
package background

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"sync"
	"time"
)

const (
	// atOnce bounds what refreshing may cost the handlers. What finds no place is
	// dropped: the next request for it tries again.
	atOnce = 64
	// longest ends a run whose handler heeds its context. Nobody waits for it who
	// would give up.
	longest = time.Minute
	// closeLimit is for handlers that do not end with their context.
	closeLimit = time.Second
)

// Why the context of a run ends early.
var (
	ErrClosed = errors.New("freshet: the cache has been closed")
	ErrLate   = errors.New("freshet: a load that nobody waits for has taken too long")
)

// Runs are what is under way, at most one of an identity. The zero value is ready
// for use; all methods may run concurrently.
type Runs struct {
	mu      sync.Mutex
	running map[[32]byte]context.CancelCauseFunc
	closed  bool
	idle    chan struct{} // closed with the last run, once the Runs are
}

// Begin takes a place for a run of id, which cancel ends: when it takes too long and
// when r is closed. It reports false where there is none: one of id is under way, or
// too many, or r is closed. end gives the place back.
func (r *Runs) Begin(id [32]byte, cancel context.CancelCauseFunc) (end func(), ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed || len(r.running) >= atOnce || r.running[id] != nil {
		return nil, false
	}
	if r.running == nil {
		r.running = make(map[[32]byte]context.CancelCauseFunc)
	}
	r.running[id] = cancel
	late := time.AfterFunc(longest, func() { cancel(ErrLate) })
	return func() {
		late.Stop()
		r.end(id)
	}, true
}

func (r *Runs) end(id [32]byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.running, id)
	if r.idle != nil && len(r.running) == 0 {
		close(r.idle)
	}
}

// Close ends all runs, and waits for them, though not for long.
func (r *Runs) Close() {
	r.mu.Lock()
	if r.closed {
		r.mu.Unlock()
		return
	}
	r.closed = true
	for _, cancel := range r.running {
		cancel(ErrClosed)
	}
	if len(r.running) == 0 {
		r.mu.Unlock()
		return
	}
	r.idle = make(chan struct{})
	r.mu.Unlock()
	select {
	case <-r.idle:
	case <-time.After(closeLimit):
	}
}

// Early reports whether an answer that has left to live, and whose load took as long
// as took, is to be loaded again already: now and then, the sooner the longer that
// takes, so that of many readers one does it in time (XFetch, with β = 1: Vattani,
// Chierichetti and Lowenstein, "Optimal probabilistic cache stampede prevention",
// VLDB 2015).
func Early(left, took time.Duration) bool {
	// 1 - Float64 is in (0, 1], so the logarithm is finite.
	return took > 0 && left <= time.Duration(float64(took)*-math.Log(1-rand.Float64()))
}
