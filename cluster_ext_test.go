package freshet_test

import (
	"log/slog"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/freshet-dev/freshet/internal/redistest"
	"github.com/freshet-dev/freshet/redisstore"
)

// TestClusterNodeFrozen: a node of a Cluster that freezes costs what it keeps its
// hits, and nothing else.
func TestClusterNodeFrozen(t *testing.T) {
	cluster := redistest.StartCluster(t, 2)
	for _, node := range cluster.Nodes {
		// The other node would close the whole Cluster when it misses one.
		if _, err := node.Do("CONFIG", "SET", "cluster-node-timeout", "600000"); err != nil {
			t.Fatal(err)
		}
	}
	store, err := redisstore.New(t.Context(), &redisstore.Options{
		Cluster: strings.Join(cluster.Addrs, ","), LookupTimeout: time.Second, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	c, d := open(t, store)
	h := routed(c.Handler(item, text("answer")))
	const all = 100
	hits := func() (n int) {
		for i := range all {
			w := send(t.Context(), h, "GET", "/items/"+strconv.Itoa(i))
			if w.Body.String() != "answer" {
				t.Errorf("item %d is answered %d, %q", i, w.Code, w.Body)
			}
			if isHit(w.Header().Get("Cache-Status")) {
				n++
			}
		}
		return n
	}
	hits()
	if n := hits(); n != all {
		t.Fatalf("before: %d hits of %d", n, all)
	}
	cluster.Nodes[1].Freeze()
	for range 10 {
		if n := hits(); n == 0 || n == all {
			t.Errorf("with one node of two: %d hits of %d", n, all)
		}
	}
	wantLines(t, d, "the store fails", 0)
	cluster.Nodes[1].Thaw()
	for deadline := time.Now().Add(time.Minute); hits() < all; {
		if time.Now().After(deadline) {
			t.Fatal("not all are hits a minute after the thaw")
		}
	}
}
