package memstore

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/freshet-dev/freshet"
)

// TestFenceFor: what a fence covers is not stored while it lasts, nor after it when
// it was loaded inside.
func TestFenceFor(t *testing.T) {
	targets := map[string]freshet.Target{
		"key": freshet.Key("k"), "tag": freshet.Tag("t"), "match": freshet.Match("?"), "all": freshet.All(),
	}
	ref := freshet.Ref{Key: "k"}
	for name, target := range targets {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newStore(t, 1<<20)
				s.mustInvalidate(t, freshet.Key("x").FenceFor(time.Hour))
				s.mustInvalidate(t, target.FenceFor(time.Minute))
				s.mustInvalidate(t, target, target.FenceFor(time.Second))
				inside := s.stamp()
				for range 59 {
					if got := s.mustFill(t, ref, s.stamp(), sample("old", "t")); got != freshet.Fenced {
						t.Fatalf("Fill inside the fence: %v", got)
					}
					if ok, _ := s.Valid(t.Context(), ref, []string{"t"}, inside); !ok {
						t.Error("Valid is false inside the fence: loads could not be shared")
					}
					time.Sleep(time.Second)
				}
				inside = s.stamp()
				time.Sleep(2 * time.Second)
				if ok, _ := s.Valid(t.Context(), ref, []string{"t"}, inside); ok {
					t.Error("Valid is true behind the fence: a load from inside would be shared")
				}
				if got := s.mustFill(t, ref, inside, sample("old", "t")); got != freshet.Fenced {
					t.Errorf("Fill of what was loaded inside: %v", got)
				}
				if got := s.mustFill(t, ref, s.stamp(), sample("new", "t")); got != freshet.Stored {
					t.Errorf("Fill after the fence: %v", got)
				}
				if found := s.mustLookup(t, "k"); found.Entry == nil {
					t.Errorf("a miss after the fence: %v", found.Reason)
				}
			})
		})
	}
}

// TestForgottenFences: what was loaded inside a fence that was forgotten is
// refused all the same.
func TestForgottenFences(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStore(t, 1<<20)
		s.mustInvalidate(t, freshet.Tag("t").FenceFor(time.Second))
		inside := s.stamp()
		time.Sleep(fence + 2*time.Second)
		s.mustInvalidate(t, freshet.Tag("other").FenceFor(time.Second))
		if n := s.fences.Len(); n != 1 {
			t.Errorf("%d fences are kept, want 1", n)
		}
		if got := s.mustFill(t, freshet.Ref{Key: "k"}, inside, sample("old", "t")); got != freshet.Expired {
			t.Errorf("Fill of what was loaded inside: %v", got)
		}
	})
}

// TestFollowWaits: following the clock must not publish the version of an
// invalidation that is under way before its bans are in place. A hit would then be
// taken to have been judged by them.
func TestFollowWaits(t *testing.T) {
	s := newStore(t, 1<<20)
	s.mustInvalidate(t, freshet.Key("x").FenceFor(time.Minute))
	s.mu.Lock() // as Invalidate does
	s.version.Store(s.version.Load() - 2*fenceStep)
	done := make(chan struct{})
	go func() { s.stamp(); close(done) }()
	select {
	case <-done:
		t.Error("the version has been published")
	case <-time.After(50 * time.Millisecond):
	}
	s.mu.Unlock()
	<-done
}
