package redisstore

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/freshet-dev/freshet"
	"github.com/freshet-dev/freshet/internal/redistest"
)

// TestReplay: the replica lacks the last invalidations of two processes, one of
// which only writes. It takes over, both repeat theirs, and everything else is
// still there, until a process comes that was on no server before.
func TestReplay(t *testing.T) {
	t.Parallel()
	group := redistest.StartSentinel(t)
	o := Options{Sentinel: group.Name + "@" + group.Addr, AfterFailover: "replay", IntentDeadline: time.Hour}
	s, writer := openQuiet(t, &o), openQuiet(t, &o)
	for _, name := range []string{"own", "others", "soft", "kept"} {
		fillUnder(t, s, name, stampOf(t, s, name), "tag:"+name)
	}
	before := stampOf(t, s, "kept")
	// Nobody sweeps: what is not served has to be told from what is not there.
	if _, err := group.Master.Do("SET", "freshet#sweep", "test"); err != nil {
		t.Fatal(err)
	}
	awaitHere(t, "the replication", func() bool {
		n, _ := group.Replica.Do("EXISTS", "own", "others", "soft", "kept")
		return n == int64(4)
	})
	// A replica that has been up for no time is taken for a restarted one.
	awaitHere(t, "the replica to be older than the last sighting", func() bool {
		info, err := group.Replica.Do("INFO", "server")
		_, up, _ := strings.Cut(fmt.Sprint(info), "uptime_in_seconds:")
		seconds, _, _ := strings.Cut(up, "\r")
		n, _ := strconv.Atoi(seconds)
		return err == nil && n >= 4
	})
	group.Replica.Freeze()
	if _, err := group.Master.Do("CLIENT", "KILL", "TYPE", "replica"); err != nil {
		t.Fatal(err)
	}
	drop(t, s, freshet.Key("own"))
	drop(t, writer, freshet.Tag("tag:others"), freshet.Tag("tag:soft").Softly())
	// Versions at the new server may well be smaller than those that are known.
	s.layout.parts[0].known.Load().synced.Store(1 << 52)
	group.Master.Stop()
	group.Replica.Thaw()
	var found freshet.Found
	awaitHere(t, "the failover", func() bool {
		var err error
		found, err = s.Lookup(t.Context(), freshet.Ref{Key: "own"})
		return err == nil
	})
	if found.Entry != nil {
		t.Error("what this process has invalidated is served")
	}
	awaitHere(t, "the other process to notice", func() bool {
		found, err := s.Lookup(t.Context(), freshet.Ref{Key: "others"})
		return err == nil && found.Entry == nil
	})
	if found, err := s.Lookup(t.Context(), freshet.Ref{Key: "soft"}); err != nil || found.Entry == nil || found.Reason != freshet.BannedTag {
		t.Errorf("a soft invalidation is repeated as %+v, %v", found, err)
	}
	if found, err := s.Lookup(t.Context(), freshet.Ref{Key: "kept"}); err != nil || found.Entry == nil || found.Stamp.Incarnation != before.Incarnation {
		t.Errorf("what nobody has invalidated is gone: %+v, %v", found, err)
	}
	late := openQuiet(t, &o)
	awaitHere(t, "its life to count", func() bool {
		found, err := late.Lookup(t.Context(), freshet.Ref{Key: "kept"})
		return err == nil && found.Stamp.Incarnation != before.Incarnation
	})
	if found := stampOf(t, s, "kept"); found.Incarnation == before.Incarnation {
		t.Error("a new process goes on with what nobody can have repeated for it")
	}
}

// TestReplayRestart: nobody remembers what an old snapshot lacks.
func TestReplayRestart(t *testing.T) {
	server := redistest.Start(t)
	s := openQuiet(t, &Options{Port: server.Port, AfterFailover: "replay"})
	fillUnder(t, s, "k", stampOf(t, s, "k"))
	if _, err := server.Do("SAVE"); err != nil {
		t.Fatal(err)
	}
	drop(t, s, freshet.Key("k"))
	s.journal.young = nil // the minute has passed
	server.Stop()
	server.Start()
	awaitHere(t, "an answer", func() bool {
		found, err := s.Lookup(t.Context(), freshet.Ref{Key: "k"})
		if err == nil && found.Entry != nil {
			t.Error("the entry of the snapshot is served")
		}
		return err == nil
	})
}

func TestJournal(t *testing.T) {
	var j journal
	j.add([]freshet.Target{freshet.Key("a"), freshet.Key("a"), freshet.Tag("t")})
	now := time.Now()
	j.age(now)
	if got := j.targets(); len(got) != 2 {
		t.Errorf("remembers %v", got)
	}
	j.age(now.Add(journalKept + time.Second))
	if got := j.targets(); len(got) != 2 {
		t.Errorf("after a minute it remembers %v", got)
	}
	j.age(now.Add(2*journalKept + 2*time.Second))
	if got := j.targets(); len(got) != 0 {
		t.Errorf("after two minutes it remembers %v", got)
	}
	for i := range mostRemembered {
		j.add([]freshet.Target{freshet.Key(fmt.Sprint("k", i))})
	}
	got := make(map[freshet.Target]bool)
	for _, target := range j.targets() {
		got[target] = true
	}
	if len(got) > mostRemembered || !got[freshet.All()] {
		t.Errorf("of %d it remembers %d, and everything: %v", mostRemembered, len(got), got[freshet.All()])
	}
}
