package redisstore_test

import (
	"context"
	"errors"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/freshet-dev/freshet"
	"github.com/freshet-dev/freshet/internal/redistest"
	"github.com/freshet-dev/freshet/redisstore"
)

// TestRefused: what trying again cannot mend is an error of New, which names
// the setting and no secret.
func TestRefused(t *testing.T) {
	server, plain := redistest.Start(t, "--requirepass", "hush-hush"), redistest.Start(t)
	tests := []struct {
		name    string
		options redisstore.Options
		want    string
	}{
		{"NOAUTH", redisstore.Options{Port: server.Port}, "REDIS_CACHE_PASSWORD"},
		{"WRONGPASS", redisstore.Options{Port: server.Port, Password: "not-this"}, "REDIS_CACHE_PASSWORD"},
		{"unknown user", redisstore.Options{Port: server.Port, Username: "bob", Password: "hush-hush"}, "REDIS_CACHE_PASSWORD"},
		{"in a URL", redisstore.Options{URL: "redis://:not-this@" + server.Addr}, "REDIS_CACHE_PASSWORD"},
		{"database", redisstore.Options{Port: plain.Port, DB: 99}, "REDIS_CACHE_DB"},
		{"no cluster", redisstore.Options{Cluster: plain.Addr}, "REDIS_CACHE_CLUSTER"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, err := redisstore.New(t.Context(), &tt.options)
			if err == nil {
				s.Close()
				t.Fatal("no error")
			}
			if text := err.Error(); !strings.Contains(text, tt.want) || strings.Contains(text, "hush") || strings.Contains(text, "not-this") {
				t.Errorf("error %q, want it to name %s and no password", text, tt.want)
			}
		})
	}
	s := openWith(t, func(o *redisstore.Options) { o.Port, o.Password = server.Port, "hush-hush" })
	fill(t, s, key("k"), time.Minute, "body")
	if text := s.String(); strings.Contains(text, "hush") || !strings.HasPrefix(text, "redis standalone 127.0.0.1:") {
		t.Errorf("String is %q", text)
	}
}

func TestReadOnly(t *testing.T) {
	server := redistest.Start(t)
	s := open(t, server)
	fill(t, s, key("k"), time.Hour, "body")
	stamp := lookup(t, s, key("k")).Stamp
	do(t, server, "REPLICAOF", "127.0.0.1", "1")
	if _, err := s.Invalidate(t.Context(), []freshet.Target{freshet.Key("k")}); err == nil ||
		!strings.Contains(err.Error(), "READONLY") || strings.Contains(err.Error(), "partition") { // there is only one
		t.Errorf("Invalidate: %v", err)
	}
	if _, err := s.Fill(t.Context(), key("k"), stamp, &freshet.Entry{Loaded: time.Now(), TTL: time.Hour}); err == nil {
		t.Error("Fill: no error")
	}
	do(t, server, "REPLICAOF", "NO", "ONE")
	invalidate(t, s, freshet.Key("k"))
	wantMiss(t, s, key("k"), freshet.Absent)
}

// TestFull: a Redis without memory takes no entries, but every invalidation.
func TestFull(t *testing.T) {
	server := redistest.Start(t, "--maxmemory-policy", "noeviction")
	s := open(t, server)
	fill(t, s, key("k"), time.Hour, "body")
	fill(t, s, key("tagged"), time.Hour, "body", "tag")
	stamp := lookup(t, s, key("other")).Stamp
	do(t, server, "CONFIG", "SET", "maxmemory", "1")
	if _, err := s.Fill(t.Context(), key("other"), stamp, &freshet.Entry{Loaded: time.Now(), TTL: time.Hour}); err == nil ||
		!strings.Contains(err.Error(), "OOM") {
		t.Errorf("Fill: %v", err)
	}
	wantHit(t, s, key("k"), "body")
	invalidate(t, s, freshet.Key("k"), freshet.Tag("tag"))
	wantMiss(t, s, key("k"), freshet.Absent)
	wantMiss(t, open(t, server), key("tagged"), freshet.BannedTag)
	do(t, server, "DEL", "freshet#ctl")
	if found := lookup(t, s, key("tagged")); found.Entry != nil {
		t.Error("a full Redis that lost its metadata serves what it had")
	}
}

