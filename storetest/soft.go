package storetest

import (
	"strings"
	"testing"

	"github.com/freshet-dev/freshet"
)

func softChecks() []check {
	list := []check{
		{"soft/spared", checkSoftSpared},
		{"soft/and hard", checkSoftAndHard},
		{"soft/several targets", checkSoftTargets},
		{"soft/long key", checkSoftLongKey},
		{"soft/forget", checkSoftForget},
		{"soft/intent", checkSoftIntent},
	}
	for _, aim := range covering() {
		list = append(list, check{"soft/" + aim.name, func(t testing.TB, h Harness) { checkSoft(t, h, aim) }})
	}
	return list
}

// wantSoft checks that both processes find an entry with that body, as one that a
// soft invalidation covers, for that reason.
func (l *lab) wantSoft(r freshet.Ref, body string, reason freshet.Reason) {
	l.Helper()
	for _, s := range []freshet.Store{l.a, l.b} {
		found := l.lookup(s, r)
		if found.Entry == nil {
			l.Errorf("Lookup of %s: a miss, %v; want an entry, %v", show(r), found.Reason, reason)
			continue
		}
		if found.Entry.Body != body || found.Reason != reason {
			l.Errorf("Lookup of %s: %.80q, %v; want %.80q, %v", show(r), found.Entry.Body, found.Reason, body, reason)
		}
	}
}

// wantNotFresh checks that nobody finds an entry that no invalidation covers.
func (l *lab) wantNotFresh(r freshet.Ref) {
	l.Helper()
	for _, s := range []freshet.Store{l.a, l.b} {
		if found := l.lookup(s, r); found.Entry != nil && found.Reason == freshet.Absent {
			l.Errorf("Lookup of %s: %.80q, as if nothing covered it", show(r), found.Entry.Body)
		}
	}
}

// checkSoft: what a soft target covers stays, and is marked for everybody, however
// often it is looked up; a load from before is neither shared nor found unmarked, and
// one from after it is an entry like any other.
func checkSoft(t testing.TB, h Harness, aim aim) {
	l := newLab(t, h)
	refs := []freshet.Ref{ref(subjectKey), variant(subjectKey, "0a"), variant(subjectKey, "0b")}
	for _, r := range refs {
		l.fill(l.a, r, subject("old"))
		l.wantHit(r, "old")
	}
	bystander := l.fill(l.a, ref("countries"), entry("bystander", "continent:1"))
	late := variant(subjectKey, "0c")
	before := l.lookup(l.a, late).Stamp

	version := l.invalidate(l.b, aim.target.Softly())
	if version <= bystander.Version {
		l.Errorf("Invalidate returned version %d, which is not newer than the stamp %v before it", version, bystander)
	}
	for range 2 {
		for _, r := range refs {
			l.wantSoft(r, "old", aim.reason)
		}
	}
	if aim.target.Kind != freshet.TargetAll && aim.target.Value != "*" {
		l.wantHit(ref("countries"), "bystander")
	}
	wantValid(l, late, before, false)
	l.fillUnder(l.a, late, before, subject("late"))
	l.wantNotFresh(late)
	for _, r := range append(refs, late) {
		after := l.lookup(l.b, r).Stamp
		wantValid(l, r, after, true)
		wantFresh(l, r)
	}
}

// checkSoftSpared: a soft target marks no more than it covers, and costs no load of
// anything else its fill.
func checkSoftSpared(t testing.TB, h Harness) {
	l := newLab(t, h)
	refs := []freshet.Ref{ref(subjectKey), variant(subjectKey, "0a")}
	for _, r := range refs {
		l.fill(l.a, r, subject("stays"))
	}
	late := variant(subjectKey, "0b")
	stamp := l.lookup(l.a, late).Stamp
	for _, aim := range sparing() {
		l.invalidate(l.b, aim.target.Softly())
		for _, r := range refs {
			l.wantHit(r, "stays")
		}
		wantValid(l, late, stamp, true)
		if l.Failed() {
			l.Fatalf("after %v", aim.target.Softly())
		}
	}
	if got := l.fillUnder(l.a, late, stamp, subject("mine")); got != freshet.Stored {
		l.Errorf("Fill after soft invalidations that do not cover it: %v, want %v", got, freshet.Stored)
	}
	l.wantHit(late, "mine")
}

// kinds returns one target of each kind that covers the subject.
func kinds() []aim {
	return []aim{
		{"key", freshet.Key(subjectKey), freshet.BannedKey},
		{"tag", freshet.Tag("user:5"), freshet.BannedTag},
		{"match", freshet.Match("user_5_*"), freshet.BannedMatch},
		{"all", freshet.All(), freshet.BannedAll},
	}
}

// checkSoftAndHard: where a soft target and a hard one cover an entry it is gone, in
// whichever order they came and also for fills that come later; one between them is
// covered by the second alone.
func checkSoftAndHard(t testing.TB, h Harness) {
	l := newLab(t, h)
	for _, soft := range kinds() {
		for _, hard := range kinds() {
			checkSoftThenHard(l, soft.target.Softly(), hard)
			checkHardThenSoft(l, hard, soft)
			if l.Failed() {
				l.Fatalf("of %v and %v", hard.target, soft.target.Softly())
			}
		}
	}
}

