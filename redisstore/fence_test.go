package redisstore_test

import (
	"strings"
	"testing"
	"time"

	"github.com/freshet-dev/freshet"
	"github.com/freshet-dev/freshet/internal/redistest"
	"github.com/freshet-dev/freshet/redisstore"
)

// afterFailover are the settings. With "trust" each test has to see the old
// entries: it proves that the invalidations were lost, and so that the test would
// notice a fence that is missing.
var afterFailover = map[string]bool{"flush": false, "replay": false, "trust": true}

// fillOld stores two entries.
func fillOld(t *testing.T, s freshet.Store) {
	t.Helper()
	fill(t, s, key("k"), time.Hour, "old")
	fill(t, s, key("tagged"), time.Hour, "old", "tag")
	wantHit(t, s, key("k"), "old")
	wantHit(t, s, key("tagged"), "old")
}

// wantOld looks the two up as soon as Redis answers. It is the first answer that
// counts.
func wantOld(t *testing.T, s freshet.Store, want bool) {
	t.Helper()
	for _, name := range []string{"k", "tagged"} {
		var found freshet.Found
		await(t, "an answer", func() (ok bool) {
			var err error
			found, err = s.Lookup(t.Context(), key(name))
			return err == nil
		})
		if got := found.Entry != nil; got != want {
			t.Errorf("%s: the old entry is served: %v, want %v", name, got, want)
		}
	}
}

// TestFailoverLosesInvalidation: the replica's link is cut, an invalidation is
// acknowledged, the master dies, and the replica, which has the old entries and
// the old record, is promoted.
func TestFailoverLosesInvalidation(t *testing.T) {
	t.Parallel()
	for setting, old := range afterFailover {
		t.Run(setting, func(t *testing.T) {
			t.Parallel()
			group := redistest.StartSentinel(t)
			options := func(o *redisstore.Options) {
				o.Sentinel, o.AfterFailover = group.Name+"@"+group.Addr, setting
			}
			s := openWith(t, options)
			fillOld(t, s)
			await(t, "the replication", func() bool {
				return do(t, group.Replica, "EXISTS", "k", "tagged", "freshet#ctl") == int64(3)
			})
			// Frozen, it cannot ask for what it has missed; with its link closed
			// nothing waits for it in the socket either.
			group.Replica.Freeze()
			do(t, group.Master, "CLIENT", "KILL", "TYPE", "replica")
			invalidate(t, s, freshet.Key("k"), freshet.Tag("tag"))
			// Nothing is looked up before the master dies: what this store learns of
			// the ban it would go on knowing, fence or not.
			group.Master.Stop()
			group.Replica.Thaw()
			wantOld(t, s, old)
			wantOld(t, openWith(t, options), old)
			if old {
				return
			}
			fill(t, s, key("k"), time.Hour, "new")
			wantHit(t, openWith(t, options), key("k"), "new")
		})
	}
}

// TestRestartFromSnapshot: the snapshot is older than the invalidation.
func TestRestartFromSnapshot(t *testing.T) {
	for setting, old := range afterFailover {
		t.Run(setting, func(t *testing.T) {
			server := redistest.Start(t)
			options := func(o *redisstore.Options) { o.AfterFailover = setting }
			s := open(t, server, options)
			fillOld(t, s)
			before := lookup(t, s, key("late")).Stamp
			do(t, server, "SAVE")
			invalidate(t, s, freshet.Key("k"), freshet.Key("late"), freshet.Tag("tag"))
			server.Stop()
			server.Start()
			// The fill comes first: it is the one that nothing stops.
			await(t, "the late fill", func() bool {
				_, err := s.Fill(t.Context(), key("late"), before, &freshet.Entry{Loaded: time.Now(), TTL: time.Hour})
				return err == nil
			})
			if found := lookup(t, s, key("late")); (found.Entry != nil) != old {
				t.Errorf("a fill from before the lost invalidation is served: %v, want %v", found.Entry != nil, old)
			}
			wantOld(t, s, old)
			wantOld(t, open(t, server, options), old)
			if ok, err := s.Valid(t.Context(), key("k"), []string{"tag"}, before); ok != old || err != nil {
				t.Errorf("a load from before the lost invalidation is valid: %v, %v; want %v", ok, err, old)
			}
		})
	}
}

