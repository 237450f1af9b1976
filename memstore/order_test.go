package memstore

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/freshet-dev/freshet"
)

// The tests in this file stop an invalidation half-way: they hold the lock that
// Invalidate holds, and take its steps one by one.

// stillBlocked reports whether done has not been closed. Something that waits as
// it should is never mistaken; something that does not wait has time to be seen.
func stillBlocked(done <-chan struct{}) bool {
	select {
	case <-done:
		return false
	case <-time.After(50 * time.Millisecond):
		return true
	}
}

func (s *Store) mustBan(t *testing.T, target freshet.Target, version freshet.Version) {
	t.Helper()
	if err := s.bansOf(target).Add(target.Member(), uint64(version)); err != nil {
		t.Fatal(err)
	}
}

// TestHalfInvalidated: who meets the first ban of an invalidation waits for the
// others, and then loads under a stamp that includes them.
func TestHalfInvalidated(t *testing.T) {
	for _, target := range []freshet.Target{
		freshet.Key("left"), freshet.Tag("of left"), freshet.Match("l*"), freshet.All(),
		freshet.Key("left").Softly(), freshet.Tag("of left").Softly(), freshet.Match("l*").Softly(), freshet.All().Softly(),
	} {
		s := newStore(t, 1<<20)
		s.mustFill(t, freshet.Ref{Key: "left"}, s.stamp(), sample("old", "of left"))
		s.mu.Lock()
		next := s.stamp().Version + 1
		s.mustBan(t, target, next)
		done := make(chan struct{})
		var found freshet.Found
		go func() {
			defer close(done)
			found = s.mustLookup(t, "left")
		}()
		if !stillBlocked(done) {
			t.Errorf("Lookup has told of an invalidation of %v before all of it was there", target)
		}
		s.version.Store(uint64(next))
		s.mu.Unlock()
		<-done
		if found.Reason == freshet.Absent || (found.Entry != nil) != target.Soft || found.Stamp.Version < next {
			t.Errorf("after an invalidation of %v: entry %v, %v, stamp %v; version %d", target, found.Entry, found.Reason, found.Stamp, next)
		}
	}
}

// TestHalfJudged: an entry that is hit between two bans of one version has not
// been judged by that version.
func TestHalfJudged(t *testing.T) {
	for _, soft := range []bool{false, true} {
		left, right := freshet.Tag("of left"), freshet.Tag("of right")
		left.Soft, right.Soft = soft, soft
		s := newStore(t, 1<<20)
		s.mustFill(t, freshet.Ref{Key: "right"}, s.stamp(), sample("old", "of right"))
		s.mustInvalidate(t, freshet.Tag("of nobody")) // so that there is something to judge
		next := s.stamp().Version + 1
		s.mustBan(t, left, next)
		if found := s.mustLookup(t, "right"); found.Entry == nil || found.Reason != freshet.Absent {
			t.Error("an entry that nothing covers yet is not served")
		}
		s.mustBan(t, right, next)
		s.version.Store(uint64(next))
		if found := s.mustLookup(t, "right"); found.Reason != freshet.BannedTag || (found.Entry != nil) != soft {
			t.Errorf("after the invalidation of its tag an entry is found as %v, %v", found.Entry, found.Reason)
		}
	}
}

// TestFillWaits: a fill does not come between the steps of an invalidation.
func TestFillWaits(t *testing.T) {
	s := newStore(t, 1<<20)
	stamp := s.stamp()
	s.mu.Lock()
	done := make(chan struct{})
	var outcome freshet.Outcome
	go func() {
		defer close(done)
		outcome = s.mustFill(t, freshet.Ref{Key: "left"}, stamp, sample("old"))
	}()
	if !stillBlocked(done) {
		t.Error("Fill has stored during an invalidation")
	}
	s.mustBan(t, freshet.Key("left"), stamp.Version+1)
	s.mu.Unlock()
	<-done
	if outcome != freshet.Fenced {
		t.Errorf("Fill: %v, want %v", outcome, freshet.Fenced)
	}
}

// TestRemoved: an invalidated key stays so when its ban is forgotten.
func TestRemoved(t *testing.T) {
	s := newStore(t, 1<<20)
	s.bansKept = 1
	refs := []freshet.Ref{{Key: "left"}, {Key: "left", Variant: "0a"}}
	for _, ref := range refs {
		s.mustFill(t, ref, s.stamp(), sample("old"))
	}
	s.mustInvalidate(t, freshet.Key("left"))
	for i := range 3 {
		s.mustInvalidate(t, freshet.Key(fmt.Sprint("other:", i)))
	}
	for _, ref := range refs {
		found, err := s.Lookup(t.Context(), ref)
		if err != nil || found.Entry != nil {
			t.Errorf("Lookup of %v: entry %v, error %v; want a miss", ref, found.Entry, err)
		}
	}
}

// TestDeadline: how long an entry is served, counted in the bubble's time.
func TestDeadline(t *testing.T) {
	tests := []struct {
		name       string
		ahead, ttl time.Duration // of the clock that Loaded was taken from
		want       time.Duration
	}{
		{"ordinary", 0, time.Minute, time.Minute},
		{"loaded before", -10 * time.Second, time.Minute, 50 * time.Second},
		{"a clock that is ahead", time.Hour, time.Minute, time.Minute},
		{"less than the least", 0, time.Microsecond, time.Millisecond},
		{"sub-second", 0, 250 * time.Millisecond, 250 * time.Millisecond},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newStore(t, 1<<20)
				e := sample("b")
				e.Loaded, e.TTL = e.Loaded.Add(test.ahead), test.ttl
				s.mustFill(t, freshet.Ref{Key: "live_stats"}, s.stamp(), e)
				time.Sleep(test.want - time.Nanosecond)
				if s.mustLookup(t, "live_stats").Entry == nil {
					t.Errorf("gone before %v", test.want)
				}
				time.Sleep(time.Nanosecond)
				if s.mustLookup(t, "live_stats").Entry != nil {
					t.Errorf("served after %v", test.want)
				}
			})
		})
	}
}
