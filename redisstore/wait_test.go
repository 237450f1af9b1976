package redisstore_test

import (
	"strings"
	"testing"
	"time"

	"github.com/freshet-dev/freshet"
	"github.com/freshet-dev/freshet/internal/redistest"
	"github.com/freshet-dev/freshet/redisstore"
)

func waitFor(n int) func(*redisstore.Options) {
	return func(o *redisstore.Options) { o.WaitReplicas, o.SocketTimeout = n, 500*time.Millisecond }
}

// TestWaitReplicas: an invalidation counts when the replica has it. The store
// without the setting shows that the master alone would take it.
func TestWaitReplicas(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	replica := redistest.Start(t, "--replicaof", strings.Replace(server.Addr, ":", " ", 1))
	s, careless := open(t, server, waitFor(1)), open(t, server)
	targets := []freshet.Target{freshet.Key("k"), freshet.Tag("tag")}
	await(t, "the replica", func() bool { _, err := s.Invalidate(t.Context(), targets); return err == nil })
	fillOld(t, s)
	invalidate(t, s, targets...)
	if v := do(t, replica, "ZSCORE", "freshet#tb", "t:tag"); v == nil {
		t.Error("the invalidation has returned and the replica does not have it")
	}
	// The script is unknown, and the connections that waited are broken.
	do(t, server, "SCRIPT", "FLUSH")
	do(t, server, "CLIENT", "KILL", "TYPE", "normal")
	invalidate(t, s, targets...)

	replica.Freeze()
	if _, err := s.Invalidate(t.Context(), targets); err == nil || !strings.Contains(err.Error(), "0 of 1 replicas") {
		t.Errorf("with the replica frozen: %v", err)
	}
	invalidate(t, careless, targets...)
	replica.Thaw()
	await(t, "the replica", func() bool { _, err := s.Invalidate(t.Context(), targets); return err == nil })
	replica.Stop()
	if _, err := s.Invalidate(t.Context(), targets); err == nil {
		t.Error("without the replica: no error")
	}
	invalidate(t, careless, targets...)
	if _, err := open(t, server, waitFor(2)).Invalidate(t.Context(), targets); err == nil {
		t.Error("with fewer replicas than asked for: no error")
	}
}

// TestWaitReplicasCluster: every partition waits for replicas of its own master.
func TestWaitReplicasCluster(t *testing.T) {
	t.Parallel()
	c := redistest.StartReplicatedCluster(t, 3, 1)
	s := openWith(t, waitFor(1), func(o *redisstore.Options) {
		o.Cluster, o.SocketTimeout = strings.Join(c.Addrs, ","), 5*time.Second
	})
	fillOld(t, s)
	everywhere := []freshet.Target{freshet.Tag("tag")}
	// A dedicated connection of the Cluster's client is opened when first used,
	// and there are many.
	await(t, "the replicas", func() bool { _, err := s.Invalidate(t.Context(), everywhere); return err == nil })
	wantMiss(t, s, key("tagged"), freshet.BannedTag)
	for _, replica := range c.Nodes[3:] {
		if len(keys(t, "*freshet#tb", replica)) == 0 {
			t.Error("a replica has nothing")
		}
	}
	c.Nodes[4].Freeze()
	defer c.Nodes[4].Thaw()
	_, err := s.Invalidate(t.Context(), everywhere)
	if err == nil || !strings.Contains(err.Error(), `partition "{`) || !strings.Contains(err.Error(), "0 of 1 replicas") {
		t.Errorf("with a replica frozen: %v", err)
	}
}
