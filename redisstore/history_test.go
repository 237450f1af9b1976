package redisstore

import (
	"fmt"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"github.com/freshet-dev/freshet"
	"github.com/freshet-dev/freshet/internal/redistest"
)

func openHere(t *testing.T, server *redistest.Server) *Store {
	t.Helper()
	s, err := New(t.Context(), &Options{Port: server.Port, LookupTimeout: 5 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func stampOf(t *testing.T, s *Store, key string) freshet.Stamp {
	t.Helper()
	found, err := s.Lookup(t.Context(), freshet.Ref{Key: key})
	if err != nil {
		t.Fatal(err)
	}
	return found.Stamp
}

func fillUnder(t *testing.T, s *Store, key string, stamp freshet.Stamp, tags ...string) freshet.Outcome {
	t.Helper()
	e := &freshet.Entry{Loaded: time.Now(), TTL: time.Hour, Tags: tags}
	outcome, err := s.Fill(t.Context(), freshet.Ref{Key: key}, stamp, e)
	if err != nil {
		t.Fatal(err)
	}
	return outcome
}

func drop(t *testing.T, s *Store, targets ...freshet.Target) freshet.Version {
	t.Helper()
	version, err := s.Invalidate(t.Context(), targets)
	if err != nil {
		t.Fatal(err)
	}
	return version
}

// TestForgottenKeyBans: a load that lasts longer than the ban of its key is kept
// is refused all the same.
func TestForgottenKeyBans(t *testing.T) {
	tests := []struct {
		name  string
		small func(*Store)
	}{
		{"by age", func(s *Store) { s.settings.keyBansKept = 0 }},
		{"by number", func(s *Store) { s.settings.mostBans = 3 }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			server := redistest.Start(t)
			s := openHere(t, server)
			tt.small(s)
			stamp := stampOf(t, s, "k")
			drop(t, s, freshet.Key("k"))
			for i := range 5 {
				drop(t, s, freshet.Key(fmt.Sprint("other", i)))
			}
			if v, err := server.Do("ZSCORE", "freshet#kb", "k:k"); v != nil || err != nil {
				t.Fatalf("the ban is still there: %v, %v", v, err)
			}
			if outcome := fillUnder(t, s, "k", stamp); outcome != freshet.Expired {
				t.Errorf("a fill from before the forgotten ban: %v, want expired", outcome)
			}
			if ok, err := s.Valid(t.Context(), freshet.Ref{Key: "k"}, nil, stamp); ok || err != nil {
				t.Errorf("a load from before the forgotten ban is valid: %v, %v", ok, err)
			}
			if outcome := fillUnder(t, s, "k", stampOf(t, s, "k")); outcome != freshet.Stored {
				t.Errorf("a fill from now: %v, want stored", outcome)
			}
		})
	}
}

// TestForgottenBans: entries that a forgotten ban may have covered are served by
// nobody, whether or not a process has known the ban.
func TestForgottenBans(t *testing.T) {
	server := redistest.Start(t)
	s, witness := openHere(t, server), openHere(t, server)
	// Nobody sweeps: the entry stays, to be judged.
	if _, err := server.Do("SET", "freshet#sweep", "test"); err != nil {
		t.Fatal(err)
	}
	s.settings.mostBans = 3
	before := stampOf(t, s, "old")
	if outcome := fillUnder(t, s, "old", before, "t"); outcome != freshet.Stored {
		t.Fatal(outcome)
	}
	stampOf(t, witness, "old")
	drop(t, s, freshet.Tag("t"))
	for i := range 6 {
		drop(t, s, freshet.Tag(fmt.Sprint("other", i)))
		stampOf(t, witness, "another")
	}
	if v, err := server.Do("ZSCORE", "freshet#tb", "t:t"); v != nil || err != nil {
		t.Fatalf("the ban is still there: %v, %v", v, err)
	}
	for name, s := range map[string]*Store{"the one that banned": s, "one that knew before": witness, "a new one": openHere(t, server)} {
		found, err := s.Lookup(t.Context(), freshet.Ref{Key: "old"})
		if err != nil || found.Entry != nil || found.Reason != freshet.Outdated {
			t.Errorf("%s: entry %v, %v, %v; want a miss, outdated", name, found.Entry, found.Reason, err)
		}
		if outcome := fillUnder(t, s, "late", before, "t"); outcome != freshet.Expired {
			t.Errorf("%s: late fill: %v, want expired", name, outcome)
		}
		if known := s.layout.parts[0].known.Load(); known.bans.Len() > 4 {
			t.Errorf("%s: the replica holds %d bans", name, known.bans.Len())
		}
	}
}

// TestValidNeedsHistory: without the bans of keys, nobody knows.
func TestValidNeedsHistory(t *testing.T) {
	for _, name := range []string{"freshet#ctl", "freshet#tb", "freshet#kb", "freshet#wi"} {
		server := redistest.Start(t)
		s := openHere(t, server)
		stamp := stampOf(t, s, "k")
		if _, err := server.Do("DEL", name); err != nil {
			t.Fatal(err)
		}
		if ok, err := s.Valid(t.Context(), freshet.Ref{Key: "k"}, nil, stamp); ok || err != nil {
			t.Errorf("a load is valid without %s: %v, %v", name, ok, err)
		}
	}
}

// TestSyncSeesTrim plays the interleaving for which a sync returns bans and
// record together: a reader has read the record, with its floor, and then what
// it has not fetched yet is trimmed.
func TestSyncSeesTrim(t *testing.T) {
	server := redistest.Start(t)
	s, reader := openHere(t, server), openHere(t, server)
	s.settings.mostBans = 1
	if outcome := fillUnder(t, s, "k", stampOf(t, reader, "k"), "t"); outcome != freshet.Stored {
		t.Fatal(outcome)
	}
	drop(t, s, freshet.Tag("t"))
	client, err := reader.Client()
	if err != nil {
		t.Fatal(err)
	}
	ref := freshet.Ref{Key: "k"}
	at := reader.layout.place(ref)
	var values []rueidis.RedisMessage
	var known *replica
	var c control
	err = reader.vouched(t.Context(), client, at.part, func() error {
		values, err = client.Do(t.Context(), at.read(client)).ToArray()
		if err != nil {
			return err
		}
		text, _ := values[1].ToString()
		c, _ = parseControl(text)
		drop(t, s, freshet.Tag("other"))
		known, c, err = at.part.catchUp(t.Context(), client, c)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if found := judge(ref, values, known, c); found.Entry != nil {
		t.Error("the entry is served although its ban has been trimmed")
	}
}

// TestUnknownMember: what a later version of the program may have banned covers
// everything.
func TestUnknownMember(t *testing.T) {
	for _, member := range []string{"z:what", "~z:what", "?z:what", "??t:what", "~?t:what"} {
		r := new(replica)
		r.add([]string{"!0123", "inf", member, "7"}, 9)
		if _, _, lost := r.since("k", nil, 6); lost {
			t.Error("history is lost")
		}
		if banned, version, _ := r.since("k", nil, 6); banned == "" || version != 9 {
			t.Errorf("with %s the ban of a key is %q, %d", member, banned, version)
		}
	}
}

// TestUnreadableVersion: nor is a ban lost whose version cannot be read.
func TestUnreadableVersion(t *testing.T) {
	r := new(replica)
	r.add([]string{"t:tag", "1.7e+15"}, 9)
	if member, _, _ := r.since("k", nil, 8); member == "" {
		t.Error("nothing is banned")
	}
}

func TestParseControl(t *testing.T) {
	c, ok := parseControl("f3:00000000000000ab:5:4:3:2:7:6:1:0f")
	if want := (control{0xab, 5, 4, 3, 2, 7, 6}); !ok || c != want {
		t.Errorf("%+v, %v; want %+v", c, ok, want)
	}
	for _, text := range []string{
		"", "f3:", "f2:00000000000000ab:5:4:3:2:7:6:1:0f", "f3:00000000000000ab:5:4:3:2:7:6", "f3:xy:5:4:3:2:7:6:1:0f",
		"f3:ab:5:4::2:7:6:1:0f", "f3:00000000000000ab:5:4:3:2:1:0f",
		"f3:ab:-5:4:3:2:7:6:1:0f", "f3:ab:5:4:3:2.5:7:6:1:0f",
	} {
		if c, ok := parseControl(text); ok || c != (control{}) {
			t.Errorf("%q is read as %+v", text, c)
		}
	}
}

// TestSweepSparesReplaced: between judging and removing, an entry may have been
// replaced.
func TestSweepSparesReplaced(t *testing.T) {
	server := redistest.Start(t)
	s := openHere(t, server)
	fillUnder(t, s, "k", stampOf(t, s, "k"), "t")
	old, err := server.Do("GETRANGE", "k", "16", "31")
	if err != nil {
		t.Fatal(err)
	}
	drop(t, s, freshet.Key("other"))
	fillUnder(t, s, "k", stampOf(t, s, "k"), "t")
	client, _ := s.Client()
	call := invocation{part: s.layout.parts[0], keys: []string{"k"}, args: []string{old.(string)}}
	if n, err := sweepScript.run(t.Context(), client, call).AsInt64(); n != 0 || err != nil {
		t.Errorf("removed %d, %v", n, err)
	}
}

// TestHolds finds the partition of every key of Redis that holds an entry.
func TestHolds(t *testing.T) {
	for _, l := range []layout{newLayout("", false), newLayout("shop", false), newLayout("", true), newLayout("shop", true)} {
		for i := range 100 {
			ref := freshet.Ref{Key: fmt.Sprintf("post:{%d}:%d", i, i)}
			if i%2 == 0 {
				ref.Variant = "ab"
			}
			at := l.place(ref)
			if p := l.holds(at.entry); p != at.part {
				t.Fatalf("%s is in %v, want %v", at.entry, p, at.part)
			}
			if key, ok := at.part.userKey(at.entry); key != ref.Key || !ok {
				t.Fatalf("%s is the entry of %q, %v", at.entry, key, ok)
			}
			for _, name := range []string{at.part.control, at.part.bans, at.lease(), at.part.prefix + ref.Key + markerSuffix} {
				if l.holds(name) != nil {
					t.Fatalf("%s is taken for an entry", name)
				}
			}
		}
	}
	if l := newLayout("shop", true); l.holds("{shop:64}:k") != nil || l.holds("{other:1}:k") != nil || l.holds("k") != nil {
		t.Error("a stranger's key is taken for an entry")
	}
}

// TestLastWakeCounts: a waiter that is slow to look misses no answer, and is not
// sent back by a hint that it may have missed one.
func TestLastWakeCounts(t *testing.T) {
	tests := []struct {
		first, second, want wake
	}{
		{askAgain, goAlone, goAlone}, {lookAgain, goAlone, goAlone}, {goAlone, lookAgain, lookAgain},
		{goAlone, askAgain, goAlone}, {lookAgain, askAgain, lookAgain},
	}
	for _, tt := range tests {
		w := &waiter{wake: make(chan wake, 1)}
		w.send(tt.first)
		w.send(tt.second)
		if got := <-w.wake; got != tt.want {
			t.Errorf("after %d and %d: %d, want %d", tt.first, tt.second, got, tt.want)
		}
	}
}
