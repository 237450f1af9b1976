package redisstore

import (
	"context"
	"math/rand/v2"
	"strconv"
	"sync"
	"time"

	"github.com/freshet-dev/freshet"
)

// A lease ends leaseTime after its holder has last kept it alive, which is soon
// enough for those who wait for a dead one, and late enough for a holder that
// is merely slow.
const (
	leaseTime = 3 * time.Second
	keepEvery = time.Second
)

// lease implements [freshet.Lease].
type lease struct {
	store *Store
	at    place
	args  []string // of acquire.lua, up to the last
	held  bool
	mu    sync.Mutex
	keep  *time.Timer // nil when not held, or released
}

// Lease implements [freshet.Leaser]. It costs one call.
func (s *Store) Lease(ctx context.Context, ref freshet.Ref, tags []string, stamp freshet.Stamp) (freshet.Lease, error) {
	at := s.layout.place(ref)
	var newest uint64
	if known := at.part.known.Load(); known.incarnation == stamp.Incarnation {
		_, soft := known.soft.Since(ref.Key, tags, 0)
		_, newest, _ = known.since(ref.Key, tags, 0)
		newest = max(newest, soft)
	}
	l := &lease{store: s, at: at, args: []string{
		hex16(rand.Uint64()), hex16(stamp.Incarnation), strconv.FormatUint(uint64(stamp.Version), 10),
		strconv.FormatUint(newest, 10), at.member(), strconv.FormatInt(leaseTime.Milliseconds(), 10),
	}}
	left, err := l.ask(ctx, "1")
	if err != nil {
		return nil, err
	}
	if l.held = left == 0; l.held {
		l.mu.Lock()
		l.keep = time.AfterFunc(keepEvery, l.renew)
		l.mu.Unlock()
	}
	return l, nil
}

// ask runs acquire.lua, to take the lease or to wait for it, and returns how
// long somebody else has it.
func (l *lease) ask(ctx context.Context, take string) (time.Duration, error) {
	ctx, client, err := l.store.begin(ctx)
	if err != nil {
		return 0, err
	}
	if err := l.store.absent.check(l.at.part); err != nil {
		return 0, err
	}
	call := invocation{part: l.at.part, keys: []string{l.at.lease()}, args: append(l.args[:len(l.args):len(l.args)], take)}
	left, err := acquireScript.run(ctx, client, call).AsInt64()
	if err != nil {
		return 0, l.store.absent.heard(ctx, l.at.part, failed("lease", err))
	}
	return time.Duration(left) * time.Millisecond, nil
}

// Held implements [freshet.Lease].
func (l *lease) Held() bool { return l.held }

// renew keeps the lease alive, and itself, until the lease is released or lost.
// A call that fails is no reason to stop: it is tried again before the lease
// ends.
func (l *lease) renew() {
	ctx, client, err := l.store.begin(l.store.life)
	if err != nil && l.store.life.Err() != nil {
		return
	}
	held := int64(1)
	if err == nil {
		r := keepScript.run(ctx, client, l.call(strconv.FormatInt(leaseTime.Milliseconds(), 10)))
		if n, err := r.AsInt64(); err == nil {
			held = n
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.keep != nil && held == 1 {
		l.keep.Reset(keepEvery)
	}
}

// call builds the call of a script about a held lease.
func (l *lease) call(args ...string) invocation {
	return invocation{part: l.at.part, keys: []string{l.at.lease()}, args: append([]string{l.args[0]}, args...)}
}

// Release implements [freshet.Lease]. It costs one call, which is made even when
// ctx has ended: others are waiting.
func (l *lease) Release(ctx context.Context, shared bool) {
	l.mu.Lock()
	keep := l.keep
	l.keep = nil
	l.mu.Unlock()
	if keep == nil {
		return
	}
	keep.Stop()
	ctx, client, err := l.store.begin(context.WithoutCancel(ctx))
	if err != nil {
		return // it ends by itself
	}
	flag := "0"
	if shared {
		flag = "1"
	}
	if err := releaseScript.run(ctx, client, l.call(l.store.layout.wake, flag)).Error(); err != nil {
		l.store.log.Debug("freshet: a lease could not be released; it ends by itself", "error", err)
	}
}

// Wait implements [freshet.Lease]. It costs one call, and another every three
// seconds or when the connection that carries the wake-ups breaks.
//
//  1. this waiter is registered here, so that a wake-up from now on reaches it
//  2. Redis is told that somebody waits, unless the lease is free by now
//  3. the holder releases the lease, and finds in it that it has to tell
//
// A release before 2 is noticed by 2. One after 2 is announced; if it happens
// while nobody here is subscribed yet, then the subscription, once it stands,
// makes the waiter ask again. A holder that dies announces nothing: its lease
// runs out.
func (l *lease) Wait(ctx context.Context) (shared bool, err error) {
	if l.held {
		return true, nil
	}
	w := l.store.wakes.add(l.at.lease())
	defer l.store.wakes.remove(w)
	for {
		left, err := l.ask(ctx, "0")
		if err != nil {
			return false, err
		}
		if left == 0 {
			return true, nil
		}
		ends := time.NewTimer(left)
		select {
		case wake := <-w.wake:
			ends.Stop()
			if wake != askAgain {
				return wake == lookAgain, nil
			}
		case <-ends.C:
		case <-ctx.Done():
			ends.Stop()
			return false, ctx.Err()
		case <-l.store.life.Done():
			ends.Stop()
			return false, ErrUnavailable
		}
	}
}
