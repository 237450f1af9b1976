// Package owed keeps the invalidations that a store has not taken yet.
//
// What is owed covers keys and tags as a ban would, until it has been paid.
package owed

import (
	"slices"
	"sync"
	"sync/atomic"

	"github.com/freshet-dev/freshet/internal/ban"
)

// Target is an invalidation; Member is its name in a ban map.
type Target interface {
	comparable
	// Member returns a member of a form that package ban knows.
	Member() string
}

// Queue holds each target that is owed once. At most a fixed number is held:
// beyond it, everything is owed, which covers them all. All methods may run
// concurrently.
type Queue[T Target] struct {
	everything T
	most       int

	some  atomic.Bool   // something is owed
	added atomic.Uint64 // how often Add was called
	paid  atomic.Uint64 // how often Pay was called
	bans  ban.Map       // what is owed covers

	mu   sync.Mutex
	owed map[T]uint64 // to the number of the latest Add that named it
}

// New returns an empty queue of at most most targets. everything is the target
// that covers all others.
func New[T Target](everything T, most int) *Queue[T] {
	return &Queue[T]{everything: everything, most: most, owed: make(map[T]uint64)}
}

// Covers reports whether a target that is owed covers key or one of tags.
func (q *Queue[T]) Covers(key string, tags []string) bool {
	if !q.some.Load() {
		return false
	}
	member, _ := q.bans.Since(key, tags, 0)
	return member != ""
}

// Added counts the calls of Add. Whoever reads a larger number than another may
// know of invalidations that the other has not seen, paid or not.
func (q *Queue[T]) Added() uint64 { return q.added.Load() }

// Paid counts how often something has been paid. Whoever looks at a store
// between two equal readings, and asks Covers afterwards, has missed nothing:
// each target was either still owed then or already paid before.
func (q *Queue[T]) Paid() uint64 { return q.paid.Load() }

// Len returns how many targets are owed.
func (q *Queue[T]) Len() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.owed)
}

// Add owes targets, and reports whether nothing was owed before.
func (q *Queue[T]) Add(targets []T) (first bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	first = len(q.owed) == 0
	number := q.added.Add(1)
	overflow := len(q.owed)+len(targets) > q.most
	if overflow {
		targets = []T{q.everything}
	}
	for _, t := range targets {
		q.owed[t] = number
		// A member that comes from a target has a form that the map knows.
		_ = q.bans.Add(t.Member(), number)
	}
	q.some.Store(true)
	if overflow {
		q.keepEverything()
	}
	return first
}

// keepEverything forgets what is owed beside everything; mu is held.
func (q *Queue[T]) keepEverything() {
	for t, n := range q.owed {
		if t != q.everything {
			delete(q.owed, t)
			q.bans.Remove(t.Member(), n)
		}
	}
}

// Batch returns up to most targets, none of them added after number.
func (q *Queue[T]) Batch(most int) (targets []T, number uint64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for t := range q.owed {
		if targets = append(targets, t); len(targets) == most {
			break
		}
	}
	return targets, q.added.Load()
}

// Pay forgets targets that the store has taken, except those that were added
// again after number: that may have been for a later change. It reports whether
// nothing is owed any more.
func (q *Queue[T]) Pay(targets []T, number uint64) (last bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	// Counted before the bans go: who no longer finds one sees the new count.
	q.paid.Add(1)
	for _, t := range targets {
		if n, ok := q.owed[t]; ok && n <= number {
			delete(q.owed, t)
			q.bans.Remove(t.Member(), n)
		}
	}
	last = len(q.owed) == 0
	q.some.Store(!last)
	return last
}

// Distinct returns targets without repeats, in their order.
func Distinct[T comparable](targets []T) []T {
	seen := make(map[T]bool, len(targets))
	return slices.DeleteFunc(slices.Clone(targets), func(t T) bool {
		again := seen[t]
		seen[t] = true
		return again
	})
}
