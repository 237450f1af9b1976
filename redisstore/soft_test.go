package redisstore

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/freshet-dev/freshet"
	"github.com/freshet-dev/freshet/internal/redistest"
)

// TestSoftWire: a soft ban is a member of tb, also that of a key, whose entry and
// variants stay as they are.
func TestSoftWire(t *testing.T) {
	server := redistest.Start(t)
	s := openHere(t, server)
	fillUnder(t, s, "k", stampOf(t, s, "k"))
	version := drop(t, s, freshet.Key("k").Softly(), freshet.All().Softly())
	for _, member := range []string{"?k:k", "?*"} {
		if score, err := server.Do("ZSCORE", "freshet#tb", member); score != fmt.Sprint(version) || err != nil {
			t.Errorf("%s is in tb at %v, %v; want %d", member, score, err, version)
		}
	}
	if n, err := server.Do("ZCARD", "freshet#kb"); n != int64(1) || err != nil {
		t.Errorf("kb has %v members, %v; want the sentinel alone", n, err)
	}
	if ttl, err := server.Do("PTTL", "k"); err != nil || ttl.(int64) < 3_500_000 {
		t.Errorf("the entry lives for %v ms, %v", ttl, err)
	}
}

// TestSoftPartitions: a soft target of a key concerns one partition.
func TestSoftPartitions(t *testing.T) {
	s := &Store{layout: newLayout("", true)}
	for target, want := range map[freshet.Target]int{
		freshet.Key("k").Softly(): 1, freshet.Tag("t").Softly(): partitions, freshet.Match("*").Softly(): partitions,
	} {
		batches, sweep := s.split([]freshet.Target{target})
		if len(batches) != want || sweep {
			t.Errorf("%v: %d partitions, sweep %v; want %d, and no sweep", target, len(batches), sweep, want)
		}
	}
	batches, _ := s.split([]freshet.Target{freshet.Key("k").Softly()})
	want := &batch{bans: []string{"0", "?k:k"}}
	if diff := cmp.Diff(want, batches[s.layout.of("k")], cmp.AllowUnexported(batch{}, records{})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestSweepSparesSoft: the walk that removes what a pattern has dropped leaves what is
// softly banned.
func TestSweepSparesSoft(t *testing.T) {
	server := redistest.Start(t)
	s := openHere(t, server)
	for _, key := range []string{"soft", "dropped"} {
		fillUnder(t, s, key, stampOf(t, s, key), "tag:"+key)
	}
	drop(t, s, freshet.Tag("tag:soft").Softly(), freshet.Match("s*").Softly())
	drop(t, s, freshet.Tag("tag:dropped"))
	// Both are on one page, and are removed in one step if at all.
	awaitHere(t, "the sweep", func() bool {
		n, err := server.Do("EXISTS", "dropped")
		return err == nil && n == int64(0)
	})
	if n, err := server.Do("EXISTS", "soft"); n != int64(1) || err != nil {
		t.Errorf("the sweep has removed what is softly banned: %v, %v", n, err)
	}
}

// TestForgottenSoftBans: an entry that a forgotten soft ban may have covered is
// served by nobody, since nobody could mark it, whether or not a process has known
// the ban.
func TestForgottenSoftBans(t *testing.T) {
	for _, target := range []freshet.Target{freshet.Key("old"), freshet.Tag("t"), freshet.Match("o*"), freshet.All()} {
		server := redistest.Start(t)
		s, witness := openHere(t, server), openHere(t, server)
		s.settings.mostBans = 3
		before := stampOf(t, s, "old")
		fillUnder(t, s, "old", before, "t")
		drop(t, s, target.Softly())
		for i := range 6 {
			drop(t, s, freshet.Key(fmt.Sprint("other", i)).Softly())
			stampOf(t, witness, "another")
		}
		if v, err := server.Do("ZSCORE", "freshet#tb", "?"+target.Member()); v != nil || err != nil {
			t.Fatalf("the ban is still there: %v, %v", v, err)
		}
		for name, s := range map[string]*Store{"the one that banned": s, "one that knew before": witness, "a new one": openHere(t, server)} {
			found, err := s.Lookup(t.Context(), freshet.Ref{Key: "old"})
			if err != nil || found.Entry != nil || found.Reason != freshet.Outdated {
				t.Errorf("%s: entry %v, %v, %v; want a miss, outdated", name, found.Entry, found.Reason, err)
			}
			if ok, err := s.Valid(t.Context(), freshet.Ref{Key: "old"}, []string{"t"}, before); ok || err != nil {
				t.Errorf("%s: a load from before the forgotten ban is valid: %v, %v", name, ok, err)
			}
			if known := s.layout.parts[0].known.Load(); known.soft.Len() > 4 {
				t.Errorf("%s: the replica holds %d soft bans", name, known.soft.Len())
			}
		}
	}
}
