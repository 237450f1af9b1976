package storetest

import (
	"slices"
	"testing"
	"time"

	"github.com/freshet-dev/freshet"
)

// check is one subtest of the suite. It takes a testing.TB and not a *testing.T,
// so that the suite's own tests can run it on a store that is broken on purpose
// and expect it to fail.
type check struct {
	name string
	run  func(t testing.TB, h Harness)
}

func checks() []check {
	return slices.Concat(
		storedChecks(), invalidateChecks(), lateChecks(), raceChecks(), leaseChecks(), lossChecks(), callChecks(),
		fenceChecks(), softChecks(), intentChecks(), historyChecks(),
	)
}

// lab is a store under test as two processes see it; where there can be only
// one process, a and b are the same.
type lab struct {
	testing.TB
	h    Harness
	a, b freshet.Store
	open []freshet.Store // those that are not closed yet, in the order of their opening
}

func newLab(t testing.TB, h Harness) *lab {
	t.Helper()
	if h.patience == 0 {
		h.patience = longest
	}
	l := &lab{TB: t, h: h}
	l.a = h.Open(t)
	l.closeLater(l.a)
	l.b = l.peer()
	return l
}

// peer returns another process's view of the store.
func (l *lab) peer() freshet.Store {
	l.Helper()
	if l.h.Peer == nil {
		return l.a
	}
	s := l.h.Peer(l, l.a)
	l.closeLater(s)
	return s
}

func (l *lab) closeLater(s freshet.Store) {
	l.open = append(l.open, s)
	// Once more each time, so as to come before what the harness does in the end.
	l.Cleanup(l.close)
}

// close closes the stores that are open. A check that opens one lab after the other
// calls it when it is done with each: a hundred stores that follow everything that is
// done to the servers they share would keep these from anything else.
func (l *lab) close() {
	for _, s := range slices.Backward(l.open) {
		if err := s.Close(); err != nil {
			l.Errorf("Close: %v", err)
		}
	}
	l.open = nil
}

func (l *lab) lookup(s freshet.Store, ref freshet.Ref) freshet.Found {
	l.Helper()
	found, err := s.Lookup(l.Context(), ref)
	if err != nil {
		l.Fatalf("Lookup of %s: %v", show(ref), err)
	}
	return found
}

func (l *lab) fillUnder(s freshet.Store, ref freshet.Ref, stamp freshet.Stamp, e *freshet.Entry) freshet.Outcome {
	l.Helper()
	outcome, err := s.Fill(l.Context(), ref, stamp, e)
	if err != nil {
		l.Fatalf("Fill of %s: %v", show(ref), err)
	}
	return outcome
}

// fill stores e under a stamp of its own, as a load that nothing disturbs does.
func (l *lab) fill(s freshet.Store, ref freshet.Ref, e *freshet.Entry) freshet.Stamp {
	l.Helper()
	stamp := l.lookup(s, ref).Stamp
	if got := l.fillUnder(s, ref, stamp, e); got != freshet.Stored {
		l.Fatalf("Fill of %s under the stamp of the last Lookup: %v, want %v", show(ref), got, freshet.Stored)
	}
	return stamp
}

func (l *lab) invalidate(s freshet.Store, targets ...freshet.Target) freshet.Version {
	l.Helper()
	v, err := s.Invalidate(l.Context(), targets)
	if err != nil {
		l.Fatalf("Invalidate: %v", err)
	}
	return v
}

func (l *lab) valid(s freshet.Store, ref freshet.Ref, tags []string, stamp freshet.Stamp) bool {
	l.Helper()
	ok, err := s.Valid(l.Context(), ref, tags, stamp)
	if err != nil {
		l.Fatalf("Valid of %s: %v", show(ref), err)
	}
	return ok
}

// wantHit checks that both processes find an entry with that body, which no invalidation
// covers, not even softly.
func (l *lab) wantHit(ref freshet.Ref, body string) {
	l.Helper()
	for _, s := range []freshet.Store{l.a, l.b} {
		switch found := l.lookup(s, ref); {
		case found.Entry == nil:
			l.Errorf("Lookup of %s: a miss, %v; want a hit", show(ref), found.Reason)
		case found.Entry.Body != body:
			l.Errorf("Lookup of %s: body %.80q, want %.80q", show(ref), found.Entry.Body, body)
		case found.Reason != freshet.Absent:
			l.Errorf("Lookup of %s: an entry that is %v, want one that nothing covers", show(ref), found.Reason)
		}
	}
}

// wantMiss checks that no process finds an entry, for one of the reasons given,
// or because it has been removed already.
func (l *lab) wantMiss(ref freshet.Ref, reasons ...freshet.Reason) {
	l.Helper()
	for _, s := range []freshet.Store{l.a, l.b} {
		switch found := l.lookup(s, ref); {
		case found.Entry != nil:
			l.Errorf("Lookup of %s: a hit, %.80q; want a miss", show(ref), found.Entry.Body)
		case found.Reason != freshet.Absent && !slices.Contains(reasons, found.Reason):
			l.Errorf("Lookup of %s: a miss, %v; want %v or %v", show(ref), found.Reason, freshet.Absent, reasons)
		}
	}
}

// eventually polls until ok.
func (l *lab) eventually(what string, ok func() bool) {
	l.Helper()
	for start := time.Now(); !ok(); time.Sleep(time.Millisecond) {
		if time.Since(start) > l.h.patience {
			l.Fatalf("still not so after %v: %s", l.h.patience, what)
		}
	}
}

// entry returns an answer that has just been loaded.
func entry(body string, tags ...string) *freshet.Entry {
	return &freshet.Entry{
		Identity: freshet.Identity{1, 2, 3}, Loaded: time.Now(), TTL: time.Hour,
		Tags: tags, Status: 200, Body: body,
	}
}

func ref(key string) freshet.Ref { return freshet.Ref{Key: key} }

func variant(key, name string) freshet.Ref { return freshet.Ref{Key: key, Variant: name} }

// show returns ref in a length that fits a line.
func show(ref freshet.Ref) string {
	name := ref.Key
	if len(name) > 60 {
		name = name[:60] + "…"
	}
	if ref.Variant != "" {
		name += " variant " + ref.Variant
	}
	return name
}
