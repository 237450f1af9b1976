// Package owed keeps the invalidations that a store has not taken yet.
//
// What is owed covers keys and tags as a ban would, until it has been paid.
package owed

import (
	"errors"
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

// Merge returns t so widened that it can stand for other too, which has the same
// Member, or is covered by t's.
type Merge[T Target] func(t, other T) T

// Queue holds each target that is owed once. At most a fixed number is held:
// beyond it, everything is owed, which covers them all. All methods may run
// concurrently.
type Queue[T Target] struct {
	everything T
	merge      Merge[T]
	most       int

	some  atomic.Bool   // something is owed
	added atomic.Uint64 // how often Add was called
	paid  atomic.Uint64 // how often Pay was called
	bans  ban.Map       // what is owed covers

	mu   sync.Mutex
	owed map[string]debt[T] // by Member, so that a payment leaves no gap, see add
}

// debt is a target that is owed, with the number of the latest Add that named it.
type debt[T Target] struct {
	target T
	number uint64
}

// New returns an empty queue of at most most targets. everything is the target
// that covers all others.
func New[T Target](everything T, merge Merge[T], most int) *Queue[T] {
	return &Queue[T]{everything: everything, merge: merge, most: most, owed: make(map[string]debt[T])}
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
	if len(q.owed)+len(targets) > q.most {
		q.keepEverything(targets, number)
	} else {
		for _, t := range targets {
			q.add(t, number)
		}
	}
	q.some.Store(true)
	return first
}

// add owes t; mu is held. Two targets of one member are one debt: were they paid
// one by one, the first payment would take the ban from the second.
func (q *Queue[T]) add(t T, number uint64) {
	member := t.Member()
	if d, ok := q.owed[member]; ok {
		t = q.merge(t, d.target)
	}
	q.owed[member] = debt[T]{t, number}
	// A member that comes from a target has a form that the map knows.
	_ = q.bans.Add(member, number)
}

// keepEverything owes everything in place of targets and of all that was owed
// before; mu is held.
func (q *Queue[T]) keepEverything(targets []T, number uint64) {
	all := q.everything
	for _, t := range targets {
		all = q.merge(all, t)
	}
	for _, d := range q.owed {
		all = q.merge(all, d.target)
	}
	// Owed before the others are forgotten, so that nothing is uncovered between.
	q.add(all, number)
	for member, d := range q.owed {
		if member != all.Member() {
			delete(q.owed, member)
			q.bans.Remove(member, d.number)
		}
	}
}

// All returns what is owed, none of it added after number.
func (q *Queue[T]) All() (targets []T, number uint64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, d := range q.owed {
		targets = append(targets, d.target)
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
		member := t.Member()
		if d, ok := q.owed[member]; ok && d.number <= number {
			delete(q.owed, member)
			q.bans.Remove(member, d.number)
		}
	}
	last = len(q.owed) == 0
	q.some.Store(!last)
	return last
}

// batch is how many targets Deliver hands over at a time.
const batch = 500

// Deliver hands take what is owed until nothing is, or take fails. Where it fails in
// part, which [Taken] tells, the rest of what is owed is handed over all the same
// before the errors are returned. settled says that there was something, and that
// all of it is paid.
func (q *Queue[T]) Deliver(take func(targets []T) error) (settled bool, err error) {
	for {
		all, number := q.All()
		if len(all) == 0 {
			return settled, nil
		}
		for targets := range slices.Chunk(all, batch) {
			failed := take(targets)
			taken, partly := Taken(targets, failed)
			if failed != nil && !partly {
				return false, failed
			}
			settled, err = q.Pay(taken, number), errors.Join(err, failed)
		}
		if err != nil {
			return false, err
		}
	}
}

// Taken returns those of targets that a store has taken whose answer to them is
// err: all of them if that is nil, and none if not, unless it has a method Left,
// which returns the others. Then partly is true.
func Taken[T comparable](targets []T, err error) (taken []T, partly bool) {
	if err == nil {
		return targets, false
	}
	var part interface{ Left() []T }
	if !errors.As(err, &part) {
		return nil, false
	}
	left := part.Left()
	return slices.DeleteFunc(slices.Clone(targets), func(t T) bool { return slices.Contains(left, t) }), true
}

// Distinct returns targets in their order, those of one Member merged into the
// first of them.
func Distinct[T Target](targets []T, merge Merge[T]) []T {
	place := make(map[string]int, len(targets))
	var distinct []T
	for _, t := range targets {
		if n, ok := place[t.Member()]; ok {
			distinct[n] = merge(distinct[n], t)
			continue
		}
		place[t.Member()] = len(distinct)
		distinct = append(distinct, t)
	}
	return distinct
}
