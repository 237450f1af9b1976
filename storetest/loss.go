package storetest

import (
	"testing"

	"github.com/freshet-dev/freshet"
)

func lossChecks() []check {
	return []check{
		{"loss/flush", checkFlush},
		{"loss/forget", checkForget},
		{"loss/corrupt", checkCorrupt},
	}
}

// checkFlush: after everything is lost there are misses, what was being loaded
// is not stored, and the store works as a new one does.
func checkFlush(t testing.TB, h Harness) {
	if h.Flush == nil {
		return
	}
	l := newLab(t, h)
	refs := []freshet.Ref{ref(subjectKey), variant(subjectKey, "0a")}
	var stamps []freshet.Stamp
	for _, r := range refs {
		stamps = append(stamps, l.fill(l.a, r, subject("old")))
		l.wantHit(r, "old")
	}
	h.Flush(l, l.a)
	for i, r := range refs {
		l.wantMiss(r, freshet.Outdated)
		if got := l.fillUnder(l.a, r, stamps[i], subject("old")); got != freshet.Expired {
			l.Errorf("Fill under a stamp from before the loss: %v, want %v", got, freshet.Expired)
		}
		l.wantMiss(r, freshet.Outdated)
		if l.valid(l.b, r, subjectTags(), stamps[i]) {
			l.Errorf("Valid of %s is true for a stamp from before the loss", show(r))
		}
	}
	wantWorking(l, refs)
}

// wantWorking checks that the store stores, finds and invalidates.
func wantWorking(l *lab, refs []freshet.Ref) {
	l.Helper()
	for _, aim := range covering() {
		for _, r := range refs {
			wantFresh(l, r)
		}
		l.invalidate(l.b, aim.target)
		for _, r := range refs {
			l.wantMiss(r, aim.reason)
		}
	}
}

// checkForget loses each kind of metadata after each kind of invalidation: the
// entries are still there, and what had made them unservable is not.
func checkForget(t testing.TB, h Harness) {
	for name, forget := range h.Forget {
		for _, aim := range covering() {
			l := newLab(t, h)
			checkForgotten(l, aim, forget)
			if l.Failed() {
				l.Fatalf("after %v and the loss of %s", aim.target, name)
			}
			l.close()
		}
	}
}

func checkForgotten(l *lab, aim aim, forget func(testing.TB, freshet.Store)) {
	l.Helper()
	refs := []freshet.Ref{ref(subjectKey), variant(subjectKey, "0a")}
	for _, r := range refs {
		l.fill(l.a, r, subject("old"))
	}
	late := ref(subjectKey)
	stamp := l.lookup(l.a, late).Stamp
	l.invalidate(l.a, aim.target)
	forget(l, l.a)

	// A process that starts now has seen nothing of what was lost.
	first := l.a
	l.b = l.peer()
	for _, r := range refs {
		l.wantMiss(r, aim.reason, freshet.Outdated)
	}
	l.fillUnder(l.b, late, stamp, subject("old"))
	l.wantMiss(late, aim.reason, freshet.Outdated)
	l.a = first
	wantWorking(l, refs)
}

// checkCorrupt: damaged bytes are a miss, and the next fill heals them.
func checkCorrupt(t testing.TB, h Harness) {
	if h.Corrupt == nil {
		return
	}
	l := newLab(t, h)
	for _, r := range []freshet.Ref{ref(subjectKey), variant(subjectKey, "0a")} {
		l.fill(l.a, r, subject("old"))
		h.Corrupt(l, l.a, r)
		l.wantMiss(r, freshet.Unreadable)
		wantFresh(l, r)
		h.Corrupt(l, l.a, r)
		l.invalidate(l.b, freshet.Key(subjectKey))
		l.wantMiss(r, freshet.Unreadable)
		wantFresh(l, r)
	}
}
