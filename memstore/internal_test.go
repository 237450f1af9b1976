package memstore

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/freshet-dev/freshet"
)

func newStore(t testing.TB, maxBytes int64) *Store {
	t.Helper()
	s, err := New(&Options{MaxBytes: maxBytes})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func sample(body string, tags ...string) *freshet.Entry {
	return &freshet.Entry{Loaded: time.Now(), TTL: time.Hour, Tags: tags, Status: 200, Body: body}
}

func (s *Store) mustFill(t testing.TB, ref freshet.Ref, stamp freshet.Stamp, e *freshet.Entry) freshet.Outcome {
	t.Helper()
	outcome, err := s.Fill(t.Context(), ref, stamp, e)
	if err != nil {
		t.Fatal(err)
	}
	return outcome
}

func (s *Store) mustInvalidate(t testing.TB, targets ...freshet.Target) {
	t.Helper()
	if _, err := s.Invalidate(t.Context(), targets); err != nil {
		t.Fatal(err)
	}
}

func (s *Store) mustLookup(t testing.TB, key string) freshet.Found {
	t.Helper()
	found, err := s.Lookup(t.Context(), freshet.Ref{Key: key})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// TestBound fills a store with four times what it holds.
func TestBound(t *testing.T) {
	const most = 4 << 20
	s := newStore(t, most)
	for _, variant := range []string{"", "0a"} {
		for i := range 4 * most / 4096 {
			ref := freshet.Ref{Key: fmt.Sprintf("post_cache:%d", i), Variant: variant}
			if got := s.mustFill(t, ref, s.stamp(), sample(strings.Repeat("b", 4096-overhead))); got != freshet.Stored {
				t.Fatalf("Fill: %v", got)
			}
		}
		s.cache.CleanUp()
		if got := s.cache.WeightedSize(); got > most || got < most/2 {
			t.Errorf("the store holds %d bytes, want at most %d and not much less", got, most)
		}
	}
}

// TestOverhead measures what the constant overhead stands for: memory per entry
// beside the bytes of its parts.
func TestOverhead(t *testing.T) {
	const n = 50_000
	s := newStore(t, 1<<30)
	before := heap()
	parts := 0
	for i := range n {
		ref := freshet.Ref{Key: fmt.Sprintf("post_cache:%d", i)}
		e := sample(strings.Repeat("b", 64))
		parts += int(weigh(ref, e)) - overhead
		s.mustFill(t, ref, s.stamp(), e)
	}
	s.cache.CleanUp()
	per := float64(heap()-before-int64(parts)) / n
	t.Logf("%.0f bytes for each entry beside its parts; %d are reckoned", per, overhead)
	if per > overhead || per < overhead/2 {
		t.Errorf("an entry takes %.0f bytes beside its parts, and %d are reckoned", per, overhead)
	}
	runtime.KeepAlive(s)
}

func heap() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// TestFence: history of keys that was forgotten refuses the fills that it might
// have fenced, and nothing else.
func TestFence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, crowd := range []bool{false, true} {
			s := newStore(t, 1<<20)
			s.bansKept = 3
			ref := freshet.Ref{Key: "countries"}
			s.mustFill(t, freshet.Ref{Key: "stays"}, s.stamp(), sample("b"))
			stamp := s.stamp()
			s.mustInvalidate(t, freshet.Key(ref.Key))
			if got := s.mustFill(t, ref, stamp, sample("old")); got != freshet.Fenced {
				t.Errorf("Fill while the history lasts: %v, want %v", got, freshet.Fenced)
			}
			if crowd {
				for i := range 4 {
					s.mustInvalidate(t, freshet.Key(fmt.Sprint("other:", i)))
				}
			} else {
				time.Sleep(fence + time.Second)
				s.mustInvalidate(t, freshet.Key("other"))
			}
			if n := s.keys.Len(); n > 3 {
				t.Errorf("%d bans are kept, want at most 3", n)
			}
			if got := s.mustFill(t, ref, stamp, sample("old")); got != freshet.Expired {
				t.Errorf("Fill after the history was trimmed: %v, want %v", got, freshet.Expired)
			}
			if ok, _ := s.Valid(t.Context(), ref, nil, stamp); ok {
				t.Error("Valid is true for a stamp from before the history")
			}
			if found := s.mustLookup(t, "stays"); found.Entry == nil {
				t.Errorf("an entry of another key is gone: %v", found.Reason)
			}
			if got := s.mustFill(t, ref, s.stamp(), sample("new")); got != freshet.Stored {
				t.Errorf("Fill under a new stamp: %v, want %v", got, freshet.Stored)
			}
		}
	})
}

