package storetest

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/freshet-dev/freshet"
)

// leaseChecks pass at once on a store that is not a [freshet.Leaser].
func leaseChecks() []check {
	list := []check{
		{"lease/one holder", checkOneHolder},
		{"lease/waiters", checkWaiters},
		{"lease/wait ends with its context", checkWaitCancelled},
		{"lease/holder dies", checkHolderDies},
		{"lease/spared", checkLeaseSpared},
	}
	for _, aim := range covering() {
		list = append(list, check{"takeover/" + aim.name, func(t testing.TB, h Harness) {
			checkTakenOver(t, h, aim)
		}})
	}
	return list
}

// newLeaseLab returns nil if the store has no leases.
func newLeaseLab(t testing.TB, h Harness) *lab {
	t.Helper()
	l := newLab(t, h)
	if _, ok := l.a.(freshet.Leaser); !ok {
		return nil
	}
	return l
}

// lease asks for the lease of r under the stamp of a Lookup of its own.
func (l *lab) lease(s freshet.Store, r freshet.Ref) freshet.Lease {
	l.Helper()
	return l.leaseUnder(s, r, l.lookup(s, r).Stamp)
}

func (l *lab) leaseUnder(s freshet.Store, r freshet.Ref, stamp freshet.Stamp) freshet.Lease {
	l.Helper()
	lease, err := s.(freshet.Leaser).Lease(l.Context(), r, subjectTags(), stamp)
	if err != nil {
		l.Fatalf("Lease of %s: %v", show(r), err)
	}
	return lease
}

func (l *lab) wantHeld(lease freshet.Lease, want bool, when string) {
	l.Helper()
	if got := lease.Held(); got != want {
		l.Errorf("%s: Held is %v, want %v", when, got, want)
	}
}

// wait starts a Wait and returns the channel on which its result arrives.
func (l *lab) wait(ctx context.Context, lease freshet.Lease) <-chan waited {
	done := make(chan waited, 1)
	go func() {
		shared, err := lease.Wait(ctx)
		done <- waited{shared, err}
	}()
	return done
}

type waited struct {
	shared bool
	err    error
}

// wantWaited checks that a Wait ends without an error and returns what it said.
func (l *lab) wantWaited(done <-chan waited, when string) (shared bool) {
	l.Helper()
	ctx, cancel := context.WithTimeout(l.Context(), l.h.patience)
	defer cancel()
	select {
	case w := <-done:
		if w.err != nil {
			l.Errorf("%s: Wait: %v", when, w.err)
		}
		return w.shared
	case <-ctx.Done():
		l.Fatalf("%s: Wait does not return", when)
		return false
	}
}

// checkOneHolder: a lease has one holder, is that ref's alone, and can be released
// by its holder only, once.
func checkOneHolder(t testing.TB, h Harness) {
	l := newLeaseLab(t, h)
	if l == nil {
		return
	}
	others := []freshet.Ref{ref("countries"), variant(subjectKey, "0b"), ref(subjectKey)}
	r := variant(subjectKey, "0a")
	first := l.lease(l.a, r)
	l.wantHeld(first, true, "a lease that nobody holds")
	for _, s := range []freshet.Store{l.a, l.b} {
		second := l.lease(s, r)
		l.wantHeld(second, false, "a lease that is held")
		second.Release(l.Context(), true) // not its own: does nothing
		l.wantHeld(l.lease(s, r), false, "a lease that somebody else has tried to release")
	}
	for _, other := range others {
		lease := l.lease(l.b, other)
		l.wantHeld(lease, true, "the lease of another ref")
		lease.Release(l.Context(), true)
	}
	first.Release(l.Context(), true)
	next := l.lease(l.b, r)
	l.wantHeld(next, true, "a lease that has been released")
	first.Release(l.Context(), true) // once more: it is no longer its own
	l.wantHeld(l.lease(l.a, r), false, "a lease that its former holder has tried to release")
	next.Release(l.Context(), true)
}

// checkWaiters: those who wait go on when the holder releases, in whichever
// process they are, and hear what it says.
func checkWaiters(t testing.TB, h Harness) {
	l := newLeaseLab(t, h)
	if l == nil {
		return
	}
	for _, want := range []bool{true, false, true} {
		// A Wait that begins after the release cannot know what the holder
		// said. So one round may not be enough to hear it, and each leaves the
		// waiters more time to begin.
		head := time.Millisecond
		l.eventually(fmt.Sprintf("a waiter hears that shared is %v", want), func() bool {
			head *= 2
			return waitRound(l, want, head)
		})
	}
}

