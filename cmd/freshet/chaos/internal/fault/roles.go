package fault

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/freshet-dev/freshet/internal/redistest"
)

// roleFaults returns those in which another server becomes the master, and those
// that move data between masters.
func roleFaults() []fault {
	return []fault{
		{name: "failover", on: "sentinel cluster", alone: true, outage: true, run: failover},
		{name: "master-kill", on: "sentinel cluster", alone: true, outage: true, run: masterKill},
		{name: "master-freeze", on: "sentinel cluster", alone: true, outage: true, run: masterFreeze},
		{name: "replica-kill", on: "sentinel cluster", alone: true, outage: true, run: replicaKill},
		{name: "reshard", on: "cluster", alone: true, outage: true, run: reshard},
	}
}

// failover asks for another master while the old one is well. In a Cluster the old
// one may not be asked.
func failover(_ context.Context, a *Attack) (string, error) {
	old, err := a.master()
	if err != nil {
		return "", err
	}
	var now *redistest.Server
	if a.Redis.cluster != nil {
		now, err = a.Redis.cluster.Failover(old, a.rand.IntN(2) == 0)
	} else {
		now, err = a.Redis.sentinel.Failover()
	}
	if err != nil {
		return old.Addr, err
	}
	return old.Addr + " to " + now.Addr, a.Redis.settle()
}

// masterKill kills a master, waits until another has taken over, and lets the
// dead one come back.
func masterKill(ctx context.Context, a *Attack) (string, error) {
	old, err := a.master()
	if err != nil {
		return "", err
	}
	old.Stop()
	forget(old)
	err = a.deposed(ctx, old)
	a.hold(ctx)
	if back := revive(old); back != nil {
		return old.Addr, back
	}
	if err != nil {
		return old.Addr, err
	}
	return old.Addr, a.Redis.settle()
}

// masterFreeze freezes a master until another has taken over, and then thaws it:
// for a moment it still believes to be the master, and finds in its sockets what
// clients sent it before they gave up.
func masterFreeze(ctx context.Context, a *Attack) (string, error) {
	old, err := a.master()
	if err != nil {
		return "", err
	}
	if err := try(old.Freeze); err != nil {
		return old.Addr, err
	}
	err = a.deposed(ctx, old)
	a.hold(ctx)
	if back := try(old.Thaw); back != nil {
		return old.Addr, back
	}
	if err != nil {
		return old.Addr, err
	}
	return old.Addr, a.Redis.settle()
}

// deposed waits until another server has taken the place of old.
func (a *Attack) deposed(ctx context.Context, old *redistest.Server) error {
	if a.Redis.sentinel != nil {
		_, err := a.Redis.sentinel.Switched(old)
		return err
	}
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline) && ctx.Err() == nil; {
		masters, err := a.Redis.masters()
		if err == nil && !slices.Contains(masters, old) {
			return nil
		}
		a.wait(ctx, 20*time.Millisecond)
	}
	return fmt.Errorf("nobody took over from %s", old.Addr)
}

// replicaKill kills a server that is not a master, and lets it come back.
func replicaKill(ctx context.Context, a *Attack) (string, error) {
	masters, err := a.Redis.masters()
	if err != nil {
		return "", err
	}
	others := slices.DeleteFunc(slices.Clone(a.Redis.servers), func(s *redistest.Server) bool { return slices.Contains(masters, s) })
	if len(others) == 0 {
		return "", nil
	}
	s := others[a.rand.IntN(len(others))]
	s.Stop()
	forget(s)
	a.hold(ctx)
	if err := revive(s); err != nil {
		return s.Addr, err
	}
	return s.Addr, a.Redis.settle()
}

// The cache spreads its keys over so many slots of a Cluster; a resharding moves
// some of these.
const (
	partitions = 64
	slotsMoved = 8
)

// reshard moves slots with their keys from one master to another, and back.
func reshard(ctx context.Context, a *Attack) (string, error) {
	masters, err := a.Redis.masters()
	if err != nil || len(masters) < 2 {
		return "", err
	}
	to := masters[a.rand.IntN(len(masters))]
	home := make(map[int]*redistest.Server)
	for range slotsMoved {
		slot := redistest.Slot(fmt.Sprintf("{%d}", a.rand.IntN(partitions)))
		owner, unowned := a.Redis.cluster.Owner(slot)
		if unowned != nil || owner == to {
			continue
		}
		home[slot] = owner
		if err = a.move(ctx, slot, to); err != nil {
			break
		}
	}
	a.hold(ctx)
	for slot, owner := range home {
		if back := a.move(ctx, slot, owner); err == nil {
			err = back
		}
	}
	return fmt.Sprintf("%d slots to %s and back", len(home), to.Addr), err
}

// move moves a slot. Other faults may cut it off half-way, and it is resumed.
func (a *Attack) move(ctx context.Context, slot int, to *redistest.Server) (err error) {
	for range 10 {
		if err = a.Redis.cluster.MoveSlot(slot, to); err == nil || ctx.Err() != nil {
			return err
		}
		a.wait(ctx, 200*time.Millisecond)
	}
	return err
}
