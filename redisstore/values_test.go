package redisstore_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/freshet-dev/freshet"
	"github.com/freshet-dev/freshet/internal/redistest"
)

func sorted(list []string) []string { return slices.Sorted(slices.Values(list)) }

// TestStrangeValues puts what is not an entry where entries are kept: it is a
// miss, which the next fill heals.
func TestStrangeValues(t *testing.T) {
	server := redistest.Start(t)
	s := open(t, server)
	for _, ref := range []freshet.Ref{key("plain"), {Key: "page", Variant: "ab"}} {
		entry := ref.Key
		if ref.Variant != "" {
			entry += "#v:" + ref.Variant
		}
		fill(t, s, ref, time.Hour, strings.Repeat("body", 100))
		whole := do(t, server, "GET", entry).(string)
		tests := []struct {
			name   string
			write  []string
			reason freshet.Reason
		}{
			{"empty", []string{"SET", entry, ""}, freshet.Unreadable},
			{"text", []string{"SET", entry, `{"json": true}`}, freshet.Unreadable},
			{"truncated", []string{"SET", entry, whole[:len(whole)-1]}, freshet.Unreadable},
			{"fixed part only", []string{"SET", entry, whole[:32]}, freshet.Unreadable},
			{"damaged", []string{"SETRANGE", entry, "200", "???"}, freshet.Unreadable},
			{"another format", []string{"SETRANGE", entry, "3", "\x63"}, freshet.Unreadable},
			{"a list", []string{"LPUSH", entry, "x"}, freshet.Absent},
			{"a hash", []string{"HSET", entry, "x", "y"}, freshet.Absent},
		}
		for _, tt := range tests {
			t.Run(ref.Key+"/"+tt.name, func(t *testing.T) {
				if !strings.HasPrefix(tt.write[0], "SET") {
					do(t, server, "DEL", entry)
				}
				do(t, server, tt.write...)
				wantMiss(t, s, ref, tt.reason)
				fill(t, s, ref, time.Hour, strings.Repeat("body", 100))
				wantHit(t, s, ref, strings.Repeat("body", 100))
			})
		}
	}
}

// TestStrangeMetadata replaces the control keys and the markers by what they
// are not. That is a loss, and a loss is a miss.
func TestStrangeMetadata(t *testing.T) {
	server := redistest.Start(t)
	variant := freshet.Ref{Key: "page", Variant: "ab"}
	for _, name := range []string{"freshet#ctl", "freshet#tb", "freshet#kb", "freshet#wi", "page#v"} {
		for _, write := range [][]string{{"SET", name, "text"}, {"HSET", name, "x", "y"}, {"ZADD", name, "1", "member"}} {
			t.Run(name+"/"+write[0], func(t *testing.T) {
				do(t, server, "FLUSHALL")
				s := open(t, server)
				fill(t, s, variant, time.Hour, "body")
				late := lookup(t, s, key("late")).Stamp
				do(t, server, "DEL", name)
				do(t, server, write...)
				invalidate(t, s, freshet.Key("late"), freshet.Key("page"), freshet.Tag("t"))
				if found := lookup(t, open(t, server), variant); found.Entry != nil {
					t.Error("an invalidated variant is served")
				}
				outcome, err := s.Fill(t.Context(), key("late"), late, &freshet.Entry{Loaded: time.Now(), TTL: time.Hour})
				if outcome == freshet.Stored || err != nil {
					t.Errorf("late fill: %v, %v", outcome, err)
				}
				// A record of nobody knows what is due at once in one of the cases: it is
				// carried out as a clear, which may come between the two.
				await(t, "what is filled now is found", func() bool {
					e := &freshet.Entry{Loaded: time.Now(), TTL: time.Hour, Status: 200, Body: "new"}
					outcome, err := s.Fill(t.Context(), variant, lookup(t, s, variant).Stamp, e)
					return err == nil && outcome == freshet.Stored && lookup(t, s, variant).Entry != nil
				})
			})
		}
	}
}

// TestFillHealsMetadata: lookups do not read the histories, so a fill that finds
// one missing has to start the new life, or nothing would ever be stored again.
func TestFillHealsMetadata(t *testing.T) {
	for _, name := range []string{"freshet#tb", "freshet#kb", "freshet#wi"} {
		t.Run(name, func(t *testing.T) {
			server := redistest.Start(t)
			s := open(t, server)
			fill(t, s, key("old"), time.Hour, "old")
			do(t, server, "DEL", name)
			e := &freshet.Entry{Loaded: time.Now(), TTL: time.Hour, Body: "new"}
			if outcome, err := s.Fill(t.Context(), key("k"), lookup(t, s, key("k")).Stamp, e); outcome != freshet.Expired || err != nil {
				t.Fatalf("the fill that finds the loss: %v, %v", outcome, err)
			}
			wantMiss(t, s, key("old"), freshet.Outdated)
			fill(t, s, key("k"), time.Hour, "new")
			wantHit(t, s, key("k"), "new")
		})
	}
}

// TestVariantsAreBounded fills more variants than are kept.
func TestVariantsAreBounded(t *testing.T) {
	server := redistest.Start(t)
	s := open(t, server)
	ref := func(i int) freshet.Ref {
		return freshet.Ref{Key: "page", Variant: string([]byte{'a' + byte(i/676), 'a' + byte(i/26%26), 'a' + byte(i%26)})}
	}
	for i := range 1000 {
		fill(t, s, ref(i), time.Hour, "body")
	}
	fill(t, s, ref(0), time.Hour, "body") // is there already
	e := &freshet.Entry{Loaded: time.Now(), TTL: time.Hour}
	if outcome, err := s.Fill(t.Context(), ref(1000), lookup(t, s, ref(1000)).Stamp, e); outcome != freshet.Crowded || err != nil {
		t.Fatalf("one variant too many: %v, %v", outcome, err)
	}
	wantHit(t, s, ref(999), "body")
	invalidate(t, s, freshet.Key("page"))
	wantMiss(t, s, ref(999), freshet.BannedKey)
	fill(t, s, ref(1000), time.Hour, "body")
	wantMiss(t, s, ref(999), freshet.BannedKey)
}

// TestSweptVariantsDoNotCount: a variant that is dropped by its tag, removed and
// filled again, over and over, is one variant.
func TestSweptVariantsDoNotCount(t *testing.T) {
	server := redistest.Start(t)
	s := open(t, server)
	ref := freshet.Ref{Key: "page", Variant: "0a"}
	marker := func() string {
		count, _ := do(t, server, "GET", "page#v").(string)
		_, n, _ := strings.Cut(count, ":")
		return n
	}
	for range 3 {
		fill(t, s, ref, time.Hour, "body", "tag")
		if n := marker(); n != "1" {
			t.Fatalf("%s variants are counted, want 1", n)
		}
		invalidate(t, s, freshet.Tag("tag"))
		for began := time.Now(); do(t, server, "EXISTS", "page#v:0a") != int64(0); time.Sleep(time.Millisecond) {
			if time.Since(began) > time.Minute {
				t.Fatal("the variant is not removed")
			}
		}
	}
}
