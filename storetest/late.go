package storetest

import (
	"testing"

	"github.com/freshet-dev/freshet"
)

func lateChecks() []check {
	list := []check{
		{"late/spared", checkLateSpared},
		{"late/other incarnation", checkOtherIncarnation},
		{"late/out of order", checkOutOfOrder},
	}
	for _, aim := range covering() {
		list = append(list, check{"late/" + aim.name, func(t testing.TB, h Harness) { checkLate(t, h, aim) }})
	}
	return list
}

// checkLate is the race that most caches lose: a load begins, the data changes
// and is invalidated, then the load stores what it has read before.
func checkLate(t testing.TB, h Harness, aim aim) {
	l := newLab(t, h)
	for _, r := range []freshet.Ref{ref(subjectKey), variant(subjectKey, "0a")} {
		stamp := l.lookup(l.a, r).Stamp
		l.invalidate(l.b, aim.target)
		got := l.fillUnder(l.a, r, stamp, subject("old"))
		if got == freshet.Stored && aim.target.Kind == freshet.TargetKey {
			l.Errorf("Fill under a stamp from before the invalidation of its key: %v", got)
		}
		l.wantMiss(r, aim.reason)
		l.wantMiss(r, aim.reason) // the first may have cleared something away
		wantFresh(l, r)

		// And once more over an entry that was stored before.
		stamp = l.lookup(l.b, r).Stamp
		l.invalidate(l.a, aim.target)
		l.fillUnder(l.b, r, stamp, subject("old"))
		l.wantMiss(r, aim.reason)
		wantFresh(l, r)
	}
}

// wantFresh checks that an earlier invalidation does not keep the subject from
// being stored and found again.
func wantFresh(l *lab, r freshet.Ref) {
	l.Helper()
	l.fill(l.a, r, subject("new"))
	l.wantHit(r, "new")
}

// checkLateSpared: an invalidation of something else costs no load its fill.
func checkLateSpared(t testing.TB, h Harness) {
	l := newLab(t, h)
	for _, r := range []freshet.Ref{ref(subjectKey), variant(subjectKey, "0a")} {
		stamp := l.lookup(l.a, r).Stamp
		for _, aim := range sparing() {
			l.invalidate(l.b, aim.target)
		}
		if got := l.fillUnder(l.a, r, stamp, subject("mine")); got != freshet.Stored {
			l.Errorf("Fill after invalidations that do not cover it: %v, want %v", got, freshet.Stored)
		}
		l.wantHit(r, "mine")
	}
}

// checkOtherIncarnation: versions of another life of the store cannot be compared
// with those of this one, so nothing is stored under them.
func checkOtherIncarnation(t testing.TB, h Harness) {
	l := newLab(t, h)
	for _, r := range []freshet.Ref{ref(subjectKey), variant(subjectKey, "0a")} {
		stamp := l.lookup(l.a, r).Stamp
		stamp.Incarnation++
		if got := l.fillUnder(l.a, r, stamp, subject("old")); got != freshet.Expired {
			l.Errorf("Fill under a stamp of another incarnation: %v, want %v", got, freshet.Expired)
		}
		l.wantMiss(r, freshet.Outdated)
		wantFresh(l, r)
	}
}

// checkOutOfOrder: of two loads the one that knows of more invalidations stays,
// whichever ends first.
func checkOutOfOrder(t testing.TB, h Harness) {
	l := newLab(t, h)
	for _, r := range []freshet.Ref{ref(subjectKey), variant(subjectKey, "0a")} {
		older := l.lookup(l.a, r).Stamp
		l.invalidate(l.b, freshet.Tag("of nobody"))
		newer := l.lookup(l.b, r).Stamp
		if newer.Version <= older.Version {
			l.Fatalf("the stamp %v after an invalidation is not newer than %v before it", newer, older)
		}
		if got := l.fillUnder(l.b, r, newer, subject("newer")); got != freshet.Stored {
			l.Fatalf("Fill under the newer stamp: %v, want %v", got, freshet.Stored)
		}
		if got := l.fillUnder(l.a, r, older, subject("older")); got != freshet.Newer {
			l.Errorf("Fill under the older stamp: %v, want %v", got, freshet.Newer)
		}
		l.wantHit(r, "newer")
	}
}