// TestLoading starts a store while Redis reads its data from disk.
func TestLoading(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, "--key-load-delay", "2000", "--loading-process-events-interval-bytes", "1024")
	do(t, server, "EVAL", "for i = 1, 1000 do redis.call('SET', 'x' .. i, string.rep('x', 100)) end", "0")
	do(t, server, "SAVE")
	server.Stop()
	server.Start()
	if _, err := server.Do("GET", "x1"); err == nil || !strings.HasPrefix(err.Error(), "LOADING") {
		t.Fatalf("the server is not loading: %v", err)
	}
	s := open(t, server, func(o *redisstore.Options) { o.SocketTimeout = 50 * time.Millisecond })
	if _, err := s.Lookup(t.Context(), key("k")); err == nil {
		t.Error("Lookup while loading: no error")
	}
	await(t, "the data", func() bool { _, err := s.Lookup(t.Context(), key("k")); return err == nil })
}

// TestRestart stops Redis under a store and starts it again, without its data.
func TestRestart(t *testing.T) {
	server := redistest.Start(t)
	s := open(t, server)
	fill(t, s, key("k"), time.Hour, "body")
	late := lookup(t, s, key("late")).Stamp
	server.Stop()
	begun := time.Now()
	if _, err := s.Lookup(t.Context(), key("k")); err == nil {
		t.Error("Lookup without a server: no error")
	}
	if _, err := s.Invalidate(t.Context(), []freshet.Target{freshet.Key("k")}); err == nil {
		t.Error("Invalidate without a server: no error")
	}
	if took := time.Since(begun); took > patience/2 {
		t.Errorf("two errors took %v", took)
	}
	server.Start()
	await(t, "the store to find the server again", func() bool { _, err := s.Lookup(t.Context(), key("k")); return err == nil })
	wantMiss(t, s, key("k"), freshet.Absent)
	e := &freshet.Entry{Loaded: time.Now(), TTL: time.Hour}
	if outcome, err := s.Fill(t.Context(), key("late"), late, e); outcome != freshet.Expired || err != nil {
		t.Errorf("a fill under a stamp of the server's earlier life: %v, %v", outcome, err)
	}
	fill(t, s, key("k"), time.Hour, "new")
	wantHit(t, s, key("k"), "new")
}

// TestFrozen: connections stand, but nothing is answered.
func TestFrozen(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	quick := func(o *redisstore.Options) {
		o.SocketTimeout, o.ConnectTimeout = 200*time.Millisecond, 200*time.Millisecond
	}
	s := open(t, server, quick)
	fill(t, s, key("k"), time.Hour, "body")
	server.Freeze()
	limited, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	calls := map[string]func() error{
		"lookup": func() error { _, err := s.Lookup(context.Background(), key("k")); return err },
		"invalidate": func() error {
			_, err := s.Invalidate(context.Background(), []freshet.Target{freshet.All()})
			return err
		},
		"own limit": func() error { _, err := s.Lookup(limited, key("k")); return err },
		"open": func() error {
			second := open(t, server, quick)
			_, err := second.Lookup(context.Background(), key("k"))
			return err
		},
	}
	for name, call := range calls {
		begun := time.Now()
		err := call()
		var limit interface{ Timeout() bool }
		switch took := time.Since(begun); {
		case err == nil, name != "open" && (!errors.As(err, &limit) || !limit.Timeout()):
			t.Errorf("%s: %v", name, err)
		case took > 10*time.Second:
			t.Errorf("%s took %v of 200 ms", name, took)
		}
	}
	server.Thaw()
	await(t, "the thaw", func() bool { _, err := s.Lookup(t.Context(), key("k")); return err == nil })
}

