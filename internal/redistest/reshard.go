package redistest

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Slot returns the hash slot of a key, by its hash tag where it has one: CRC16
// with the polynomial 0x1021, as the specification of Redis Cluster has it.
func Slot(key string) int {
	if _, rest, ok := strings.Cut(key, "{"); ok {
		if tag, _, ok := strings.Cut(rest, "}"); ok && tag != "" {
			key = tag
		}
	}
	crc := uint16(0)
	for _, b := range []byte(key) {
		crc ^= uint16(b) << 8
		for range 8 {
			carry := crc&0x8000 != 0
			if crc <<= 1; carry {
				crc ^= 0x1021
			}
		}
	}
	return int(crc) % slots
}

// MoveSlots moves n slots of one master to another, those that hold keys first,
// while clients go on using them, and returns which. It is what "redis-cli
// --cluster reshard" does: see MoveSlot.
func (c *Cluster) MoveSlots(from, to *Server, n int) ([]int, error) {
	moving, err := c.slotsOf(from)
	if err != nil {
		return nil, err
	}
	moving = moving[:min(n, len(moving))]
	c.reshape.Lock()
	defer c.reshape.Unlock()
	for i, slot := range moving {
		if err := c.moveSlot(slot, from, to); err != nil {
			return moving[:i], err
		}
	}
	return moving, c.moved(to, moving...)
}

// slotsOf returns the slots of a master, those that hold keys first.
func (c *Cluster) slotsOf(master *Server) ([]int, error) {
	v, err := c.look()
	if err != nil {
		return nil, err
	}
	reply, err := master.Do("KEYS", "*")
	if err != nil {
		return nil, err
	}
	var used, empty []int
	for _, key := range reply.([]any) {
		used = append(used, Slot(key.(string)))
	}
	slices.Sort(used)
	used = slices.Compact(used)
	for _, span := range v.slots[c.ids[master]] {
		for slot := span[0]; slot <= span[1]; slot++ {
			if _, found := slices.BinarySearch(used, slot); !found {
				empty = append(empty, slot)
			}
		}
	}
	return append(used, empty...), nil
}

// MoveSlot moves a slot with its keys to another master, while clients go on
// using it:
//
//  1. the new owner is told to accept, for clients that ask for it, keys that it
//     does not own yet; then the old one to send clients there for keys that it
//     no longer has
//  2. the keys are moved, ten at a time
//  3. the new owner takes the slot, then the old one and all other masters are
//     told
//
// An error leaves the slot where it stopped; calling again resumes. Moving it to
// its owner ends a move that another call has left. It returns when all nodes
// that answer know the new owner.
func (c *Cluster) MoveSlot(slot int, to *Server) error {
	c.reshape.Lock()
	defer c.reshape.Unlock()
	from, err := c.Owner(slot)
	if err != nil {
		return err
	}
	if err := c.moveSlot(slot, from, to); err != nil {
		return err
	}
	return c.moved(to, slot)
}

func (c *Cluster) moveSlot(slot int, from, to *Server) error {
	if from != to {
		if err := c.migrate(slot, from, to); err != nil {
			return fmt.Errorf("redistest: moving slot %d from %s to %s: %w", slot, from.Addr, to.Addr, err)
		}
	}
	masters, err := c.Masters()
	if err != nil {
		return err
	}
	assign := []string{"CLUSTER", "SETSLOT", strconv.Itoa(slot), "NODE", c.ids[to]}
	for _, node := range append([]*Server{to, from}, masters...) {
		if !node.answers() {
			continue // it learns of it when it is back
		}
		if err := node.all(assign); err != nil {
			return err
		}
	}
	return nil
}

// moved waits until every node that answers knows the new owner of slots.
func (c *Cluster) moved(to *Server, slots ...int) error {
	owns := func(v view, slot int) bool {
		return slices.ContainsFunc(v.slots[c.ids[to]], func(span [2]int) bool { return span[0] <= slot && slot <= span[1] })
	}
	return c.everywhere("slots to have moved", func(v view) bool {
		return !slices.ContainsFunc(slots, func(slot int) bool { return !owns(v, slot) })
	})
}

func (c *Cluster) migrate(slot int, from, to *Server) error {
	number := strconv.Itoa(slot)
	if err := to.all([]string{"CLUSTER", "SETSLOT", number, "IMPORTING", c.ids[from]}); err != nil {
		return err
	}
	if err := from.all([]string{"CLUSTER", "SETSLOT", number, "MIGRATING", c.ids[to]}); err != nil {
		return err
	}
	for {
		reply, err := from.Do("CLUSTER", "GETKEYSINSLOT", number, "10")
		if err != nil {
			return err
		}
		keys := reply.([]any)
		if len(keys) == 0 {
			return nil
		}
		// REPLACE, because a call that was cut off may have left copies.
		command := []string{"MIGRATE", "127.0.0.1", strconv.Itoa(to.Port), "", "0", "5000", "REPLACE", "KEYS"}
		for _, key := range keys {
			command = append(command, key.(string))
		}
		if err := from.all(command); err != nil {
			return err
		}
	}
}

// all runs commands one after the other.
func (s *Server) all(commands ...[]string) error {
	for _, command := range commands {
		if _, err := s.Do(command...); err != nil {
			return fmt.Errorf("redistest: %s at %s: %w", strings.Join(command[:min(3, len(command))], " "), s.Addr, err)
		}
	}
	return nil
}
