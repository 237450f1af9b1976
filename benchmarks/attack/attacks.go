package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

const (
	before = "before" // a row as it was before the write
	after  = "after"  // and as the write leaves it
)

// staleSet runs the stale-set race n times and returns how often the row from
// before the write was answered afterwards. In each round, on a row of its own:
//
//  1. a read misses, its load takes the row from the origin and is held up;
//  2. a write commits another row, invalidates, and returns;
//  3. the load goes on, and its read returns;
//  4. a new read is answered.
//
// Each step begins when the one before has ended, so that the outcome depends
// on the cache alone.
func staleSet(ctx context.Context, c cache, o *origin, n int) (int, error) {
	stale := 0
	for round := range n {
		id := fmt.Sprint("race-", round)
		o.set(id, before)
		loads := startLoads(ctx, c, o, id)
		err := errors.Join(loads.entered(), c.write(ctx, id, func() { o.set(id, after) }), loads.finish())
		if err != nil {
			return 0, err
		}
		row, err := c.read(ctx, id)
		if err != nil {
			return 0, err
		}
		if row == before {
			stale++
		}
	}
	return stale, nil
}

// underWay is a number of reads whose loads are held up.
type underWay struct {
	reads   int
	waiting chan struct{} // one for each load that is held up
	ended   chan error    // one for each read that has returned
	release chan struct{}
}

// startLoads starts a read of each id. The first load of each is held up; later
// ones, by which a cache may replace a load that it has discarded, are not.
func startLoads(ctx context.Context, c cache, o *origin, ids ...string) *underWay {
	u := &underWay{len(ids), make(chan struct{}, len(ids)), make(chan error, len(ids)), make(chan struct{})}
	for _, id := range ids {
		o.hold(id, func(n int) {
			if n == 1 {
				u.waiting <- struct{}{}
				<-u.release
			}
		})
		go func() {
			_, err := c.read(ctx, id)
			u.ended <- err
		}()
	}
	return u
}

// entered waits until every load is held up.
func (u *underWay) entered() error {
	for range u.reads {
		select {
		case <-u.waiting:
		case err := <-u.ended:
			u.ended <- err // finish counts it
			return errors.Join(errors.New("a read has ended without a load"), err)
		}
	}
	return nil
}

// finish lets the loads go on and waits until the reads have returned.
func (u *underWay) finish() error {
	close(u.release)
	var errs []error
	for range u.reads {
		errs = append(errs, <-u.ended)
	}
	return errors.Join(errs...)
}

// quiet is how long no further load has to begin before those that are held up
// go on: the load of the stampede is at least this slow.
const quiet = 250 * time.Millisecond

// stampede has one row read for the first time by n readers at once and returns
// how often it was loaded.
func stampede(ctx context.Context, c cache, o *origin, n int) (int, error) {
	const id = "stampede"
	o.set(id, before)
	began, release := make(chan struct{}, n), make(chan struct{})
	o.hold(id, func(int) {
		began <- struct{}{}
		<-release
	})
	errs := make([]error, n)
	var readers sync.WaitGroup
	for i := range n {
		readers.Go(func() { _, errs[i] = c.read(ctx, id) })
	}
	settle(began, n)
	close(release)
	readers.Wait()
	return o.count(id), errors.Join(errs...)
}

// settle returns when all of n loads have begun, or none more does for a while.
func settle(began <-chan struct{}, n int) {
	for range n {
		select {
		case <-began:
		case <-time.After(quiet):
			return
		}
	}
}

// survivors is what a write of a whole group has left behind: how many rows
// were still answered as they were before it.
type survivors struct {
	stored   int // of those that were stored when it began
	underWay int // of those that were being loaded
}

// group has a write change n rows and invalidate them by pattern or tag, a
// twentieth of them while they are being loaded, and then reads all of them.
func group(ctx context.Context, c cache, w grouped, o *origin, n int) (survivors, error) {
	ids := make([]string, n)
	for i := range ids {
		ids[i] = fmt.Sprint("group-", i)
		o.set(ids[i], before)
	}
	stored, loading := ids[n/20:], ids[:n/20]
	if _, err := count(ctx, c, stored); err != nil {
		return survivors{}, err
	}
	loads := startLoads(ctx, c, o, loading...)
	err := errors.Join(loads.entered(), w.writeGroup(ctx, func() {
		for _, id := range ids {
			o.set(id, after)
		}
	}))
	if err != nil {
		return survivors{}, errors.Join(err, loads.finish())
	}
	// The stored ones are read before the loads end: the invalidation has
	// returned, and that is all that was promised.
	var left survivors
	left.stored, err = count(ctx, c, stored)
	if err = errors.Join(err, loads.finish()); err != nil {
		return survivors{}, err
	}
	left.underWay, err = count(ctx, c, loading)
	return left, err
}

// count reads the ids and returns how many are answered as before the write.
func count(ctx context.Context, c cache, ids []string) (int, error) {
	old := 0
	for _, id := range ids {
		row, err := c.read(ctx, id)
		if err != nil {
			return 0, err
		}
		if row == before {
			old++
		}
	}
	return old, nil
}