// waitRound lets some wait for a lease that is released with shared, and
// reports whether one of them has heard that.
func waitRound(l *lab, shared bool, head time.Duration) (heard bool) {
	l.Helper()
	r := ref(subjectKey)
	holder := l.lease(l.a, r)
	l.wantHeld(holder, true, "a lease that nobody holds")
	var waits []<-chan waited
	for range 3 {
		waits = append(waits, l.wait(l.Context(), l.lease(l.b, r)), l.wait(l.Context(), l.lease(l.a, r)))
	}
	time.Sleep(head)
	for _, done := range waits {
		if len(done) > 0 {
			l.Errorf("Wait has returned although the lease is held")
		}
	}
	holder.Release(l.Context(), shared)
	for _, done := range waits {
		got := l.wantWaited(done, "after a release")
		if shared && !got {
			l.Errorf("Wait says not shared although the holder has shared")
		}
		heard = heard || got == shared
	}
	return heard
}

// checkWaitCancelled: a waiter gives up with its own context, and that takes
// nothing from the holder.
func checkWaitCancelled(t testing.TB, h Harness) {
	l := newLeaseLab(t, h)
	if l == nil {
		return
	}
	r := ref(subjectKey)
	holder := l.lease(l.a, r)
	ctx, cancel := context.WithCancel(l.Context())
	done := l.wait(ctx, l.lease(l.b, r))
	cancel()
	over, stop := context.WithTimeout(l.Context(), l.h.patience)
	defer stop()
	select {
	case w := <-done:
		if !errors.Is(w.err, context.Canceled) {
			l.Errorf("Wait with a cancelled context: shared %v, error %v; want %v", w.shared, w.err, context.Canceled)
		}
	case <-over.Done():
		l.Errorf("Wait does not end with its context")
	}
	l.wantHeld(l.lease(l.b, r), false, "a lease of which a waiter has given up")
	holder.Release(l.Context(), true)
}

// checkHolderDies: a holder that dies delays the others, and does not stop them.
func checkHolderDies(t testing.TB, h Harness) {
	if h.Kill == nil {
		return
	}
	l := newLeaseLab(t, h)
	if l == nil {
		return
	}
	r := ref(subjectKey)
	doomed := l.peer()
	l.wantHeld(l.lease(doomed, r), true, "a lease that nobody holds")
	done := l.wait(l.Context(), l.lease(l.b, r))
	h.Kill(l, doomed)
	l.wantWaited(done, "after the holder has died")
	l.eventually("the lease of a dead holder is taken over", func() bool { return l.lease(l.b, r).Held() })
	l.wantHeld(l.lease(l.a, r), false, "a lease that has been taken over")
}

// checkTakenOver: a load that began before an invalidation is not worth waiting
// for, so whoever comes after the invalidation gets the lease, be it a soft one.
func checkTakenOver(t testing.TB, h Harness, aim aim) {
	l := newLeaseLab(t, h)
	if l == nil {
		return
	}
	for i, r := range []freshet.Ref{ref(subjectKey), variant(subjectKey, "0a"), ref(subjectKey), variant(subjectKey, "0a")} {
		target := aim.target
		if i >= 2 {
			target = target.Softly()
		}
		old := l.lease(l.a, r)
		l.wantHeld(old, true, "a lease that nobody holds")
		done := l.wait(l.Context(), l.lease(l.b, r))
		l.invalidate(l.b, target)
		now := l.lease(l.b, r)
		l.wantHeld(now, true, "the lease of a load that an invalidation has overtaken")
		old.Release(l.Context(), true)
		l.wantHeld(l.lease(l.a, r), false, "a lease whose holder of before the invalidation has released it")
		now.Release(l.Context(), true)
		l.wantWaited(done, "after the lease was lost to an invalidation")
		last := l.lease(l.a, r)
		l.wantHeld(last, true, "a lease that has been released")
		last.Release(l.Context(), true)
	}
}

// checkLeaseSpared: an invalidation of something else takes no lease away.
func checkLeaseSpared(t testing.TB, h Harness) {
	l := newLeaseLab(t, h)
	if l == nil {
		return
	}
	r := ref(subjectKey)
	holder := l.lease(l.a, r)
	for _, aim := range sparing() {
		l.invalidate(l.b, aim.target)
		l.wantHeld(l.lease(l.b, r), false, "a lease after "+aim.target.String())
	}
	holder.Release(l.Context(), true)
}
