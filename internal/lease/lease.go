// Package lease makes one of several processes load an answer while the others
// wait for it.
package lease

import "context"

// Lease is one process's part in a shared load; the root package has the contract.
type Lease interface {
	// Held reports whether this process is to load.
	Held() bool
	// Wait blocks while another process holds the lease.
	Wait(ctx context.Context) (shared bool, err error)
	// Release ends a held lease and tells the waiters whether to look again.
	Release(ctx context.Context, shared bool)
}

// Sole is the lease of a process that shares its store with no other: it holds it.
type Sole struct{}

// Held implements Lease.
func (Sole) Held() bool { return true }

// Wait implements Lease.
func (Sole) Wait(context.Context) (bool, error) { return true, nil }

// Release implements Lease.
func (Sole) Release(context.Context, bool) {}

// Source is where an answer is kept, and the leases on it. F is what a look for it
// has found.
type Source[F any] struct {
	// Lease asks for the lease on a load that begins from found; nil means that
	// none is needed, or to be had.
	Lease func(found F) Lease
	// Look looks for the answer once more.
	Look func() (F, error)
	// Hit reports whether found has the answer.
	Hit func(found F) bool
}

// Load calls load, once no other process is loading the answer, and reports
// whether it has. It has not if the answer is there by then, which found says, or if
// ctx has ended. load returns whether others may share what it has made; it calls
// early when it finds out half-way that nobody may. unfit is called as soon as that
// is known of this load, or of the one by another process that this has waited for.
func (s Source[F]) Load(ctx context.Context, found F, unfit func(), load func(found F, early func()) (shared bool)) (_ F, loaded bool) {
	lease, found, useless := s.await(ctx, found)
	if useless {
		unfit()
	}
	// After a panic the others should look again and take over, not give up.
	shared := true
	release := func() {
		if lease != nil {
			// The load's context may have ended with those who waited for it.
			lease.Release(context.WithoutCancel(ctx), shared)
			lease = nil
		}
	}
	defer release()
	if s.Hit(found) || ctx.Err() != nil {
		return found, false
	}
	shared = load(found, func() {
		shared = false
		unfit()
		release()
	})
	return found, true
}

// await waits while another process holds the lease, and returns either a lease of
// this process, or what the other has stored, or neither. unfit says that the other
// has found its answer unfit for sharing.
func (s Source[F]) await(ctx context.Context, found F) (lease Lease, _ F, unfit bool) {
	// Bounded: an answer that is never there to be found is not loaded by one
	// process after another.
	for range 3 {
		lease = s.Lease(found)
		if lease == nil {
			return nil, found, false
		}
		shared := true
		if !lease.Held() {
			var err error
			if shared, err = lease.Wait(ctx); err != nil {
				return nil, found, false
			}
		}
		// The holder looks again, too: another may have filled and released
		// between the look from before and the lease.
		// Without a new stamp the old one serves: it only makes the fill more
		// likely to be refused.
		again, err := s.Look()
		if err == nil {
			found = again
		}
		switch {
		case lease.Held():
			return lease, found, false
		case err != nil, s.Hit(found), !shared:
			return nil, found, !shared && !s.Hit(found)
		}
	}
	return nil, found, false
}
