package memstore_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/freshet-dev/freshet"
	"github.com/freshet-dev/freshet/memstore"
	"github.com/freshet-dev/freshet/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestConformance(t *testing.T) {
	storetest.Run(t, storetest.Harness{
		Open: func(t testing.TB) freshet.Store { return open(t, nil) },
	})
}

func open(t testing.TB, o *memstore.Options) *memstore.Store {
	t.Helper()
	s, err := memstore.New(o)
	if err != nil {
		t.Fatalf("New: %v", err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return s
}

func entry(body string, tags ...string) *freshet.Entry {
	return &freshet.Entry{Loaded: time.Now(), TTL: time.Hour, Tags: tags, Status: 200, Body: body}
}

// fill stores e under a stamp of its own.
func fill(t testing.TB, s *memstore.Store, ref freshet.Ref, e *freshet.Entry) freshet.Outcome {
	t.Helper()
	outcome, err := s.Fill(t.Context(), ref, lookup(t, s, ref).Stamp, e)
	if err != nil {
		t.Fatalf("Fill of %v: %v", ref, err)
	}
	return outcome
}

func lookup(t testing.TB, s *memstore.Store, ref freshet.Ref) freshet.Found {
	t.Helper()
	found, err := s.Lookup(t.Context(), ref)
	if err != nil {
		t.Fatalf("Lookup of %v: %v", ref, err)
	}
	return found
}

func invalidate(t testing.TB, s *memstore.Store, targets ...freshet.Target) {
	t.Helper()
	if _, err := s.Invalidate(t.Context(), targets); err != nil {
		t.Fatalf("Invalidate: %v", err)
	}
}

func TestOptions(t *testing.T) {
	for _, bytes := range []int64{-1, 1, 64<<10 - 1} {
		s, err := memstore.New(&memstore.Options{MaxBytes: bytes})
		if err == nil {
			s.Close()
			t.Errorf("MaxBytes %d: no error", bytes)
			continue
		}
		if text := err.Error(); !strings.HasPrefix(text, "freshet: ") || !strings.Contains(text, "MaxBytes") {
			t.Errorf("MaxBytes %d: error %q does not name the field", bytes, text)
		}
	}
}

func TestString(t *testing.T) {
	for bytes, want := range map[int64]string{
		0:         "memory, at most 256 MiB",
		3 << 30:   "memory, at most 3 GiB",
		100 << 10: "memory, at most 100 KiB",
		100_000:   "memory, at most 100000 bytes",
	} {
		if got := open(t, &memstore.Options{MaxBytes: bytes}).String(); got != want {
			t.Errorf("String with MaxBytes %d is %q, want %q", bytes, got, want)
		}
	}
}

func TestOpen(t *testing.T) {
	s, err := memstore.Open(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if got, want := fmt.Sprint(s), "memory, at most 256 MiB"; got != want {
		t.Errorf("the store is %q, want %q", got, want)
	}
}

func TestTooLarge(t *testing.T) {
	s := open(t, &memstore.Options{MaxBytes: 1 << 20})
	ref := freshet.Ref{Key: "countries"}
	tests := []struct {
		name string
		e    *freshet.Entry
		want freshet.Outcome
	}{
		{"body fits", entry(strings.Repeat("b", 127<<10)), freshet.Stored},
		{"body", entry(strings.Repeat("b", 129<<10)), freshet.TooLarge},
		{"tags", entry("", strings.Repeat("t", 129<<10)), freshet.TooLarge},
		{"header", &freshet.Entry{Header: []freshet.Field{{Name: "X", Value: strings.Repeat("v", 129<<10)}}}, freshet.TooLarge},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := fill(t, s, ref, test.e); got != test.want {
				t.Errorf("Fill: %v, want %v", got, test.want)
			}
		})
	}
	if found := lookup(t, s, ref); found.Entry == nil {
		t.Error("a fill that was too large has removed the entry before it")
	}
}

func TestReasons(t *testing.T) {
	s := open(t, nil)
	ref := freshet.Ref{Key: "user_5_posts:1"}
	for target, want := range map[freshet.Target]freshet.Reason{
		freshet.Tag("org:1"):          freshet.BannedTag,
		freshet.Match("user_5_*"):     freshet.BannedMatch,
		freshet.All():                 freshet.BannedAll,
		freshet.Key("user_5_posts:1"): freshet.Absent, // removed at once
	} {
		fill(t, s, ref, entry("b", "org:1"))
		invalidate(t, s, target)
		if got := lookup(t, s, ref).Reason; got != want {
			t.Errorf("after %v: %v, want %v", target, got, want)
		}
		if got := lookup(t, s, ref).Reason; got != freshet.Absent {
			t.Errorf("after %v, the second time: %v, want %v: a dead entry is removed when it is met", target, got, freshet.Absent)
		}
	}
}

func TestCrowded(t *testing.T) {
	s := open(t, nil)
	name := func(i int) freshet.Ref { return freshet.Ref{Key: "search:shoes", Variant: fmt.Sprintf("%04x", i)} }
	for i := range 1000 {
		if got := fill(t, s, name(i), entry("b")); got != freshet.Stored {
			t.Fatalf("variant %d: %v, want %v", i, got, freshet.Stored)
		}
	}
	want := func(ref freshet.Ref, want freshet.Outcome) {
		t.Helper()
		if got := fill(t, s, ref, entry("c")); got != want {
			t.Errorf("Fill of %v: %v, want %v", ref, got, want)
		}
	}
	want(name(1000), freshet.Crowded)
	want(name(7), freshet.Stored) // replaces one
	want(name(1000), freshet.Crowded)
	want(freshet.Ref{Key: "search:shoes"}, freshet.Stored)
	want(freshet.Ref{Key: "search:boots", Variant: "00"}, freshet.Stored)
	invalidate(t, s, freshet.Key("search:shoes"))
	want(name(1000), freshet.Stored) // a new generation
}

// TestCrowdLeaves: variants that have gone one by one make room.
func TestCrowdLeaves(t *testing.T) {
	s := open(t, nil)
	for i := range 3000 {
		ref := freshet.Ref{Key: "search:shoes", Variant: fmt.Sprintf("%04x", i)}
		if got := fill(t, s, ref, entry("b", fmt.Sprintf("tag:%d", i))); got != freshet.Stored {
			t.Fatalf("variant %d: %v, want %v", i, got, freshet.Stored)
		}
		invalidate(t, s, freshet.Tag(fmt.Sprintf("tag:%d", i)))
		if lookup(t, s, ref).Entry != nil {
			t.Fatalf("variant %d is served after the invalidation of its tag", i)
		}
	}
}
