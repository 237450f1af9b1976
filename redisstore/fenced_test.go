package redisstore

import (
	"testing"
	"time"

	"github.com/freshet-dev/freshet"
	"github.com/freshet-dev/freshet/internal/redistest"
)

// TestFenceHolds: while a fence lasts nothing that it covers is stored, whoever
// loads it, and what is loaded while it lasts is not stored afterwards.
func TestFenceHolds(t *testing.T) {
	targets := map[string]freshet.Target{
		"key": freshet.Key("k"), "tag": freshet.Tag("t"), "match": freshet.Match("?"), "all": freshet.All(),
	}
	for name, target := range targets {
		t.Run(name, func(t *testing.T) {
			server := redistest.Start(t)
			s := settled(t, server, time.Hour, nil)
			drop(t, s, target.FenceFor(freshet.MaxFence))
			drop(t, s, target) // neither shortens it
			drop(t, s, target.FenceFor(time.Millisecond))
			time.Sleep(2 * time.Millisecond)
			s.recheck()
			inside := stampOf(t, s, "k")
			for _, s := range []*Store{s, openHere(t, server)} {
				if outcome := fillUnder(t, s, "k", stampOf(t, s, "k"), "t"); outcome != freshet.Fenced {
					t.Errorf("a fill inside the fence: %v", outcome)
				}
				if ok, err := s.Valid(t.Context(), freshet.Ref{Key: "k"}, []string{"t"}, inside); !ok || err != nil {
					t.Errorf("a load inside the fence may not be shared: %v, %v", ok, err)
				}
			}
			if outcome := fillUnder(t, s, "other", stampOf(t, s, "other")); (outcome == freshet.Fenced) != (name == "all") {
				t.Errorf("a fill of what is not covered: %v", outcome)
			}
		})
	}
}

// TestFenceEnds, and what was loaded inside is refused also when it comes late.
func TestFenceEnds(t *testing.T) {
	t.Parallel()
	for name, target := range map[string]freshet.Target{"key": freshet.Key("k"), "tag": freshet.Tag("t")} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := redistest.Start(t)
			s, other := settled(t, server, time.Hour, nil), openHere(t, server)
			inside := stampInside(t, s, other, target)
			eventually(t, "the end of the fence", func() bool {
				return fillUnder(t, s, "k", stampOf(t, s, "k"), "t") == freshet.Stored
			})
			if _, err := server.Do("DEL", "k"); err != nil {
				t.Fatal(err)
			}
			if outcome := fillUnder(t, other, "k", inside, "t"); outcome != freshet.Fenced {
				t.Errorf("a load from inside: %v", outcome)
			}
			// And the version stands still again.
			eventually(t, "rest", func() bool {
				before := stampOf(t, s, "k")
				s.recheck()
				return stampOf(t, s, "k") == before
			})
		})
	}
}

// stampInside fences target and returns a stamp that other has taken before the end
// of the fence: one that lasts longer where the machine has been too busy.
func stampInside(t *testing.T, s, other *Store, target freshet.Target) freshet.Stamp {
	t.Helper()
	for fence := 20 * time.Millisecond; ; fence *= 2 {
		begun := time.Now()
		drop(t, s, target.FenceFor(fence))
		if inside := stampOf(t, other, "k"); time.Since(begun) < fence {
			return inside
		}
	}
}

// TestFenceSurvivesLoss: what is lost of fences is made up for by one over
// everything, as long as something remembers how long they were.
func TestFenceSurvivesLoss(t *testing.T) {
	for name, lose := range map[string][]string{
		"everything": {"FLUSHALL"}, "control record": {"DEL", "freshet#ctl"}, "bans": {"DEL", "freshet#tb"},
	} {
		t.Run(name, func(t *testing.T) {
			server := redistest.Start(t)
			s := settled(t, server, time.Hour, nil)
			reader := openHere(t, server)
			stampOf(t, reader, "k") // has something to learn from
			drop(t, s, freshet.Key("k").FenceFor(freshet.MaxFence))
			stampOf(t, reader, "k")
			die(s)
			if _, err := server.Do(lose...); err != nil {
				t.Fatal(err)
			}
			fillUnder(t, reader, "k", stampOf(t, reader, "k")) // it may be what notices
			if outcome := fillUnder(t, reader, "k", stampOf(t, reader, "k")); outcome != freshet.Fenced {
				t.Errorf("a fill after the loss: %v", outcome)
			}
		})
	}
}

// TestDeadWriterFences: what a dead process would have fenced is.
func TestDeadWriterFences(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	s := settled(t, server, 50*time.Millisecond, nil, "k")
	writer := openShort(t, Options{Port: server.Port}, 50*time.Millisecond, nil)
	intend(t, writer, freshet.Key("k").FenceFor(freshet.MaxFence))
	die(writer)
	eventually(t, "the invalidation", isMiss(t, s, "k"))
	if outcome := fillUnder(t, s, "k", stampOf(t, s, "k")); outcome != freshet.Fenced {
		t.Errorf("a fill: %v", outcome)
	}
}
