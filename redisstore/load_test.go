package redisstore_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/freshet-dev/freshet"
	"github.com/freshet-dev/freshet/internal/redistest"
	"github.com/freshet-dev/freshet/redisstore"
)

// load is what several processes do to rows of a database that they cache, while
// something happens to Redis. It counts the versions of each row: a read is stale
// when it is answered with one that is older than one whose invalidation had
// returned before the read began.
type load struct {
	t      *testing.T
	stores []*redisstore.Store
	rows   []*loadRow
	stop   context.CancelFunc
	all    sync.WaitGroup

	reads, hits, stale, writes, failed, retried atomic.Int64
	// refused are those failed look-ups that have been answered, in whatever time.
	refused atomic.Int64
	// sample is the first error since something has begun to happen.
	sample atomic.Pointer[error]
}

type loadRow struct {
	ref   freshet.Ref
	group string
	// write is held from the commit until the invalidation has returned.
	write               sync.Mutex
	committed, returned atomic.Int64
}

const (
	loadRows   = 120
	loadGroups = 20
)

// startLoad starts three processes with two readers and a writer each.
func startLoad(t *testing.T, options func(*redisstore.Options)) *load {
	t.Helper()
	l := &load{t: t}
	for i := range loadRows {
		l.rows = append(l.rows, &loadRow{ref: key(fmt.Sprintf("row:%d", i)), group: "group:" + strconv.Itoa(i%loadGroups)})
	}
	ctx, stop := context.WithCancel(t.Context())
	l.stop = stop
	for range 3 {
		s := openWith(t, options, func(o *redisstore.Options) {
			o.SocketTimeout, o.ConnectTimeout = time.Second, time.Second
		})
		l.stores = append(l.stores, s)
		for _, work := range []func(context.Context, freshet.Store, *loadRow){l.read, l.read, l.write} {
			l.all.Go(func() {
				for ctx.Err() == nil {
					work(ctx, s, l.rows[rand.IntN(len(l.rows))])
				}
			})
		}
	}
	t.Cleanup(l.end)
	return l
}

// end ends the load. Calling it again does nothing.
func (l *load) end() {
	l.stop()
	l.all.Wait()
}

func (l *load) read(ctx context.Context, s freshet.Store, row *loadRow) {
	due := row.returned.Load()
	found, err := s.Lookup(context.WithoutCancel(ctx), row.ref)
	l.reads.Add(1)
	switch {
	case err != nil:
		l.failed.Add(1)
		if !timedOut(err) {
			l.refused.Add(1)
		}
		l.sample.CompareAndSwap(nil, &err)
		time.Sleep(rand.N(10 * time.Millisecond)) // as a breaker would have it
		return
	case found.Entry != nil:
		l.hits.Add(1)
		if got, err := strconv.ParseInt(found.Entry.Body, 10, 64); err != nil || got < due {
			l.stale.Add(1)
			l.t.Errorf("%s: version %s under %v, after the invalidation of %d had returned",
				row.ref.Key, found.Entry.Body, found.Entry.Stamp, due)
		}
		time.Sleep(rand.N(2 * time.Millisecond)) // leaves some of the machine to others
		return
	}
	body := strconv.FormatInt(row.committed.Load(), 10)
	time.Sleep(rand.N(3 * time.Millisecond)) // the load
	e := &freshet.Entry{Loaded: time.Now(), TTL: time.Hour, Tags: []string{row.group}, Body: body}
	_, _ = s.Fill(context.WithoutCancel(ctx), row.ref, found.Stamp, e)
}

// write commits a version and repeats its invalidation until that has returned.
func (l *load) write(ctx context.Context, s freshet.Store, row *loadRow) {
	row.write.Lock()
	defer row.write.Unlock()
	version := row.committed.Add(1)
	targets := []freshet.Target{freshet.Key(row.ref.Key)}
	if rand.IntN(2) == 0 {
		targets[0] = freshet.Tag(row.group)
	}
	for {
		_, err := s.Invalidate(context.WithoutCancel(ctx), targets)
		if err == nil {
			break
		}
		if ctx.Err() != nil {
			return
		}
		l.retried.Add(1)
		l.sample.CompareAndSwap(nil, &err)
		time.Sleep(rand.N(20 * time.Millisecond))
	}
	row.returned.Store(version)
	l.writes.Add(1)
	time.Sleep(rand.N(10 * time.Millisecond))
}

// during runs what happens under the load, and reports what the load saw of it.
func (l *load) during(what string, happens func()) (failed, retried int64) {
	l.t.Helper()
	reads, hits, writes := l.reads.Load(), l.hits.Load(), l.writes.Load()
	failed, retried = l.failed.Load(), l.retried.Load()
	begun := time.Now()
	l.sample.Store(nil)
	happens()
	failed, retried = l.failed.Load()-failed, l.retried.Load()-retried
	l.t.Logf("%s, %v: %d reads, %d hits, %d failed; %d invalidations, %d attempts failed", what,
		time.Since(begun).Round(time.Millisecond), l.reads.Load()-reads, l.hits.Load()-hits, failed,
		l.writes.Load()-writes, retried)
	if err := l.sample.Load(); err != nil {
		l.t.Logf("the first error was: %.300v", *err)
	}
	return failed, retried
}