// TestFloor: history of tags that was forgotten is a miss for what it might have
// covered, be it softly. An entry that has been judged since is not among that.
func TestFloor(t *testing.T) {
	for _, ban := range []func(string) freshet.Target{freshet.Tag, softTag} {
		s := newStore(t, 1<<20)
		s.bansKept = 3
		stamp := s.stamp()
		for _, key := range []string{"banned", "cold", "hot"} {
			s.mustFill(t, freshet.Ref{Key: key}, stamp, sample(key, "tag:"+key))
		}
		s.mustInvalidate(t, ban("tag:banned"))
		for i := range 6 {
			s.mustInvalidate(t, ban(fmt.Sprint("other:", i)))
			if found := s.mustLookup(t, "hot"); found.Entry == nil || found.Reason != freshet.Absent {
				t.Errorf("an entry that is read all the time is gone: %v", found.Reason)
			}
		}
		if n := s.bansOf(ban("")).Len(); n > 3 {
			t.Errorf("%d bans are kept, want at most 3", n)
		}
		for _, key := range []string{"banned", "cold"} {
			if found := s.mustLookup(t, key); found.Entry != nil || found.Reason != freshet.Outdated {
				t.Errorf("Lookup of %s: entry %v, reason %v; want a miss, %v", key, found.Entry, found.Reason, freshet.Outdated)
			}
		}
		late := freshet.Ref{Key: "late"}
		if got := s.mustFill(t, late, stamp, sample("old")); got != freshet.Expired {
			t.Errorf("Fill under a stamp from before the history: %v, want %v", got, freshet.Expired)
		}
		if ok, _ := s.Valid(t.Context(), late, nil, stamp); ok {
			t.Error("Valid is true for a stamp from before the history")
		}
	}
}

func softTag(tag string) freshet.Target { return freshet.Tag(tag).Softly() }

// TestForgetting: bans of tags are kept for as long as an entry may live, and
// not for ever. So are soft ones.
func TestForgetting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, ban := range []func(string) freshet.Target{freshet.Tag, softTag} {
			s := newStore(t, 1<<20)
			e := sample("b", "org:1")
			e.TTL = 24 * time.Hour
			s.mustFill(t, freshet.Ref{Key: "countries"}, s.stamp(), e)
			s.mustInvalidate(t, ban("org:1"))
			time.Sleep(23 * time.Hour)
			s.mustInvalidate(t, ban("org:2"))
			if n := s.bansOf(ban("")).Len(); n != 2 {
				t.Errorf("%d bans are kept within the longest TTL, want 2", n)
			}
			time.Sleep(2 * time.Hour)
			s.mustInvalidate(t, ban("org:3"))
			if n := s.bansOf(ban("")).Len(); n != 2 {
				t.Errorf("%d bans are kept beyond the longest TTL, want 2", n)
			}
		}
	})
}

// TestMarkerLoss: when the marker of a key's variants is lost, so are they, and
// a new marker does not bring them back.
func TestMarkerLoss(t *testing.T) {
	s := newStore(t, 1<<20)
	a, b := freshet.Ref{Key: "search:shoes", Variant: "0a"}, freshet.Ref{Key: "search:shoes", Variant: "0b"}
	s.mustFill(t, a, s.stamp(), sample("a"))
	s.cache.Invalidate(marker(a.Key))
	if _, ok := s.live(a); ok {
		t.Error("a variant is served without its marker")
	}
	s.mustFill(t, b, s.stamp(), sample("b"))
	if _, ok := s.live(a); ok {
		t.Error("a variant is served with the marker of a later generation")
	}
	if _, ok := s.live(b); !ok {
		t.Error("a variant of the new generation is not served")
	}
}

// TestMarkerLives: the marker outlives the longest of the variants.
func TestMarkerLives(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStore(t, 1<<20)
		for i, ttl := range []time.Duration{time.Second, time.Hour, time.Minute} {
			e := sample("b")
			e.TTL = ttl
			s.mustFill(t, freshet.Ref{Key: "search:shoes", Variant: fmt.Sprint(i)}, s.stamp(), e)
		}
		time.Sleep(59 * time.Minute)
		if _, ok := s.live(freshet.Ref{Key: "search:shoes", Variant: "1"}); !ok {
			t.Error("a variant is gone before its TTL")
		}
	})
}

// TestExpiry checks our own look at the clock, with an item that the cache
// believes to live on.
func TestExpiry(t *testing.T) {
	s := newStore(t, 1<<20)
	ref := freshet.Ref{Key: "live_stats"}
	s.mustFill(t, ref, s.stamp(), sample("b"))
	it, _ := s.live(ref)
	it.until = time.Now()
	if found := s.mustLookup(t, ref.Key); found.Entry != nil {
		t.Error("an entry is served after its time")
	}
}

// TestClockBack: versions rise while the clock does not.
func TestClockBack(t *testing.T) {
	s := newStore(t, 1<<20)
	ahead := s.version.Load() + uint64(time.Hour.Microseconds())
	s.version.Store(ahead)
	s.mustFill(t, freshet.Ref{Key: "countries"}, s.stamp(), sample("old", "org:1"))
	s.mustInvalidate(t, freshet.Tag("org:1"))
	if got := s.version.Load(); got != ahead+1 {
		t.Errorf("the version after %d is %d", ahead, got)
	}
	if s.mustLookup(t, "countries").Entry != nil {
		t.Error("an entry is served after the invalidation of its tag")
	}
}
