package freshet_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/freshet-dev/freshet"
)

// TestFenceOfATarget: it is shown, and is no part of the name in the ban history.
func TestFenceOfATarget(t *testing.T) {
	fenced := freshet.Match("a*").FenceFor(1500 * time.Millisecond)
	if got := fenced.String(); got != "match a* (fence 1.5s)" {
		t.Errorf("it is shown as %s", got)
	}
	if fenced.Member() != freshet.Match("a*").Member() {
		t.Errorf("its member is %s", fenced.Member())
	}
	c, _ := open(t, newFake(t))
	for _, d := range []time.Duration{-1, freshet.MaxFence + 1} {
		_, err := c.Invalidate(t.Context(), freshet.Key("a").FenceFor(d))
		if !errors.Is(err, freshet.ErrTarget) || !strings.Contains(err.Error(), "fence is out of range") {
			t.Errorf("a fence of %v: %v", d, err)
		}
	}
	if _, err := c.Invalidate(t.Context(), freshet.Key("a").FenceFor(freshet.MaxFence)); err != nil {
		t.Error(err)
	}
}

// TestSoftMeetsHard: of one target that is soft and hard the hard one stands. Softness
// is shown, and is no part of the member.
func TestSoftMeetsHard(t *testing.T) {
	soft, hard := freshet.Tag("a").Softly(), freshet.Tag("a")
	if got := soft.String(); got != "soft tag a" || soft.Member() != hard.Member() {
		t.Errorf("it is shown as %s, and its member is %s", got, soft.Member())
	}
	s := newSite(t)
	_, err := s.cache.Invalidate(t.Context(), soft, hard, freshet.Key("b").Softly(), soft)
	want := [][]freshet.Target{{hard, freshet.Key("b").Softly()}}
	if diff := cmp.Diff(want, s.store.invalidated()); diff != "" || err != nil {
		t.Errorf("%v; targets (-want +got):\n%s", err, diff)
	}
}

// TestFencesMeet: of one target with two fences the longer stands.
func TestFencesMeet(t *testing.T) {
	s := newSite(t)
	_, err := s.cache.Invalidate(t.Context(), freshet.Key("a").FenceFor(1), freshet.Key("b"), freshet.Key("a").FenceFor(3), freshet.Key("a"))
	want := [][]freshet.Target{{freshet.Key("a").FenceFor(3), freshet.Key("b")}}
	if diff := cmp.Diff(want, s.store.invalidated()); diff != "" || err != nil {
		t.Errorf("%v; targets (-want +got):\n%s", err, diff)
	}
}
