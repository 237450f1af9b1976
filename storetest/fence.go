package storetest

import (
	"testing"
	"time"

	"github.com/freshet-dev/freshet"
)

func fenceChecks() []check {
	list := []check{
		{"fence/spared", checkFenceSpared},
		{"fence/ends", checkFenceEnds},
		{"fence/loss", checkFenceLoss},
	}
	for _, aim := range covering() {
		list = append(list, check{"fence/" + aim.name, func(t testing.TB, h Harness) { checkFence(t, h, aim) }})
	}
	return list
}

// checkFence: what a fence covers is stored by nobody while it lasts, however new
// the load is, and another invalidation with a shorter one does not end it. A load
// may be shared all the same.
func checkFence(t testing.TB, h Harness, aim aim) {
	l := newLab(t, h)
	refs := []freshet.Ref{ref(subjectKey), variant(subjectKey, "0a")}
	for _, r := range refs {
		l.fill(l.a, r, subject("old"))
	}
	l.invalidate(l.b, aim.target.FenceFor(freshet.MaxFence))
	for range 2 {
		for _, r := range refs {
			l.wantMiss(r, aim.reason)
			for _, s := range []freshet.Store{l.a, l.b} {
				stamp := l.lookup(s, r).Stamp
				if got := l.fillUnder(s, r, stamp, subject("lagging")); got != freshet.Fenced {
					l.Errorf("Fill inside a fence: %v, want %v", got, freshet.Fenced)
				}
				wantValid(l, r, stamp, true)
			}
			l.wantMiss(r, aim.reason)
		}
		l.invalidate(l.b, aim.target.FenceFor(time.Microsecond))
	}
}

// checkFenceSpared: a fence covers no more than its target does.
func checkFenceSpared(t testing.TB, h Harness) {
	l := newLab(t, h)
	// A partition that begins its life later would make up for fences that it may
	// have lost.
	l.invalidate(l.b, freshet.All())
	for _, aim := range sparing() {
		l.invalidate(l.b, aim.target.FenceFor(freshet.MaxFence))
	}
	for _, r := range []freshet.Ref{ref(subjectKey), variant(subjectKey, "0a")} {
		wantFresh(l, r)
	}
}

// checkFenceEnds: a fence ends, for loads that begin then. Those from before are
// refused for ever, and nobody who comes after the fence may share one.
func checkFenceEnds(t testing.TB, h Harness) {
	for _, target := range []freshet.Target{freshet.Key(subjectKey), freshet.Tag("org:1")} {
		l := newLab(t, h)
		r, inside := ref(subjectKey), l.stampInside(target)
		l.eventually("a fill after the fence", func() bool {
			return l.fillUnder(l.b, r, l.lookup(l.b, r).Stamp, subject("new")) == freshet.Stored
		})
		l.wantHit(r, "new")
		wantValid(l, r, inside, false)
		late := variant(subjectKey, "0a")
		l.fillUnder(l.a, late, inside, subject("lagging"))
		l.wantMiss(late)
	}
}

// stampInside puts a fence over target and returns a stamp from before its end. On a
// busy machine that takes a long fence.
func (l *lab) stampInside(target freshet.Target) freshet.Stamp {
	l.Helper()
	for d := 20 * time.Millisecond; ; d *= 4 {
		began := time.Now()
		l.invalidate(l.b, target.FenceFor(d))
		stamp := l.lookup(l.a, ref(subjectKey)).Stamp
		if time.Since(began) < d {
			return stamp
		}
	}
}

// checkFenceLoss: a fence outlasts the loss of all data, since those who know of
// it have not lost it.
func checkFenceLoss(t testing.TB, h Harness) {
	if h.Flush == nil {
		return
	}
	l := newLab(t, h)
	r := ref(subjectKey)
	l.fill(l.a, r, subject("old"))
	l.invalidate(l.b, freshet.Tag("org:1").FenceFor(freshet.MaxFence))
	l.wantMiss(r, freshet.BannedTag)
	h.Flush(l, l.a)
	l.fillUnder(l.a, r, l.lookup(l.a, r).Stamp, subject("lagging"))
	l.wantMiss(r, freshet.Outdated)
}
