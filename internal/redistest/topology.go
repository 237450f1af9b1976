package redistest

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"
)

// Cluster is a Redis Cluster of masters without replicas.
type Cluster struct {
	Nodes []*Server
	// Addrs holds the nodes' addresses.
	Addrs []string
}

// slots is the number of hash slots of every Redis Cluster.
const slots = 16384

// StartCluster starts a cluster whose masters own equal shares of the slots. It
// lives until the end of the test.
func StartCluster(tb testing.TB, masters int) *Cluster {
	tb.Helper()
	c := new(Cluster)
	for i := range masters {
		node := Start(tb, "--cluster-enabled", "yes", "--cluster-node-timeout", "5000")
		c.Nodes, c.Addrs = append(c.Nodes, node), append(c.Addrs, node.Addr)
		from, to := i*slots/masters, (i+1)*slots/masters-1
		node.must("CLUSTER", "ADDSLOTSRANGE", strconv.Itoa(from), strconv.Itoa(to))
		// Without its own epoch every node starts at 0, and nodes that disagree
		// at the same epoch take a while to settle.
		node.must("CLUSTER", "SET-CONFIG-EPOCH", strconv.Itoa(i+1))
	}
	for _, node := range c.Nodes[1:] {
		first := c.Nodes[0]
		node.must("CLUSTER", "MEET", "127.0.0.1", strconv.Itoa(first.Port), strconv.Itoa(first.busPort()))
	}
	for _, node := range c.Nodes {
		node.await("the cluster to form", func() bool {
			info := fmt.Sprint(node.must("CLUSTER", "INFO"))
			return strings.Contains(info, "cluster_state:ok") &&
				strings.Contains(info, "cluster_known_nodes:"+strconv.Itoa(masters)) &&
				strings.Contains(info, "cluster_slots_ok:"+strconv.Itoa(slots))
		})
	}
	return c
}

// busPort returns the port on which the nodes of a cluster talk to each other.
func (s *Server) busPort() int {
	for i, arg := range s.args {
		if arg == "--cluster-port" {
			port, _ := strconv.Atoi(s.args[i+1])
			return port
		}
	}
	return 0
}

// Sentinel is a master with one replica, watched by one sentinel.
type Sentinel struct {
	Master, Replica *Server
	// Addr is the sentinel's address, Name what it calls the master.
	Addr, Name string
	sentinel   *Server
}

// StartSentinel starts a master, its replica and a sentinel, and waits until
// they know each other. The sentinel fails over after half a second.
func StartSentinel(tb testing.TB) *Sentinel {
	tb.Helper()
	s := &Sentinel{Name: "main", Master: Start(tb)}
	s.Replica = Start(tb, "--replicaof", "127.0.0.1 "+strconv.Itoa(s.Master.Port))
	s.Replica.await("the replica to synchronise", func() bool {
		return strings.Contains(fmt.Sprint(s.Replica.must("INFO", "replication")), "master_link_status:up")
	})
	config := s.Master.Path("sentinel.conf")
	text := fmt.Sprintf("sentinel monitor main 127.0.0.1 %d 1\nsentinel down-after-milliseconds main 500\n"+
		"sentinel failover-timeout main 2000\n", s.Master.Port)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		tb.Fatal(err)
	}
	s.sentinel = Start(tb, config, "--sentinel")
	s.Addr = s.sentinel.Addr
	s.sentinel.await("the sentinel to find the replica", func() bool {
		return len(s.sentinel.must("SENTINEL", "REPLICAS", s.Name).([]any)) == 1
	})
	return s
}

// must is Do for commands that have to succeed.
func (s *Server) must(args ...string) any {
	v, err := s.Do(args...)
	if err != nil {
		s.fail("redistest: %s: %v", strings.Join(args, " "), err)
	}
	return v
}

// await polls until ok returns true.
func (s *Server) await(what string, ok func() bool) {
	for deadline := time.Now().Add(patience); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			s.fail("redistest: waited too long for %s", what)
			return
		}
	}
}
