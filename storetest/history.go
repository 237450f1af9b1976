package storetest

import (
	"slices"
	"testing"

	"github.com/freshet-dev/freshet"
)

func historyChecks() []check { return []check{{"history", checkHistory}} }

// checkHistory: a store that tells the history of an entry names every invalidation
// that covers it, in whichever process it was made, the newest first, and none that
// does not. Soft ones do not take the place of others.
func checkHistory(t testing.TB, h Harness) {
	l := newLab(t, h)
	if _, ok := l.a.(freshet.Historian); !ok {
		t.Log("the store keeps no history that it could tell")
		return
	}
	var want []freshet.Ban
	for _, aim := range sparing() {
		l.invalidate(l.a, aim.target)
	}
	for i, aim := range covering() {
		name := aim.target.Member()
		for _, named := range []freshet.Ban{{Member: name}, {Member: "?" + name}} {
			target := aim.target
			target.Soft = named.Member != name
			named.Version = uint64(l.invalidate([]freshet.Store{l.a, l.b}[i%2], target))
			want = slices.Insert(want, 0, named)
		}
	}
	for _, s := range []freshet.Store{l.a, l.b} {
		got, err := s.(freshet.Historian).History(l.Context(), ref(subjectKey), subjectTags())
		if err != nil {
			l.Fatalf("History: %v", err)
		}
		if len(got.Bans) != len(want) {
			l.Errorf("History: %d bans, want %d", len(got.Bans), len(want))
		}
		for i, ban := range got.Bans[:min(len(got.Bans), len(want))] {
			// The version of an invalidation is that of the partition which is ahead.
			sameVersion := ban.Version == want[i].Version || h.Partitioned && ban.Version < want[i].Version
			if ban.Member != want[i].Member || !sameVersion {
				l.Errorf("History: ban %d is %v, want %v", i, ban, want[i])
			}
		}
		if now := l.lookup(s, ref(subjectKey)).Stamp; got.Stamp != now {
			l.Errorf("History: stamp %v, want %v", got.Stamp, now)
		}
	}
}