// TestFullPoolWaits has more callers than connections. The pool of the Python
// original failed 70 % of them.
func TestFullPoolWaits(t *testing.T) {
	server := redistest.Start(t)
	s := open(t, server, func(o *redisstore.Options) { o.MaxConnections = 2 })
	fill(t, s, key("k"), time.Hour, "body")
	held, err := s.Lease(t.Context(), key("leased"), nil, lookup(t, s, key("leased")).Stamp)
	if err != nil {
		t.Fatal(err)
	}
	var group, asked sync.WaitGroup
	asked.Add(64)
	for range 64 {
		group.Go(func() {
			done := sync.OnceFunc(asked.Done)
			defer done()
			for range 50 {
				if found, err := s.Lookup(t.Context(), key("k")); err != nil || found.Entry == nil {
					t.Errorf("Lookup: %v, %v", found.Reason, err)
					return
				}
			}
			l, err := s.Lease(t.Context(), key("leased"), nil, lookup(t, s, key("leased")).Stamp)
			done()
			if err != nil || l.Held() {
				t.Errorf("Lease: %v", err)
				return
			}
			if _, err := l.Wait(t.Context()); err != nil {
				t.Errorf("Wait: %v", err)
			}
		})
	}
	await(t, "the subscription", func() bool { return connections(t, server) >= 2 })
	asked.Wait() // whoever asked later would find the lease free
	held.Release(t.Context(), true)
	group.Wait()
	if n := connections(t, server); n > 2 {
		t.Errorf("%d connections, want at most 2", n)
	}
}

// connections counts the connections of stores to server.
func connections(t testing.TB, server *redistest.Server) int {
	return strings.Count(do(t, server, "CLIENT", "LIST").(string), "name=freshet")
}

func TestSentinelFailover(t *testing.T) {
	t.Parallel()
	group := redistest.StartSentinel(t)
	s := openWith(t, func(o *redisstore.Options) { o.Sentinel = group.Name + "@" + group.Addr })
	fill(t, s, key("k"), time.Hour, "body")
	wantHit(t, s, key("k"), "body")
	if want := "redis sentinel main@" + group.Addr + " db 0"; s.String() != want {
		t.Errorf("String is %q, want %q", s, want)
	}
	group.Master.Stop()
	await(t, "the failover", func() bool {
		_, err := s.Invalidate(t.Context(), []freshet.Target{freshet.Key("k")})
		return err == nil
	})
	if info := do(t, group.Replica, "INFO", "replication").(string); !strings.Contains(info, "role:master") {
		t.Error("the invalidation went to nobody's master")
	}
	await(t, "look-ups at the new master", func() bool {
		found, err := s.Lookup(t.Context(), key("k"))
		return err == nil && found.Entry == nil
	})
}

// TestClusterNodeDown names the partitions that have not been reached.
func TestClusterNodeDown(t *testing.T) {
	t.Parallel()
	c := redistest.StartCluster(t, 2)
	s := openWith(t, func(o *redisstore.Options) {
		o.Cluster, o.SocketTimeout = strings.Join(c.Addrs, ","), time.Second
	})
	fill(t, s, key("k"), time.Hour, "body", "tag")
	c.Nodes[1].Stop()
	_, err := s.Invalidate(t.Context(), []freshet.Target{freshet.Tag("tag")})
	if err == nil || !strings.Contains(err.Error(), `partition "{`) {
		t.Errorf("Invalidate with a node down: %v", err)
	}
	c.Nodes[1].Start()
	await(t, "the cluster", func() bool {
		_, err := s.Invalidate(t.Context(), []freshet.Target{freshet.Tag("tag")})
		return err == nil
	})
}

// TestCloseWhileConnecting: nothing of a store that never had a server stays.
func TestCloseWhileConnecting(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(l.Addr().String())
	l.Close()
	number, _ := strconv.Atoi(port)
	s := openWith(t, func(o *redisstore.Options) { o.Port = number })
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}