func checkSoftThenHard(l *lab, soft freshet.Target, hard aim) {
	l.Helper()
	refs := []freshet.Ref{ref(subjectKey), variant(subjectKey, "0a")}
	for _, r := range refs {
		before := l.fill(l.a, r, subject("old"))
		l.invalidate(l.b, soft)
		l.invalidate(l.a, hard.target)
		l.wantMiss(r, hard.reason)
		l.fillUnder(l.b, r, before, subject("old"))
		l.wantMiss(r, hard.reason)
		wantFresh(l, r)
	}
}

func checkHardThenSoft(l *lab, hard, soft aim) {
	l.Helper()
	refs := []freshet.Ref{ref(subjectKey), variant(subjectKey, "0a")}
	for _, r := range refs {
		before := l.fill(l.a, r, subject("old"))
		l.invalidate(l.b, hard.target)
		between := l.lookup(l.a, r).Stamp
		l.invalidate(l.a, soft.target.Softly())
		l.wantMiss(r, hard.reason)
		l.fillUnder(l.b, r, before, subject("old"))
		l.wantMiss(r, hard.reason)
		if got := l.fillUnder(l.b, r, between, subject("between")); got == freshet.Stored {
			l.wantSoft(r, "between", soft.reason)
		}
		wantFresh(l, r)
	}
}

// checkSoftTargets: soft and hard targets in one call are each what they say.
func checkSoftTargets(t testing.TB, h Harness) {
	l := newLab(t, h)
	for _, key := range []string{"post_cache:1", "latest_posts:global", "user_stats:7", "search_results_a:1", "countries"} {
		l.fill(l.a, ref(key), entry(key, "of:"+key))
	}
	l.invalidate(l.b, freshet.Key("post_cache:1"), freshet.Key("latest_posts:global").Softly(),
		freshet.Tag("of:user_stats:7").Softly(), freshet.Match("search_results_*"))
	l.wantMiss(ref("post_cache:1"), freshet.BannedKey)
	l.wantSoft(ref("latest_posts:global"), "latest_posts:global", freshet.BannedKey)
	l.wantSoft(ref("user_stats:7"), "user_stats:7", freshet.BannedTag)
	l.wantMiss(ref("search_results_a:1"), freshet.BannedMatch)
	l.wantHit(ref("countries"), "countries")
}

// checkSoftLongKey: keys that differ in the last byte only are two for soft targets,
// too.
func checkSoftLongKey(t testing.TB, h Harness) {
	l := newLab(t, h)
	middle := strings.Repeat("0123456789", 1000)
	a, b := "long_"+middle+"_a", "long_"+middle+"_b"
	l.fill(l.a, ref(a), entry("a"))
	l.fill(l.a, ref(b), entry("b"))
	l.invalidate(l.b, freshet.Key(a).Softly())
	l.wantSoft(ref(a), "a", freshet.BannedKey)
	l.wantHit(ref(b), "b")
}

// checkSoftForget loses each kind of metadata after a soft invalidation of each kind:
// its entries may be gone then, but never unmarked.
func checkSoftForget(t testing.TB, h Harness) {
	for name, forget := range h.Forget {
		for _, aim := range kinds() {
			l := newLab(t, h)
			refs := []freshet.Ref{ref(subjectKey), variant(subjectKey, "0a")}
			late := variant(subjectKey, "0b")
			stamp := l.lookup(l.a, late).Stamp
			for _, r := range refs {
				l.fill(l.a, r, subject("old"))
			}
			l.invalidate(l.a, aim.target.Softly())
			forget(l, l.a)
			l.b = l.peer() // which has seen nothing of what was lost
			l.fillUnder(l.b, late, stamp, subject("old"))
			for _, r := range append(refs, late) {
				l.wantNotFresh(r)
			}
			if l.Failed() {
				l.Fatalf("after %v and the loss of %s", aim.target.Softly(), name)
			}
			l.close()
		}
	}
}

// checkSoftIntent: what is on record of a soft target is softly invalidated, by the
// process that put it there or by another after its death.
func checkSoftIntent(t testing.TB, h Harness) {
	l := briefLab(t, h)
	if l == nil {
		return
	}
	l.fill(l.a, ref(subjectKey), subject("own"))
	target := freshet.Tag("org:1").Softly()
	if _, err := l.intend(l.b, target).Invalidate(l.Context(), []freshet.Target{target}); err != nil {
		l.Fatalf("Invalidate: %v", err)
	}
	l.wantSoft(ref(subjectKey), "own", freshet.BannedTag)

	keys := []string{"by key", "by tag", "by match"}
	for _, key := range keys {
		l.fill(l.a, ref(key), entry(key, "of:"+key))
	}
	l.die(freshet.Key("by key").Softly(), freshet.Tag("of:by tag").Softly(), freshet.Match("by m*").Softly())
	for i, reason := range []freshet.Reason{freshet.BannedKey, freshet.BannedTag, freshet.BannedMatch} {
		l.eventually("the soft invalidation "+keys[i], func() bool {
			return l.lookup(l.a, ref(keys[i])).Reason != freshet.Absent
		})
		l.wantSoft(ref(keys[i]), keys[i], reason)
	}
}
