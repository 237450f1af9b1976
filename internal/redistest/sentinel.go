package redistest

import (
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// Sentinel is a master with replicas, watched by sentinels. Its servers are
// stopped, started, frozen and thawed as any server is; they come back in the
// part that the sentinels have given them.
type Sentinel struct {
	// Master and Replica are what they were at the start; Replica is the first.
	Master, Replica *Server
	// Nodes holds the master and all replicas, Sentinels those who watch them.
	Nodes, Sentinels []*Server
	// Addr is the address of a sentinel, Addrs those of all, joined by commas.
	// Name is what they call the master.
	Addr, Addrs, Name string
}

// StartSentinel starts a master with one replica and one sentinel that live
// until the end of the test.
func StartSentinel(tb testing.TB) *Sentinel {
	tb.Helper()
	s, err := LaunchSentinel(1, 1)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(s.Close)
	for _, server := range append(s.Nodes, s.Sentinels...) {
		server.fail = tb.Fatalf
	}
	return s
}

// LaunchSentinel starts a master, replicas and sentinels, and returns when all
// know each other. The sentinels fail over when more than half of them have not
// heard of the master for half a second. The arguments go to the master and the
// replicas. The caller closes what it gets.
func LaunchSentinel(replicas, sentinels int, args ...string) (*Sentinel, error) {
	s := &Sentinel{Name: "main"}
	if err := s.form(replicas, sentinels, args); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

func (s *Sentinel) form(replicas, sentinels int, args []string) error {
	// What a server is stands in its configuration file, which the sentinels
	// have it rewrite, and not in arguments, which would undo that at a restart.
	config := "# a master\n"
	for range 1 + replicas {
		server, err := launch(config, args)
		if err != nil {
			return err
		}
		s.Nodes = append(s.Nodes, server)
		config = fmt.Sprintf("replicaof 127.0.0.1 %d\n", s.Nodes[0].Port)
	}
	s.Master = s.Nodes[0]
	if replicas > 0 {
		s.Replica = s.Nodes[1]
	}
	for _, server := range s.Nodes[1:] {
		if err := server.synchronised(); err != nil {
			return err
		}
	}
	config = fmt.Sprintf("sentinel monitor main 127.0.0.1 %d %d\nsentinel down-after-milliseconds main 500\n"+
		"sentinel failover-timeout main 2000\n", s.Master.Port, sentinels/2+1)
	for range sentinels {
		server, err := launch(config, []string{"--sentinel"})
		if err != nil {
			return err
		}
		s.Sentinels = append(s.Sentinels, server)
		s.Addrs = strings.TrimPrefix(s.Addrs+","+server.Addr, ",")
	}
	s.Addr = s.Sentinels[0].Addr
	return s.acquainted(replicas, sentinels)
}

// acquainted waits until every sentinel knows all replicas and all the others.
func (s *Sentinel) acquainted(replicas, sentinels int) error {
	count := func(server *Server, what string) int {
		reply, _ := server.Do("SENTINEL", what, s.Name)
		list, _ := reply.([]any)
		return len(list)
	}
	for _, server := range s.Sentinels {
		err := await("the sentinels to know all", func() bool {
			return count(server, "REPLICAS") == replicas && count(server, "SENTINELS") == sentinels-1
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// Current returns the server that a sentinel calls the master now. It may be
// down.
func (s *Sentinel) Current() (*Server, error) {
	i := slices.IndexFunc(s.Sentinels, (*Server).answers)
	if i < 0 {
		return nil, fmt.Errorf("redistest: no sentinel answers")
	}
	reply, err := s.Sentinels[i].Do("SENTINEL", "GET-MASTER-ADDR-BY-NAME", s.Name)
	if err != nil {
		return nil, err
	}
	place, _ := reply.([]any)
	for _, server := range s.Nodes {
		if len(place) == 2 && server.Addr == net.JoinHostPort(fmt.Sprint(place[0]), fmt.Sprint(place[1])) {
			return server, nil
		}
	}
	return nil, fmt.Errorf("redistest: the sentinel names %v", reply)
}

// Failover asks the sentinels for another master, without one being down, and
// returns it when it is.
func (s *Sentinel) Failover() (*Server, error) {
	old, err := s.Current()
	if err != nil {
		return nil, err
	}
	err = await("the sentinels to begin a failover", func() bool {
		i := slices.IndexFunc(s.Sentinels, (*Server).answers)
		if i < 0 {
			return false
		}
		// Refused while another is under way, or no replica is good enough yet.
		_, err := s.Sentinels[i].Do("SENTINEL", "FAILOVER", s.Name)
		return err == nil
	})
	if err != nil {
		return nil, err
	}
	return s.Switched(old)
}

// Switched waits until the sentinels call another server than old the master,
// and it is one, and returns it.
func (s *Sentinel) Switched(old *Server) (current *Server, err error) {
	err = await("another master", func() bool {
		current, err = s.Current()
		if err != nil || current == old || !current.answers() {
			return false
		}
		role, _ := current.Do("ROLE")
		return strings.HasPrefix(fmt.Sprint(role), "[master")
	})
	return current, err
}

// Settle waits until all servers answer and every one but the master is its
// replica, synchronised: what a test wants after its faults have been taken back.
func (s *Sentinel) Settle() error {
	return await("all servers to be in their places", func() bool {
		master, err := s.Current()
		if err != nil {
			return false
		}
		for _, server := range s.Nodes {
			want := "[slave 127.0.0.1 " + strconv.Itoa(master.Port) + " connected"
			if server == master {
				want = "[master"
			}
			if role, _ := server.Do("ROLE"); !strings.HasPrefix(fmt.Sprint(role), want) {
				return false
			}
		}
		return true
	})
}

// Close stops all servers and removes their directories.
func (s *Sentinel) Close() {
	for _, server := range append(s.Sentinels, s.Nodes...) {
		server.Close()
	}
}

// await polls until ok returns true.
func await(what string, ok func() bool) error {
	for deadline := time.Now().Add(patience); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			return fmt.Errorf("redistest: waited too long for %s", what)
		}
	}
	return nil
}
