package redisstore

import (
	"strconv"
	"strings"
	"time"

	"github.com/freshet-dev/freshet"
)

// Whoever finds a record that is due carries it out, in these steps:
//
//  1. it is claimed: its time is put off by claimTime
//  2. its targets are invalidated
//  3. it is taken away, or put on record again for later (records.lua)
//
// 1 keeps the others from doing the same; should this process die before 3, it
// falls due again, and one of them does. 2 and 3 are one step where there is one
// partition. Doing any of it twice costs misses.
const (
	claimTime = 5 * time.Second
	// claimCount bounds what one call claims, and so how large its answer is.
	claimCount = 50
)

// carryOutAll carries out what is due in parts, unless it is still at it. Not in the
// goroutine that asks every second which server this is: it may take long, where a
// node does not answer or many processes have died, and lookups rely on that one.
func (s *Store) carryOutAll(parts []*partition) {
	if len(parts) == 0 || !s.carrying.CompareAndSwap(false, true) {
		return
	}
	s.tasks.Go(func() {
		defer s.carrying.Store(false)
		for _, p := range parts {
			if err := s.carryOut(p); err != nil {
				s.log.Debug("freshet: what is due could not be invalidated; it is tried again", "partition", p.prefix, "error", err)
			}
		}
	})
}

// carryOut carries out what is due in p.
func (s *Store) carryOut(p *partition) error {
	for {
		ctx, client, err := s.beginAmple(s.life)
		if err != nil {
			return err
		}
		args := append(p.birth.args(), strconv.Itoa(claimCount), micros(claimTime))
		members, err := claimScript.run(ctx, client, invocation{part: p, args: args}).AsStrSlice()
		if err != nil || len(members) == 0 {
			return err
		}
		var targets []freshet.Target
		for _, m := range members {
			targets = append(targets, targetsOf(m)...)
		}
		if _, err := s.invalidate(ctx, targets, p, records{done: members}); err != nil {
			return err
		}
		for _, m := range members {
			s.tell(m)
		}
		if len(members) < claimCount {
			return nil
		}
	}
}

// tell logs that an intent has fallen due, when it has been carried out for the first
// time: before that is done, it is tried again every few seconds.
func (s *Store) tell(member string) {
	if !strings.HasPrefix(member, string(kindIntent)) {
		return
	}
	var names []string
	for _, t := range targetsOf(member) {
		names = append(names, t.String())
	}
	s.log.Warn("freshet: the invalidation of a write has not come, because its process has died, or hangs, or could "+
		"not reach Redis; it is made up for", "store", s.String(), "targets", names)
}
