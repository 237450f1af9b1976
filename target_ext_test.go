package freshet_test

import (
	"context"
	"errors"
	"net/http"
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

// TestSoftTargets: what is soft is so wherever targets go, and hard where both are
// asked for. A fence is for hard ones only.
func TestSoftTargets(t *testing.T) {
	if got := freshet.Tag("a").FenceFor(1).Softly().String(); got != "soft tag a" {
		t.Errorf("it is shown as %s", got)
	}
	s := newSite(t)
	_, err := s.cache.Invalidate(t.Context(), freshet.Key("a"), freshet.Tag("b").Softly().FenceFor(1))
	if !errors.Is(err, freshet.ErrTarget) || len(s.store.invalidated()) != 0 {
		t.Errorf("a soft target with a fence: %v, invalidated %v", err, s.store.invalidated())
	}
	soft := []freshet.Target{
		freshet.Key("a").Softly(), freshet.Key("b").Softly(), freshet.Key("b").FenceFor(2), freshet.Tag("a").Softly(), freshet.Tag("a").Softly(),
	}
	want := []freshet.Target{freshet.Key("a").Softly(), freshet.Key("b").FenceFor(2), freshet.Tag("a").Softly()}
	add := func(ctx context.Context) error { return freshet.FromContext(ctx).Invalidate(soft...) }
	_, invalidated := s.cache.Invalidate(t.Context(), soft...)
	_, updated := s.cache.Update(t.Context(), func(context.Context) error { return nil }, soft...)
	_, added := s.cache.Update(t.Context(), add)
	s.handle("POST /x", freshet.Rule{}, func(_ http.ResponseWriter, r *http.Request) {
		if err := add(r.Context()); err != nil {
			t.Error(err)
		}
	})
	s.want(s.do("POST", "/x"), writeDone)
	if diff := cmp.Diff([][]freshet.Target{want, want, want, want}, s.store.invalidated()); diff != "" {
		t.Errorf("%v, %v, %v; targets (-want +got):\n%s", invalidated, updated, added, diff)
	}
}

// TestSoftInARuleWithAFence: the rule's fence is for what it drops, not for what its
// handler makes stale.
func TestSoftInARuleWithAFence(t *testing.T) {
	s := newSite(t)
	s.handle("POST /x", freshet.Rule{Key: "x", FenceFor: 5}, func(_ http.ResponseWriter, r *http.Request) {
		if err := freshet.FromContext(r.Context()).Invalidate(freshet.Tag("a").Softly()); err != nil {
			t.Error(err)
		}
	})
	s.want(s.do("POST", "/x"), writeDone)
	want := [][]freshet.Target{{freshet.Key("x").FenceFor(5), freshet.Tag("a").Softly()}}
	if diff := cmp.Diff(want, s.store.invalidated()); diff != "" {
		t.Errorf("targets (-want +got):\n%s", diff)
	}
}

// TestSoftAndOwed: while the store does not take it, a soft invalidation is a hard one.
func TestSoftAndOwed(t *testing.T) {
	s := newFake(t)
	c, _ := open(t, s)
	h := routed(c.Handler(item, text("x")))
	for range 2 {
		get(t, h)
	}
	s.fail(errDown, "Invalidate")
	if _, err := c.Invalidate(t.Context(), freshet.Tag("items").Softly()); !errors.Is(err, errDown) {
		t.Fatalf("error %v", err)
	}
	if state := send(t.Context(), h, "GET", "/items/1").Header().Get("Cache-Status"); !strings.Contains(state, "invalidation-pending") {
		t.Errorf("Cache-Status %q", state)
	}
}