// TestFirstCallAfterRestart: whichever call is the first to reach the server, it
// is not taken in, and nor is what it has learnt used by the next.
func TestFirstCallAfterRestart(t *testing.T) {
	calls := map[string]func(s *redisstore.Store, before freshet.Stamp) (old bool, err error){
		"lookup": func(s *redisstore.Store, _ freshet.Stamp) (bool, error) {
			found, err := s.Lookup(t.Context(), key("tagged"))
			return found.Entry != nil, err
		},
		"valid": func(s *redisstore.Store, before freshet.Stamp) (bool, error) {
			return s.Valid(t.Context(), key("k"), []string{"tag"}, before)
		},
		"invalidation": func(s *redisstore.Store, _ freshet.Stamp) (bool, error) {
			_, err := s.Invalidate(t.Context(), []freshet.Target{freshet.Key("other")})
			return false, err
		},
	}
	for name, call := range calls {
		t.Run(name, func(t *testing.T) {
			server := redistest.Start(t)
			s := open(t, server)
			fillOld(t, s)
			before := lookup(t, s, key("k")).Stamp
			do(t, server, "SAVE")
			invalidate(t, s, freshet.Key("k"), freshet.Tag("tag"))
			server.Stop()
			server.Start()
			await(t, "an answer", func() bool {
				old, err := call(s, before)
				if old && err == nil {
					t.Error("what was loaded before the lost invalidation is used")
				}
				return err == nil
			})
			wantOld(t, s, false)
		})
	}
}

// TestSameServer: connections that break lose nothing.
func TestSameServer(t *testing.T) {
	server := redistest.Start(t)
	s := open(t, server)
	fillOld(t, s)
	stamp := lookup(t, s, key("k")).Stamp
	for range 3 {
		do(t, server, "CLIENT", "KILL", "TYPE", "normal")
		await(t, "the connection", func() bool { _, err := s.Lookup(t.Context(), key("k")); return err == nil })
		wantHit(t, s, key("k"), "old")
		wantHit(t, open(t, server), key("tagged"), "old")
	}
	if again := lookup(t, s, key("k")).Stamp; again.Incarnation != stamp.Incarnation {
		t.Error("a new incarnation has begun")
	}
	// Nor does a replica, though it gives the master a new replication id.
	replica := redistest.Start(t, "--replicaof", strings.Replace(server.Addr, ":", " ", 1))
	await(t, "the replica", func() bool { return do(t, replica, "EXISTS", "k") == int64(1) })
	wantHit(t, open(t, server), key("k"), "old")
}

// TestPromotedInPlace: a master is demoted, and promoted again, in the same
// process and without closing connections. Nothing tells the client.
func TestPromotedInPlace(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	s := open(t, server)
	fillOld(t, s)
	do(t, server, "REPLICAOF", "127.0.0.1", "1")
	do(t, server, "REPLICAOF", "NO", "ONE")
	await(t, "the watch", func() bool {
		found, err := s.Lookup(t.Context(), key("k"))
		return err == nil && found.Entry == nil
	})
	wantMiss(t, open(t, server), key("tagged"), freshet.Outdated)
}

