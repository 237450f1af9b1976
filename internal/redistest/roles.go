package redistest

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// view is what one node believes of its cluster.
type view struct {
	masterOf map[string]string // by the ids of replicas
	failed   map[string]bool   // by the ids of nodes said to be down
	slots    map[string][][2]int
}

// view reads CLUSTER NODES: id, address, flags, master, three numbers, state of
// the link, then ranges of slots, and in brackets those that are moving.
func (s *Server) view() (view, error) {
	v := view{masterOf: make(map[string]string), failed: make(map[string]bool), slots: make(map[string][][2]int)}
	text, err := s.Do("CLUSTER", "NODES")
	if err != nil {
		return v, err
	}
	for line := range strings.Lines(fmt.Sprint(text)) {
		fields := strings.Fields(line)
		if len(fields) < 8 {
			return v, fmt.Errorf("redistest: CLUSTER NODES has the line %q", line)
		}
		id, flags := fields[0], strings.Split(fields[2], ",")
		v.failed[id] = slices.Contains(flags, "fail")
		if slices.Contains(flags, "slave") {
			v.masterOf[id] = fields[3]
		}
		for _, span := range fields[8:] {
			first, last, isRange := strings.Cut(span, "-")
			from, err := strconv.Atoi(first)
			if err != nil {
				continue // it is moving
			}
			to := from
			if isRange {
				to, _ = strconv.Atoi(last)
			}
			v.slots[id] = append(v.slots[id], [2]int{from, to})
		}
	}
	return v, nil
}

// look returns the view of a node that answers.
func (c *Cluster) look() (view, error) {
	err := fmt.Errorf("redistest: no node of the cluster answers")
	for _, node := range c.Nodes {
		if !node.answers() {
			continue
		}
		var v view
		if v, err = node.view(); err == nil {
			return v, nil
		}
	}
	return view{}, err
}

// Masters returns the nodes that own slots now, as a node that answers sees it.
// Whoever is down stays among them until a replica has taken over.
func (c *Cluster) Masters() ([]*Server, error) {
	v, err := c.look()
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(slices.Clone(c.Nodes), func(s *Server) bool { return len(v.slots[c.ids[s]]) == 0 }), nil
}

// Replicas returns the replicas that master has now.
func (c *Cluster) Replicas(master *Server) ([]*Server, error) {
	v, err := c.look()
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(slices.Clone(c.Nodes), func(s *Server) bool { return v.masterOf[c.ids[s]] != c.ids[master] }), nil
}

// Owner returns the master that owns a slot.
func (c *Cluster) Owner(slot int) (*Server, error) {
	v, err := c.look()
	if err != nil {
		return nil, err
	}
	for _, node := range c.Nodes {
		for _, span := range v.slots[c.ids[node]] {
			if span[0] <= slot && slot <= span[1] {
				return node, nil
			}
		}
	}
	return nil, fmt.Errorf("redistest: nobody owns slot %d", slot)
}

// Failover makes a replica of master take its place, and returns that replica
// when all nodes that answer know it as a master. A master that answers takes
// part, and nothing is lost; with force it is not asked. A replica that Redis
// itself has promoted meanwhile is as good.
func (c *Cluster) Failover(master *Server, force bool) (*Server, error) {
	replicas, err := c.Replicas(master)
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(replicas, (*Server).answers)
	if i < 0 {
		return nil, fmt.Errorf("redistest: %s has no replica that answers", master.Addr)
	}
	command := []string{"CLUSTER", "FAILOVER"}
	if force {
		command = append(command, "FORCE")
	}
	if _, err := replicas[i].Do(command...); err != nil && !strings.Contains(err.Error(), "to a replica") {
		return nil, err
	}
	id := c.ids[replicas[i]]
	return replicas[i], c.everywhere("a replica to be promoted", func(v view) bool {
		return v.masterOf[id] == "" && len(v.slots[id]) > 0
	})
}

// Settle waits until every node answers and no other says that it is down, all
// say the same of who owns what, all slots have owners and all replicas are
// synchronised: what a test wants after its faults have been taken back.
//
// A node that thaws takes itself for the master that it was until another tells
// it, and what it is told to store until then is lost.
func (c *Cluster) Settle() error {
	err := c.everywhere("all nodes to be up and to agree", func(v view) bool {
		first, err := c.look()
		return err == nil && !slices.Contains(slices.Collect(maps.Values(v.failed)), true) &&
			maps.Equal(v.masterOf, first.masterOf) && maps.EqualFunc(v.slots, first.slots, slices.Equal)
	})
	if err != nil {
		return err
	}
	if err := c.agree(); err != nil {
		return err
	}
	v, err := c.look()
	if err != nil {
		return err
	}
	for _, node := range c.Nodes {
		if v.masterOf[c.ids[node]] == "" {
			continue
		}
		if err := node.synchronised(); err != nil {
			return err
		}
	}
	return nil
}
