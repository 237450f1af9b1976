package storetest

import (
	"context"
	"testing"

	"github.com/freshet-dev/freshet"
)

func intentChecks() []check {
	return []check{
		{"intent/dead", checkIntentDead},
		{"intent/dead/all", checkIntentAll},
		{"intent/alive", checkIntentAlive},
		{"intent/ended", checkIntentEnded},
		{"intent/invalidates", checkIntentInvalidates},
	}
}

// briefLab is a lab of stores whose intents fall due soon; nil where they are not
// kept beyond the process.
func briefLab(t testing.TB, h Harness) *lab {
	t.Helper()
	if h.OpenBrief == nil {
		return nil
	}
	h.Open = h.OpenBrief
	return newLab(t, h)
}

func (l *lab) intend(s freshet.Store, targets ...freshet.Target) freshet.Intent {
	l.Helper()
	i, err := s.(freshet.Intender).Intend(l.Context(), targets)
	if err != nil {
		l.Fatalf("Intend: %v", err)
	}
	return i
}

// die puts targets on record in a process that dies then.
func (l *lab) die(targets ...freshet.Target) {
	l.Helper()
	writer := l.peer()
	l.intend(writer, targets...)
	l.h.Kill(l, writer)
}

// gone waits until nobody finds ref.
func (l *lab) gone(r freshet.Ref) {
	l.Helper()
	l.eventually("the invalidation of "+show(r), func() bool {
		return l.lookup(l.a, r).Entry == nil && l.lookup(l.b, r).Entry == nil
	})
}

// overdue returns when everything has fallen due that was on record before.
func (l *lab) overdue() {
	l.Helper()
	l.fill(l.a, ref("clock"), entry("clock"))
	l.die(freshet.Key("clock"))
	l.gone(ref("clock"))
}

// checkIntentDead: what a process meant to invalidate when it died is invalidated,
// and fenced where it said so, and nothing else is.
func checkIntentDead(t testing.TB, h Harness) {
	l := briefLab(t, h)
	if l == nil {
		return
	}
	keys := []string{"by key", "by tag", "by match", "added by tag", "added by match"}
	for _, key := range append([]string{"stays"}, keys...) {
		l.fill(l.a, ref(key), entry(key, "of:"+key))
	}
	writer := l.peer()
	i := l.intend(writer, freshet.Key("by key"), freshet.Tag("of:by tag").FenceFor(freshet.MaxFence), freshet.Match("by m*"))
	for _, t := range []freshet.Target{freshet.Tag("of:added by tag"), freshet.Match("*ded by match")} {
		if err := i.Add(l.Context(), []freshet.Target{t}); err != nil {
			l.Fatalf("Add: %v", err)
		}
	}
	l.h.Kill(l, writer)
	for _, key := range keys {
		l.gone(ref(key))
	}
	l.wantHit(ref("stays"), "stays")
	l.fillUnder(l.a, ref("by tag"), l.lookup(l.a, ref("by tag")).Stamp, entry("lagging", "of:by tag"))
	l.wantMiss(ref("by tag"), freshet.BannedTag)
}

// checkIntentAll is the same of everything.
func checkIntentAll(t testing.TB, h Harness) {
	l := briefLab(t, h)
	if l == nil {
		return
	}
	l.fill(l.a, ref(subjectKey), subject("old"))
	l.die(freshet.All())
	l.gone(ref(subjectKey))
}

// checkIntentEnded: what has ended does not fall due, and one whose request has been
// given up before is an error.
func checkIntentEnded(t testing.TB, h Harness) {
	l := briefLab(t, h)
	if l == nil {
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := l.a.(freshet.Intender).Intend(ctx, []freshet.Target{freshet.Key("countries")}); err == nil {
		l.Errorf("Intend with a cancelled context: no error")
	}
	withdrawn := l.intend(l.a, freshet.Key("countries"))
	ended := l.intend(l.a, freshet.Key(subjectKey))
	if err := ended.Add(l.Context(), []freshet.Target{freshet.Tag("org:1")}); err != nil {
		l.Fatalf("Add: %v", err)
	}
	withdrawn.Withdraw(l.Context())
	if _, err := ended.Invalidate(l.Context(), []freshet.Target{freshet.Key(subjectKey)}); err != nil {
		l.Fatalf("Invalidate: %v", err)
	}
	l.fill(l.a, ref("countries"), entry("stays"))
	l.fill(l.a, ref(subjectKey), subject("stays"))
	l.overdue()
	l.wantHit(ref("countries"), "stays")
	l.wantHit(ref(subjectKey), "stays")
}

// checkIntentInvalidates: the invalidation of an intent is one.
func checkIntentInvalidates(t testing.TB, h Harness) {
	l := briefLab(t, h)
	if l == nil {
		return
	}
	for _, aim := range covering() {
		stamp := l.fill(l.a, ref(subjectKey), subject("old"))
		i := l.intend(l.b, aim.target)
		l.wantHit(ref(subjectKey), "old")
		version, err := i.Invalidate(l.Context(), []freshet.Target{aim.target})
		if err != nil || version <= stamp.Version {
			l.Errorf("Invalidate: version %d, %v; want one newer than %v", version, err, stamp)
		}
		l.wantMiss(ref(subjectKey), aim.reason)
	}
}

// checkIntentAlive: the intent of a process that lives does not fall due while its
// write is under way, and does when it dies. A process may be too busy to say that
// it lives, and then it is taken for dead: so one time out of some has to do.
func checkIntentAlive(t testing.TB, h Harness) {
	l := briefLab(t, h)
	if l == nil {
		return
	}
	for range 5 {
		l.fill(l.a, ref(subjectKey), subject("old"))
		writer := l.peer()
		l.intend(writer, freshet.Key(subjectKey))
		l.overdue()
		kept := l.lookup(l.a, ref(subjectKey)).Entry != nil
		l.h.Kill(l, writer)
		l.gone(ref(subjectKey))
		if kept {
			return
		}
	}
	l.Errorf("what a process is about to invalidate is gone while it is at work")
}