// TestRefusesWrites: a master that takes no writes is read on, also over a new
// connection; a replica is not.
func TestRefusesWrites(t *testing.T) {
	server := redistest.Start(t)
	s := open(t, server)
	fillOld(t, s)
	do(t, server, "CONFIG", "SET", "min-replicas-to-write", "1")
	if _, err := s.Invalidate(t.Context(), []freshet.Target{freshet.Key("other")}); err == nil {
		t.Fatal("the server takes writes")
	}
	do(t, server, "CLIENT", "KILL", "TYPE", "normal")
	await(t, "the connection", func() bool { _, err := s.Lookup(t.Context(), key("k")); return err == nil })
	wantHit(t, s, key("k"), "old")
	// So is it by a process that starts only now.
	wantHit(t, open(t, server), key("k"), "old")
	do(t, server, "REPLICAOF", "127.0.0.1", "1")
	do(t, server, "REPLICAOF", "NO", "ONE")
	do(t, server, "REPLICAOF", "127.0.0.1", "1")
	if _, err := open(t, server).Lookup(t.Context(), key("k")); err == nil {
		t.Error("a replica of nobody knows whom is believed")
	}
}

// TestRefusesWritesEmpty: a master that refuses writes and has no history cannot
// be used, until it takes writes again.
func TestRefusesWritesEmpty(t *testing.T) {
	server := redistest.Start(t, "--min-replicas-to-write", "1")
	s := open(t, server)
	if _, err := s.Lookup(t.Context(), key("k")); err == nil || !strings.Contains(err.Error(), "NOREPLICAS") {
		t.Errorf("a lookup without history: %v", err)
	}
	do(t, server, "CONFIG", "SET", "min-replicas-to-write", "0")
	fill(t, s, key("k"), time.Hour, "new")
	wantHit(t, s, key("k"), "new")
}

// TestClusterFailover: a replica that lacks an invalidation takes over.
func TestClusterFailover(t *testing.T) {
	t.Parallel()
	c := redistest.StartReplicatedCluster(t, 3, 1, "--cluster-node-timeout", "1000")
	for setting, old := range afterFailover {
		t.Run(setting, func(t *testing.T) {
			options := func(o *redisstore.Options) {
				o.Cluster, o.Namespace, o.AfterFailover = strings.Join(c.Addrs, ","), setting, setting
			}
			s := openWith(t, options)
			// Its first lives may begin on servers that another case has promoted.
			await(t, "all lives to count", func() bool {
				_, err := s.Invalidate(t.Context(), []freshet.Target{freshet.All()})
				return err == nil
			})
			fill(t, s, key("k"), time.Hour, "old", "tag")
			name := keys(t, "{"+setting+":*}:k", c.Nodes...)[0]
			master, err := c.Owner(redistest.Slot(name))
			if err != nil {
				t.Fatal(err)
			}
			replicas, err := c.Replicas(master)
			if err != nil {
				t.Fatal(err)
			}
			await(t, "the replication", func() bool { return len(keys(t, name, replicas...)) == 1 })
			replicas[0].Freeze()
			do(t, master, "CLIENT", "KILL", "TYPE", "replica")
			invalidate(t, s, freshet.Tag("tag"))
			master.Freeze()
			replicas[0].Thaw()
			if _, err := c.Failover(master, true); err != nil {
				t.Fatal(err)
			}
			master.Thaw()
			for _, s := range []*redisstore.Store{s, openWith(t, options)} {
				var found freshet.Found
				await(t, "an answer", func() bool {
					found, err = s.Lookup(t.Context(), key("k"))
					return err == nil
				})
				// The first has learnt of nothing either: it has not looked since.
				if got := found.Entry != nil; got != old {
					t.Errorf("the old entry is served: %v, want %v", got, old)
				}
			}
			if err := c.Settle(); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// TestClusterRestart: one node of a Cluster comes back with an old snapshot.
func TestClusterRestart(t *testing.T) {
	t.Parallel()
	c := redistest.StartCluster(t, 2)
	s := openWith(t, func(o *redisstore.Options) { o.Cluster = strings.Join(c.Addrs, ",") })
	fillOld(t, s)
	for _, node := range c.Nodes {
		do(t, node, "SAVE")
	}
	invalidate(t, s, freshet.Key("k"), freshet.Tag("tag"))
	for _, node := range c.Nodes {
		node.Stop()
		node.Start()
	}
	wantOld(t, s, false)
}
