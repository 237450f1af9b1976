package memstore

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/freshet-dev/freshet"
	"github.com/freshet-dev/freshet/internal/ban"
)

// model is the contract in its plainest form: every entry ever stored last under
// a ref, and every invalidation ever made.
type model struct {
	store   *Store
	forgets bool // the store keeps so few bans that it has to forget
	stamps  []freshet.Stamp
	stored  map[freshet.Ref]*freshet.Entry
	bans    []modelBan
	bodies  int
}

type modelBan struct {
	target  freshet.Target
	version freshet.Version
}

func (b modelBan) covers(key string, tags []string) bool {
	switch b.target.Kind {
	case freshet.TargetKey:
		return b.target.Value == key
	case freshet.TargetTag:
		return slices.Contains(tags, b.target.Value)
	case freshet.TargetMatch:
		return ban.Match(b.target.Value, key)
	default:
		return true
	}
}

func (m *model) covered(key string, tags []string, stamp freshet.Stamp) bool {
	return m.banned(key, tags, stamp, false)
}

func (m *model) banned(key string, tags []string, stamp freshet.Stamp, softly bool) bool {
	return slices.ContainsFunc(m.bans, func(b modelBan) bool {
		return b.target.Soft == softly && b.version > stamp.Version && b.covers(key, tags)
	})
}

// live returns the entry that has to be found under ref.
func (m *model) live(ref freshet.Ref) *freshet.Entry {
	if e := m.stored[ref]; e != nil && !m.covered(ref.Key, e.Tags, e.Stamp) {
		return e
	}
	return nil
}

func drawRef(t *rapid.T) freshet.Ref {
	return freshet.Ref{
		Key:     rapid.SampledFrom([]string{"a:1", "a:2", "b:1"}).Draw(t, "key"),
		Variant: rapid.SampledFrom([]string{"", "0a", "0b"}).Draw(t, "variant"),
	}
}

func drawTarget(t *rapid.T) freshet.Target {
	target := rapid.SampledFrom([]freshet.Target{
		freshet.Key("a:1"), freshet.Key("a:2"), freshet.Key("b:1"), freshet.Key("c:1"),
		freshet.Tag("x"), freshet.Tag("y"), freshet.Match("a:*"), freshet.Match("*:1"), freshet.Match("c*"), freshet.All(),
	}).Draw(t, "target")
	target.Soft = rapid.Bool().Draw(t, "soft")
	return target
}

func drawTags(t *rapid.T) []string {
	return rapid.SampledFrom([][]string{nil, {"x"}, {"y"}, {"x", "y"}}).Draw(t, "tags")
}

func (m *model) lookup(t *rapid.T) {
	ref := drawRef(t)
	found, err := m.store.Lookup(context.Background(), ref)
	want := m.live(ref)
	switch {
	case err != nil:
		t.Fatalf("Lookup of %v: %v", ref, err)
	case found.Entry == nil && want != nil && !m.forgets:
		t.Fatalf("Lookup of %v: a miss, %v; want %v", ref, found.Reason, want.Body)
	case found.Entry != nil && found.Entry != want:
		t.Fatalf("Lookup of %v: %v; want %v", ref, found.Entry, want)
	case found.Entry != nil && (found.Reason != freshet.Absent) != m.banned(ref.Key, want.Tags, want.Stamp, true):
		t.Fatalf("Lookup of %v: an entry that is %v, which is wrong", ref, found.Reason)
	}
	m.stamps = append(m.stamps, found.Stamp)
}

func (m *model) fill(t *rapid.T) {
	ref, stamp := drawRef(t), rapid.SampledFrom(m.stamps).Draw(t, "stamp")
	m.bodies++
	e := sample(fmt.Sprint("body ", m.bodies), drawTags(t)...)
	outcome, err := m.store.Fill(context.Background(), ref, stamp, e)
	if err != nil {
		t.Fatalf("Fill of %v: %v", ref, err)
	}
	covered := m.covered(ref.Key, e.Tags, stamp)
	last := m.stored[ref]
	newer := last != nil && last.Stamp.Version > stamp.Version
	switch {
	case outcome == freshet.Stored && !covered && (!newer || m.live(ref) == nil || m.forgets):
		m.stored[ref] = e
	case outcome == freshet.Fenced && covered, outcome == freshet.Newer && newer && !covered, outcome == freshet.Expired && m.forgets:
	default:
		t.Fatalf("Fill of %v under %v: %v; covered is %v, newer %v", ref, stamp, outcome, covered, newer)
	}
}

func (m *model) invalidate(t *rapid.T) {
	targets := rapid.SliceOfN(rapid.Custom(drawTarget), 0, 3).Draw(t, "targets")
	version, err := m.store.Invalidate(context.Background(), targets)
	if err != nil {
		t.Fatalf("Invalidate of %v: %v", targets, err)
	}
	for _, target := range targets {
		m.bans = append(m.bans, modelBan{target, version})
	}
}

func (m *model) valid(t *rapid.T) {
	ref, tags, stamp := drawRef(t), drawTags(t), rapid.SampledFrom(m.stamps).Draw(t, "stamp")
	got, err := m.store.Valid(context.Background(), ref, tags, stamp)
	want := !m.covered(ref.Key, tags, stamp) && !m.banned(ref.Key, tags, stamp, true)
	if err != nil || got != want && (got || !m.forgets) {
		t.Fatalf("Valid of %v, %v under %v: %v, %v; want %v", ref, tags, stamp, got, err, want)
	}
}

// TestModel does what comes to mind to a store and to its model. A store that
// forgets may miss more than the model, never less.
func TestModel(t *testing.T) {
	for _, kept := range []int{bansKept, 2} {
		t.Run(fmt.Sprintf("%d bans", kept), rapid.MakeCheck(func(t *rapid.T) {
			store, err := New(nil)
			if err != nil {
				t.Fatal(err)
			}
			defer store.Close()
			store.bansKept = kept
			m := &model{store: store, forgets: kept < bansKept, stored: make(map[freshet.Ref]*freshet.Entry)}
			m.stamps = append(m.stamps, store.stamp())
			t.Repeat(map[string]func(*rapid.T){
				"lookup": m.lookup, "fill": m.fill, "invalidate": m.invalidate, "valid": m.valid,
			})
		}))
	}
}
