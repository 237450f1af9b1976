package ban

import (
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// model is the Map's definition: a list that is searched from end to end.
type model struct {
	versions map[string]uint64
	newest   uint64
	floor    uint64
}

func (m *model) add(member string, version uint64) {
	m.versions[member] = max(m.versions[member], version)
	m.newest = max(m.newest, version)
}

func (m *model) covers(member, key string, tags []string) bool {
	kind, name, _ := split(member)
	switch kind {
	case keyKind:
		return name == key
	case tagKind:
		return slices.Contains(tags, name)
	case globKind:
		return Match(name, key)
	}
	return true
}

// since returns the newest version, and all the members that have it.
func (m *model) since(key string, tags []string, stamp uint64) (members []string, version uint64) {
	version = stamp
	for member, v := range m.versions {
		if !m.covers(member, key, tags) || v < version || v == stamp {
			continue
		}
		if v > version {
			members, version = nil, v
		}
		members = append(members, member)
	}
	if members == nil {
		return nil, 0
	}
	return members, version
}

// drop forgets the bans that old says so of, and returns the largest version.
func (m *model) drop(old func(version uint64) bool) (floor uint64) {
	for member, v := range m.versions {
		if old(v) {
			floor = max(floor, v)
			delete(m.versions, member)
		}
	}
	m.floor = max(m.floor, floor)
	return floor
}

// oldest returns the version of the n-th oldest ban.
func (m *model) oldest(n int) uint64 {
	return slices.Sorted(maps.Values(m.versions))[n-1]
}

func TestMapIsItsModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		t.Repeat(rapid.StateMachineActions(&machine{model: model{versions: map[string]uint64{}}}))
	})
}

// machine does the same to a Map and to its model. Every exported method is one
// step that rapid may take; Check follows each.
type machine struct {
	bans Map
	model
}

func drawName(t *rapid.T) string {
	return rapid.StringOfN(rapid.SampledFrom([]rune("ab_")), 1, 12, -1).Draw(t, "name")
}

// drawVersion draws one of few versions, so that many bans share one and come
// out of order.
func drawVersion(t *rapid.T) uint64 { return rapid.Uint64Range(1, 60).Draw(t, "version") }

