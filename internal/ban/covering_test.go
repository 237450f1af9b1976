package ban

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"
)

// TestCovering: the newest of the bans that cover something is the one that Since
// finds.
func TestCovering(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var m Map
		members := rapid.SliceOf(rapid.SampledFrom([]string{
			All, Key("a"), Key("ab"), Tag("x"), Tag("y"), Glob("a*"), Glob("*b"), Glob("?"), Glob("a"),
		})).Draw(t, "members")
		for i, member := range members {
			if err := m.Add(member, uint64(i+1)); err != nil {
				t.Fatal(err)
			}
		}
		key := rapid.SampledFrom([]string{"a", "ab", "b", "c"}).Draw(t, "key")
		tags := rapid.SampledFrom([][]string{nil, {"x"}, {"x", "y"}, {"z"}}).Draw(t, "tags")
		covering := m.Covering(key, tags)
		for _, r := range covering {
			var one Map
			_ = one.Add(r.Member, r.Version)
			if member, _ := one.Since(key, tags, 0); member == "" {
				t.Errorf("%v does not cover %s %v", r, key, tags)
			}
		}
		for version := range uint64(len(members)) {
			want := ""
			if len(covering) > 0 && covering[0].Version > version {
				want = covering[0].Member
			}
			if got, _ := m.Since(key, tags, version); got != want {
				t.Errorf("Since %d: %q, and the newest of Covering is %q", version, got, want)
			}
		}
		for i := 1; i < len(covering); i++ {
			if covering[i].Version >= covering[i-1].Version {
				t.Errorf("not the newest first: %v", covering)
			}
		}
	})
}

func TestRecordString(t *testing.T) {
	r := Record{Tag("x"), 1767323045678901}
	if got, want := fmt.Sprint(r), "t:x@1767323045678901 (2026-01-02T03:04:05.678Z)"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}
