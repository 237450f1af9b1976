package redistest

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// Cluster is a Redis Cluster. Its nodes are stopped, started, frozen and thawed
// as any server is. Its methods may be called concurrently, while some nodes do
// not answer too, as long as one does.
type Cluster struct {
	// Nodes holds the masters, in the order of their slots, then their replicas,
	// and what Add has added. Failovers change what they are, but not this order.
	Nodes []*Server
	// Addrs holds the nodes' addresses.
	Addrs []string

	args []string
	ids  map[*Server]string // what the nodes call each other

	reshape sync.Mutex // held while slots or nodes move
}

// slots is the number of hash slots of every Redis Cluster.
const slots = 16384

// StartCluster starts a cluster of masters without replicas that lives until the
// end of the test. The masters own equal shares of the slots.
func StartCluster(tb testing.TB, masters int) *Cluster {
	tb.Helper()
	return StartReplicatedCluster(tb, masters, 0)
}

// StartReplicatedCluster is [LaunchCluster] for tests: the cluster lives until
// the end of the test.
func StartReplicatedCluster(tb testing.TB, masters, replicas int, args ...string) *Cluster {
	tb.Helper()
	c, err := LaunchCluster(masters, replicas, args...)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(c.Close)
	for _, node := range c.Nodes {
		node.fail = tb.Fatalf
	}
	return c
}

// LaunchCluster starts a cluster, and returns when its nodes agree on it and all
// replicas have their masters' data. Each master has so many replicas. The
// arguments go to every node and win over the defaults, of which a node timeout
// of five seconds is one ("--cluster-node-timeout", "1000"). The caller closes
// the cluster.
func LaunchCluster(masters, replicas int, args ...string) (*Cluster, error) {
	c := &Cluster{ids: make(map[*Server]string), args: append([]string{
		"--cluster-enabled", "yes", "--cluster-node-timeout", "5000",
	}, args...)}
	if err := c.form(masters, replicas); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

func (c *Cluster) form(masters, replicas int) error {
	for i := range masters * (1 + replicas) {
		node, err := c.launch()
		if err != nil {
			return err
		}
		if i >= masters {
			continue
		}
		from, to := i*slots/masters, (i+1)*slots/masters-1
		// Without its own epoch every node starts at 0, and nodes that disagree
		// at the same epoch take a while to settle.
		if err := node.all(
			[]string{"CLUSTER", "ADDSLOTSRANGE", strconv.Itoa(from), strconv.Itoa(to)},
			[]string{"CLUSTER", "SET-CONFIG-EPOCH", strconv.Itoa(i + 1)},
		); err != nil {
			return err
		}
	}
	for _, node := range c.Nodes[1:] {
		if err := c.meet(node, c.Nodes[0]); err != nil {
			return err
		}
	}
	if err := c.agree(); err != nil {
		return err
	}
	for i, node := range c.Nodes[masters:] {
		if err := c.replicate(node, c.Nodes[i%masters]); err != nil {
			return err
		}
	}
	return nil
}

// launch starts a node that belongs to nothing yet.
func (c *Cluster) launch() (*Server, error) {
	node, err := Launch(c.args...)
	if err != nil {
		return nil, err
	}
	c.Nodes, c.Addrs = append(c.Nodes, node), append(c.Addrs, node.Addr)
	id, err := node.Do("CLUSTER", "MYID")
	c.ids[node] = fmt.Sprint(id)
	return node, err
}

func (c *Cluster) meet(node, other *Server) error {
	port := other.Port
	if slices.Contains(c.args, "--tls-cluster") {
		port = other.TLSPort
	}
	_, err := node.Do("CLUSTER", "MEET", "127.0.0.1", strconv.Itoa(port), strconv.Itoa(other.busPort()))
	return err
}

// busPort returns the port on which the nodes of a cluster talk to each other.
func (s *Server) busPort() int {
	port, _ := strconv.Atoi(s.args[slices.Index(s.args, "--cluster-port")+1])
	return port
}

// agree waits until every node that answers knows all others and an owner of
// every slot.
func (c *Cluster) agree() error {
	for _, node := range c.Nodes {
		if !node.answers() {
			continue
		}
		err := await("the cluster to agree", func() bool {
			info, _ := node.Do("CLUSTER", "INFO")
			text := fmt.Sprint(info)
			return strings.Contains(text, "cluster_state:ok") &&
				strings.Contains(text, "cluster_known_nodes:"+strconv.Itoa(len(c.Nodes))+"\r") &&
				strings.Contains(text, "cluster_slots_ok:"+strconv.Itoa(slots)+"\r")
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// replicate makes node a replica of master and waits for the data.
func (c *Cluster) replicate(node, master *Server) error {
	if _, err := node.Do("CLUSTER", "REPLICATE", c.ids[master]); err != nil {
		return err
	}
	if err := node.synchronised(); err != nil {
		return err
	}
	// The others have to know it too, or they would not count it as one.
	return c.everywhere("a new replica to be known", func(v view) bool { return v.masterOf[c.ids[node]] == c.ids[master] })
}

// synchronised waits until the replica s has its master's data.
func (s *Server) synchronised() error {
	return await("a replica to synchronise", func() bool {
		info, _ := s.Do("INFO", "replication")
		return strings.Contains(fmt.Sprint(info), "master_link_status:up")
	})
}

// everywhere waits until ok holds in the view of every node that answers.
func (c *Cluster) everywhere(what string, ok func(view) bool) error {
	return await(what, func() bool {
		for _, node := range c.Nodes {
			if !node.answers() {
				continue
			}
			if v, err := node.view(); err != nil || !ok(v) {
				return false
			}
		}
		return true
	})
}

// Add starts another node: a replica of a master, or a master without slots if
// that is nil. It returns when all know it.
func (c *Cluster) Add(replicaOf *Server) (*Server, error) {
	c.reshape.Lock()
	defer c.reshape.Unlock()
	other := c.Nodes[slices.IndexFunc(c.Nodes, (*Server).answers)]
	node, err := c.launch()
	if err != nil {
		return nil, err
	}
	if err := errors.Join(c.meet(node, other), c.agree()); err != nil {
		return nil, err
	}
	if replicaOf != nil {
		err = c.replicate(node, replicaOf)
	}
	return node, err
}

// Close stops all nodes and removes their directories.
func (c *Cluster) Close() {
	for _, node := range c.Nodes {
		node.Close()
	}
}