// drawMember draws mostly from a few members that cover nearly everything and
// share buckets: they are banned again and hide one another.
func drawMember(t *rapid.T) string {
	return rapid.OneOf(
		rapid.SampledFrom([]string{Key("a"), Glob("*"), Glob("?*"), Glob("*a*"), Glob("a*"), Glob("*a"), Glob("*ab_*")}),
		rapid.SampledFrom([]string{All, Key("b"), Tag("a"), Tag("b"), Tag("org:1")}),
		rapid.Map(rapid.StringOfN(rapid.SampledFrom([]rune(`aab_*?[^]\`)), 1, 14, -1), Glob),
		rapid.Map(rapid.Custom(drawName), Key),
	).Draw(t, "member")
}

func (m *machine) Add(t *rapid.T) {
	member, version := drawMember(t), drawVersion(t)
	if err := m.bans.Add(member, version); err != nil {
		t.Fatal(err)
	}
	m.add(member, version)
}

func (m *machine) Since(t *rapid.T) {
	key, stamp := drawName(t), drawVersion(t)
	tags := rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "org:1"}), 0, 3).Draw(t, "tags")
	member, version := m.bans.Since(key, tags, stamp)
	want, wantVersion := m.since(key, tags, stamp)
	if version != wantVersion || !slices.Contains(append(want, ""), member) || (member == "") != (want == nil) {
		t.Fatalf("Since(%q, %q, %d) = %q, %d, want one of %q, %d", key, tags, stamp, member, version, want, wantVersion)
	}
}

func (m *machine) Remove(t *rapid.T) {
	member, version := drawMember(t), drawVersion(t)
	m.bans.Remove(member, version)
	if m.versions[member] <= version {
		delete(m.versions, member)
	}
}

func (m *machine) Trim(t *rapid.T) {
	atMost := rapid.IntRange(0, 8).Draw(t, "atMost")
	want, before := uint64(0), len(m.versions)
	if before > atMost {
		want = m.oldest(before - atMost)
	}
	if got := m.bans.Trim(atMost); got != want || m.bans.Len() != min(before, atMost) {
		t.Fatalf("Trim(%d) = %d and leaves %d, want %d", atMost, got, m.bans.Len(), want)
	}
	m.follow(&m.bans, want)
}

func (m *machine) TrimBefore(t *rapid.T) {
	version := drawVersion(t)
	want := m.drop(func(v uint64) bool { return v < version })
	if got := m.bans.TrimBefore(version); got != want {
		t.Fatalf("TrimBefore(%d) = %d, want %d", version, got, want)
	}
}

func (m *machine) Check(t *rapid.T) {
	if diff := cmp.Diff(m.versions, maps.Collect(m.bans.Members)); diff != "" {
		t.Fatalf("members (-model +map):\n%s", diff)
	}
	if m.bans.Newest() != m.newest || m.bans.Floor() != m.floor || m.bans.Len() != len(m.versions) {
		t.Fatalf("newest %d, floor %d, len %d; want %+v", m.bans.Newest(), m.bans.Floor(), m.bans.Len(), m.model)
	}
}

// follow forgets what bans has trimmed up to floor: of several bans at floor
// itself, any may have stayed.
func (m *model) follow(bans *Map, floor uint64) {
	left := maps.Collect(bans.Members)
	for member, v := range m.versions {
		if _, ok := left[member]; !ok && v <= floor {
			delete(m.versions, member)
		}
	}
	m.floor = max(m.floor, floor)
}

func TestAddRefusesUnknownForms(t *testing.T) {
	for _, member := range []string{"", "k", "x:1", "**", "kk:1", "!incarnation", ":a"} {
		var m Map
		if err := m.Add(member, 7); err == nil {
			t.Errorf("Add(%q) succeeded", member)
		}
		if m.Len() != 0 || m.Newest() != 0 {
			t.Errorf("Add(%q) left %d bans, newest %d", member, m.Len(), m.Newest())
		}
	}
}

func TestReset(t *testing.T) {
	var m Map
	for _, member := range []string{All, Key("a"), Tag("a"), Glob("a*")} {
		if err := m.Add(member, 7); err != nil {
			t.Fatal(err)
		}
	}
	m.Trim(3)
	m.Reset()
	if member, _ := m.Since("a", []string{"a"}, 0); member != "" || m.Newest()+m.Floor() != 0 || m.Len() != 0 {
		t.Errorf("%d bans after Reset, newest %d, floor %d, and %q", m.Len(), m.Newest(), m.Floor(), member)
	}
}

// TestBannedAgain: a pattern that is banned again counts as the newest, in the
// bucket that it shares and in the queue.
func TestBannedAgain(t *testing.T) {
	var m Map
	for version, member := range []string{1: Glob("a*"), 2: Glob("*a"), 3: Glob("a*")} {
		if version > 0 {
			if err := m.Add(member, uint64(version)); err != nil {
				t.Fatal(err)
			}
		}
	}
	for stamp := range uint64(3) {
		if member, version := m.Since("a", nil, stamp); member != Glob("a*") || version != 3 {
			t.Errorf("Since(%d) = %q, %d", stamp, member, version)
		}
	}
	if floor := m.Trim(1); floor != 2 {
		t.Errorf("Trim dropped version %d", floor)
	}
}

// TestTrimIsNeverForgotten is the race that Floor exists for: a ban that is
// trimmed while a reader looks must show as the ban or as the floor.
func TestTrimIsNeverForgotten(t *testing.T) {
	const rounds = 2000
	var m Map
	var done sync.WaitGroup
	ready := make(chan uint64)
	done.Go(func() {
		for version := range ready {
			for {
				_, found := m.Since("user_5_posts", nil, version-1)
				floor := m.Floor()
				if found < version && floor < version {
					t.Errorf("ban %d is neither found nor under the floor %d", version, floor)
				}
				if floor >= version {
					break
				}
			}
		}
	})
	for version := uint64(1); version <= rounds; version++ {
		if err := m.Add(Glob("user_5_*"), version); err != nil {
			t.Fatal(err)
		}
		ready <- version
		m.Trim(0)
	}
	close(ready)
	done.Wait()
}

// TestConcurrentUse is for the race detector, and checks the promise that an
// Add that has returned is seen.
func TestConcurrentUse(t *testing.T) {
	var m Map
	var done sync.WaitGroup
	for worker := range 4 {
		done.Go(func() {
			for i := range 300 {
				key, version := fmt.Sprintf("user_%d_%d_x", worker, i), uint64(1+i*4+worker)
				for _, member := range []string{Key(key), Tag(key), Glob(fmt.Sprintf("user_%d_%d_*", worker, i))} {
					if err := m.Add(member, version); err != nil {
						t.Error(err)
					}
				}
				if _, found := m.Since(key, []string{key}, version-1); found != version {
					t.Errorf("Since(%q) = %d, want %d", key, found, version)
				}
				m.Remove(Tag(key), version)
				for range m.Members {
					break
				}
			}
		})
	}
	done.Wait()
	if m.Len() != 4*300*2 {
		t.Errorf("%d members", m.Len())
	}
	m.TrimBefore(1 << 60)
	if m.Len() != 0 {
		t.Errorf("%d members after the trim", m.Len())
	}
}

// TestIndexSpreads checks that patterns which differ only in the middle of a
// long literal do not share a bucket.
func TestIndexSpreads(t *testing.T) {
	var x index
	for i := range 1000 {
		x.insert(&ban{member: Glob(fmt.Sprintf("user_%d_posts_page_*", i)), kind: globKind, version: uint64(i)})
	}
	for _, home := range x.buckets[widest] {
		if len(home.bans) > 2 {
			t.Errorf("%d patterns share a bucket", len(home.bans))
		}
	}
}

func TestGrams(t *testing.T) {
	for _, test := range []struct {
		pattern string
		want    []string
	}{
		{"*", []string{""}},
		{"?[ab]*", []string{""}},
		{"a*bc*d", []string{"bc"}},
		{`a\*c?`, []string{"a*c"}},
		{"ab[x]cd", []string{"ab", "cd"}},
		{"user_123_*", []string{"user_123", "ser_123_"}},
		{"abc[de", []string{"abc"}},
		{`abc\`, []string{`abc\`}},
	} {
		t.Run(test.pattern, func(t *testing.T) {
			width, grams := grams(test.pattern)
			var got []string
			for _, gram := range grams {
				var b []byte
				for i := range width {
					b = append(b, byte(gram>>(8*(width-1-i))))
				}
				got = append(got, string(b))
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
