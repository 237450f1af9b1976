package redisstore

import (
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/freshet-dev/freshet"
	"github.com/freshet-dev/freshet/internal/redistest"
)

// twoMasters are the servers after a failover of a master that lives, and two
// processes: one has turned to the new master, and the other has not heard of it.
type twoMasters struct {
	*testing.T
	turned, unturned *Store
	sentinel         *redistest.Proxy // of the one that has not turned
	before           freshet.Stamp
}

// startTwoMasters returns when the first process has turned, and has not called
// the new master yet but for its watch. "hit" is an entry, of which both know; where
// it is lost, the new master has nothing at all.
func startTwoMasters(t *testing.T, turn time.Duration, lost bool) *twoMasters {
	group := redistest.StartSentinel(t)
	m := &twoMasters{T: t, sentinel: redistest.StartProxy(t, group.Addr)}
	m.turned, m.unturned = m.open(group.Name+"@"+group.Addr, turn), m.open(group.Name+"@"+m.sentinel.Addr, turn)
	m.before = stampOf(t, m.turned, "hit")
	if outcome := fillUnder(t, m.turned, "hit", m.before); outcome != freshet.Stored {
		t.Fatal(outcome)
	}
	stampOf(t, m.unturned, "hit")
	awaitHere(t, "the replication", func() bool {
		n, _ := group.Replica.Do("EXISTS", "hit", "freshet#ctl")
		return n == int64(2)
	})
	m.sentinel.Refuse()
	m.sentinel.Cut()
	if _, err := group.Failover(); err != nil {
		t.Fatal(err)
	}
	if lost {
		if _, err := group.Replica.Do("FLUSHALL"); err != nil {
			t.Fatal(err)
		}
	}
	awaitHere(t, "the first to turn", func() bool {
		clients, err := group.Replica.Do("CLIENT", "LIST")
		for line := range strings.Lines(fmt.Sprint(clients)) {
			if strings.Contains(line, "name=freshet") && strings.Contains(line, "cmd=evalsha") {
				return err == nil
			}
		}
		return false
	})
	return m
}

func (m *twoMasters) open(sentinel string, turn time.Duration) *Store {
	settings, err := (&Options{Sentinel: sentinel, LookupTimeout: 5 * time.Second, Logger: slog.New(slog.DiscardHandler)}).settings()
	if err != nil {
		m.Fatal(err)
	}
	settings.turnTime = turn
	s, err := start(m.Context(), settings)
	if err != nil {
		m.Fatal(err)
	}
	m.Cleanup(func() { s.Close() })
	return s
}

// hits reports whether s has an entry of key that it would serve.
func (m *twoMasters) hits(s *Store, key string) bool {
	found, err := s.Lookup(m.Context(), freshet.Ref{Key: key})
	if err != nil && !errors.Is(err, errTurning) {
		m.Fatal(err)
	}
	return found.Entry != nil
}

// TestTwoMasters is the two interleavings of turn.go. Without the time to turn each
// ends in a stale answer.
func TestTwoMasters(t *testing.T) {
	for _, tt := range []struct {
		turn time.Duration
		lost bool
	}{{0, false}, {6 * time.Second, false}, {6 * time.Second, true}} {
		t.Run(fmt.Sprintf("%v, lost %v", tt.turn, tt.lost), func(t *testing.T) {
			turn, m := tt.turn, startTwoMasters(t, tt.turn, tt.lost)
			// The first call on the new master: nobody has begun a new life there.
			target := []freshet.Target{freshet.Key("hit")}
			_, err := m.turned.Invalidate(t.Context(), target)
			if !m.hits(m.unturned, "hit") {
				t.Fatal("the second process has turned, which shows nothing")
			}
			if stale := err == nil; stale != (turn == 0) {
				t.Errorf("stale after an invalidation at the new master: %v (%v)", stale, err)
			}

			miss, err := m.turned.Lookup(t.Context(), freshet.Ref{Key: "miss"})
			drop(t, m.unturned, freshet.Key("miss"))
			if err == nil {
				fillUnder(t, m.turned, "miss", miss.Stamp)
			}
			if stale := m.hits(m.turned, "miss"); stale != (turn == 0) {
				t.Errorf("stale after an invalidation at the old master: %v (%v)", stale, err)
			}
			if stamp := stampOf(t, m.unturned, "miss"); stamp.Incarnation != m.before.Incarnation {
				t.Fatal("the second process has turned, which shows nothing")
			}
			if turn > 0 {
				m.wantClear()
				m.wantEnd(target)
			}
		})
	}
}

// wantClear looks at when everything is invalidated once more: an intent may be lost
// with the old master until all have turned, and it would have been due later still.
func (m *twoMasters) wantClear() {
	client, err := m.turned.Client()
	if err != nil {
		m.Fatal(err)
	}
	p := m.turned.layout.parts[0]
	turned, err := client.Do(m.Context(), client.B().Zscore().Key(p.bans).Member(turnedMember).Build()).AsFloat64()
	if err != nil {
		m.Fatal(err)
	}
	last, err := client.Do(m.Context(), client.B().Zrange().Key(p.intents).Min("(inf").Max("-inf").
		Byscore().Rev().Limit(0, 1).Build()).AsStrSlice()
	if err != nil || len(last) != 1 {
		m.Fatal(last, err)
	}
	due, err := strconv.ParseFloat(strings.Split(last[0], ":")[1], 64)
	if want := turned + float64(m.turned.layout.birth.deadline.Microseconds()); err != nil || due < want {
		m.Errorf("the clear is due at %.0f, %v; want %.0f or later", due, err, want)
	}
}

// wantEnd lets the second process turn, too.
func (m *twoMasters) wantEnd(targets []freshet.Target) {
	m.sentinel.Pass()
	awaitHere(m.T, "an invalidation to return", func() bool {
		_, err := m.turned.Invalidate(m.Context(), targets)
		if err != nil && !errors.Is(err, errTurning) {
			m.Fatal(err)
		}
		return err == nil
	})
	if m.hits(m.unturned, "hit") {
		m.Error("stale after an invalidation has returned")
	}
	for _, s := range []*Store{m.turned, m.unturned} {
		stamp := stampOf(m.T, s, "hit")
		if outcome := fillUnder(m.T, s, "hit", stamp); outcome != freshet.Stored {
			m.Errorf("a fill when all have turned: %v", outcome)
		}
		if !m.hits(s, "hit") {
			m.Error("no hits when all have turned")
		}
	}
}