// wantAnswers waits until every process has an answer for every row.
func (l *load) wantAnswers() {
	l.t.Helper()
	for _, s := range l.stores {
		for _, row := range l.rows {
			await(l.t, "an answer", func() bool {
				_, err := s.Lookup(l.t.Context(), row.ref)
				return err == nil
			})
		}
	}
}

// wantHits waits until every process finds every row, with nobody writing.
func (l *load) wantHits() {
	l.t.Helper()
	l.end()
	begun := time.Now()
	for _, row := range l.rows {
		body := strconv.FormatInt(row.committed.Load(), 10)
		for _, s := range l.stores {
			await(l.t, "a hit", func() bool {
				found, err := s.Lookup(l.t.Context(), row.ref)
				if err != nil || found.Entry != nil {
					return err == nil
				}
				e := &freshet.Entry{Loaded: time.Now(), TTL: time.Hour, Tags: []string{row.group}, Body: body}
				_, _ = s.Fill(l.t.Context(), row.ref, found.Stamp, e)
				return false
			})
		}
	}
	l.t.Logf("every row is a hit everywhere after %v", time.Since(begun).Round(time.Millisecond))
	if l.hits.Load() == 0 || l.writes.Load() == 0 {
		l.t.Error("the load has shown nothing")
	}
}

// TestClusterUnderLoad reshapes a Cluster while it is used: slots move there and
// back, a node is added, masters change places with their replicas, die and come
// back.
func TestClusterUnderLoad(t *testing.T) {
	t.Parallel()
	c := redistest.StartReplicatedCluster(t, 3, 1, "--cluster-node-timeout", "1000")
	l := startLoad(t, func(o *redisstore.Options) { o.Cluster = strings.Join(c.Addrs[:3], ",") })
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	l.during("nothing", func() { time.Sleep(time.Second) })
	refused := l.refused.Load()
	l.during("resharding", func() {
		for range 2 {
			_, err := c.MoveSlots(c.Nodes[0], c.Nodes[1], 10)
			check(err)
			_, err = c.MoveSlots(c.Nodes[1], c.Nodes[0], 10)
			check(err)
		}
	})
	if n := l.refused.Load() - refused; n > 0 {
		t.Errorf("%d look-ups failed while slots moved", n)
	}
	l.during("a node is added", func() {
		node, err := c.Add(nil)
		check(err)
		_, err = c.MoveSlots(c.Nodes[2], node, 10)
		check(err)
	})
	l.during("a manual failover", func() {
		_, err := c.Failover(c.Nodes[0], false)
		check(err)
	})
	l.during("a master dies", func() {
		c.Nodes[1].Stop()
		_, err := c.Failover(c.Nodes[1], true)
		check(err)
	})
	l.during("it comes back", func() {
		c.Nodes[1].Start()
		check(c.Settle())
	})
	l.during("a master freezes", func() {
		c.Nodes[2].Freeze()
		await(t, "its replica", func() bool {
			masters, err := c.Masters()
			return err == nil && len(masters) == 4 && !slices.Contains(masters, c.Nodes[2])
		})
	})
	l.during("everybody turns to its replica", func() { l.wantAnswers() })
	l.during("it stays frozen", func() { time.Sleep(time.Second) })
	l.during("it thaws", func() {
		c.Nodes[2].Thaw()
		check(c.Settle())
	})
	l.wantHits()
}

// TestSentinelUnderLoad has the master changed by hand, frozen and killed.
func TestSentinelUnderLoad(t *testing.T) {
	t.Parallel()
	group, err := redistest.LaunchSentinel(2, 3)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(group.Close)
	l := startLoad(t, func(o *redisstore.Options) { o.Sentinel = group.Name + "@" + group.Addrs })
	l.during("nothing", func() { time.Sleep(time.Second) })
	master := group.Master
	l.during("a manual failover", func() {
		// As the documentation has it: else the old master would go on taking
		// invalidations when some have turned to the new one.
		do(t, master, "CONFIG", "SET", "min-replicas-to-write", "2")
		if master, err = group.Failover(); err != nil {
			t.Fatal(err)
		}
	})
	l.during("the old master finds its place", func() {
		if err := group.Settle(); err != nil {
			t.Fatal(err)
		}
		// It may be promoted again when one of its replicas is down.
		for _, node := range group.Nodes {
			do(t, node, "CONFIG", "SET", "min-replicas-to-write", "0")
		}
	})
	frozen := master
	l.during("a master freezes", func() {
		frozen.Freeze()
		if master, err = group.Switched(frozen); err != nil {
			t.Fatal(err)
		}
	})
	l.during("everybody turns to its replica", func() { l.wantAnswers() })
	l.during("it thaws", func() {
		frozen.Thaw()
		time.Sleep(time.Second)
	})
	l.during("a master dies", func() {
		master.Stop()
		if _, err = group.Switched(master); err != nil {
			t.Fatal(err)
		}
		l.wantAnswers()
	})
	l.wantHits()
}
