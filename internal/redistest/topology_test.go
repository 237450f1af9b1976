package redistest

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// TestCluster does everything that a cluster can do, to one cluster.
func TestCluster(t *testing.T) {
	t.Parallel()
	c := StartReplicatedCluster(t, 3, 1, "--cluster-node-timeout", "1000")
	if len(c.Addrs) != 6 {
		t.Fatal(c.Addrs)
	}
	masters, err := c.Masters()
	if err != nil || !slices.Equal(masters, c.Nodes[:3]) {
		t.Fatal(masters, err)
	}
	replicas, err := c.Replicas(c.Nodes[1])
	if err != nil || len(replicas) != 1 || replicas[0] != c.Nodes[4] {
		t.Fatal(replicas, err)
	}
	testReshard(t, c)
	testPromotion(t, c)
}

// testReshard fills a slot, moves it there and back, and looks for the keys.
func testReshard(t *testing.T, c *Cluster) {
	slot := Slot("{tag}:0")
	first, err := c.Owner(slot)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 25 {
		if _, err := first.Do("SET", fmt.Sprintf("{tag}:%d", i), "v"); err != nil {
			t.Fatalf("slot %d: %v", slot, err)
		}
	}
	added, err := c.Add(nil)
	if err != nil {
		t.Fatal(err)
	}
	if moved, err := c.MoveSlots(first, added, 3); err != nil || len(moved) != 3 || moved[0] != slot {
		t.Fatalf("moved %v, %v; want the slot with keys, %d, to be the first", moved, err, slot)
	}
	if owner, err := c.Owner(slot); owner != added || err != nil {
		t.Errorf("the slot has not moved: %v, %v", owner, err)
	}
	if n, err := added.Do("DBSIZE"); n != int64(25) {
		t.Errorf("%v keys have moved: %v", n, err)
	}
	if _, err := first.Do("GET", "{tag}:1"); err == nil || !strings.HasPrefix(err.Error(), "MOVED") {
		t.Errorf("the old owner says %v", err)
	}
	if err := c.MoveSlot(slot, first); err != nil {
		t.Fatal(err)
	}
	if n, err := first.Do("DBSIZE"); n != int64(25) {
		t.Errorf("%v keys have moved back: %v", n, err)
	}
}

// testPromotion fails over with and without the master's consent, and heals.
func testPromotion(t *testing.T, c *Cluster) {
	promoted, err := c.Failover(c.Nodes[0], false)
	if err != nil || promoted != c.Nodes[3] {
		t.Fatal(promoted, err)
	}
	promoted.Freeze()
	again, err := c.Failover(promoted, true)
	if err != nil || again != c.Nodes[0] {
		t.Fatal(again, err)
	}
	promoted.Thaw()
	if err := c.Settle(); err != nil {
		t.Fatal(err)
	}
	c.Nodes[1].Stop()
	err = await("the cluster to fail over by itself", func() bool {
		masters, err := c.Masters()
		return err == nil && slices.Contains(masters, c.Nodes[4])
	})
	if err != nil {
		t.Fatal(err)
	}
	c.Nodes[1].Start()
	if err := c.Settle(); err != nil {
		t.Fatal(err)
	}
	if replicas, err := c.Replicas(c.Nodes[4]); err != nil || len(replicas) != 1 {
		t.Errorf("the old master is not a replica: %v, %v", replicas, err)
	}
}

func TestSlot(t *testing.T) {
	node := Start(t, "--cluster-enabled", "yes")
	for _, key := range []string{"", "a", "123456789", "{ns:7}:post:1", "{}a", "a{", "x{y}z{w}", "{{a}}"} {
		if want, err := node.Do("CLUSTER", "KEYSLOT", key); want != int64(Slot(key)) || err != nil {
			t.Errorf("Slot(%q) is %d, want %v", key, Slot(key), want)
		}
	}
}

func TestSentinel(t *testing.T) {
	t.Parallel() // mostly, sentinels wait
	s, err := LaunchSentinel(2, 3)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if current, err := s.Current(); current != s.Master || err != nil || strings.Count(s.Addrs, ",") != 2 {
		t.Fatal(current, err)
	}
	promoted, err := s.Failover()
	if promoted == s.Master || err != nil {
		t.Fatal(promoted, err)
	}
	promoted.Stop()
	if again, err := s.Switched(promoted); again == promoted || err != nil {
		t.Fatal(again, err)
	}
	// It comes back as the master that it was, and is made a replica.
	promoted.Start()
	if err := s.Settle(); err != nil {
		t.Fatal(err)
	}
}
