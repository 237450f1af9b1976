package redisstore

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/freshet-dev/freshet"
	"github.com/freshet-dev/freshet/internal/redistest"
)

// frozenPast is the race of doubt.go: a master freezes with commands in its
// sockets, a replica takes over, everything is invalidated there, and processes
// that do not know it look up and write before the old master thaws.
type frozenPast struct {
	*testing.T
	old  *Store // has connections to the old master, with commands waiting
	refs []freshet.Ref
	all  sync.WaitGroup
}

// harm counts what a wrong answer of the old master has done.
type harm struct{ stale, lost int }

func openQuiet(t *testing.T, o *Options) *Store {
	t.Helper()
	o.Logger, o.LookupTimeout = slog.New(slog.DiscardHandler), cmp.Or(o.LookupTimeout, 5*time.Second)
	s, err := New(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// openNow opens a store on a Cluster that does not wait for others to turn: by the
// time that they have, most lookups would go to the new master.
func openNow(t *testing.T, addrs []string, after time.Duration) *Store {
	t.Helper()
	o := &Options{Cluster: strings.Join(addrs, ","), LookupTimeout: 5 * time.Second, Logger: slog.New(slog.DiscardHandler)}
	settings, err := o.settings()
	if err != nil {
		t.Fatal(err)
	}
	settings.doubtAfter, settings.turnTime = after, 0
	s, err := start(t.Context(), settings)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// prepare fills the cache. With many callers at a time the client pipelines, and
// goes on doing so: then a command does not wait for the answer of another.
func (f *frozenPast) prepare() {
	drop(f.T, f.old, freshet.All()) // the old master knows the script
	for i := range 32 {
		ref := freshet.Ref{Key: fmt.Sprint("k", i)}
		f.refs = append(f.refs, ref)
		if outcome := fillUnder(f.T, f.old, ref.Key, stampOf(f.T, f.old, ref.Key)); outcome != freshet.Stored {
			f.Fatal(outcome)
		}
	}
	for range 20 {
		f.lookups(nil)
	}
	f.all.Wait()
}

// invalidate has the old store invalidate ref, and reports whether fresh finds it
// afterwards. Where it fails, nobody was told that it is done.
func (f *frozenPast) invalidate(fresh *Store, ref freshet.Ref) (lost bool) {
	if _, err := f.old.Invalidate(context.Background(), []freshet.Target{freshet.Key(ref.Key)}); err != nil {
		return false
	}
	// A look-up that fails finds nothing, and says nothing of what is there.
	for limit := time.Now().Add(30 * time.Second); ; {
		found, err := fresh.Lookup(context.Background(), ref)
		if err == nil || time.Now().After(limit) {
			return err != nil || found.Entry != nil
		}
	}
}

// lookups looks everything up at once and tells what has been found.
func (f *frozenPast) lookups(found func(freshet.Found)) {
	for _, ref := range f.refs {
		f.all.Go(func() {
			got, err := f.old.Lookup(context.Background(), ref)
			if err == nil && found != nil {
				found(got)
			}
		})
	}
}

// race runs it.
func (f *frozenPast) race(master *redistest.Server, failover func(), fresh func() *Store) (h harm) {
	master.Freeze()
	f.lookups(nil)
	failover()
	s := fresh()
	awaitHere(f.T, "the new master", func() bool {
		_, err := s.Invalidate(f.Context(), []freshet.Target{freshet.All()})
		return err == nil
	})
	for _, ref := range f.refs {
		fillUnder(f.T, s, ref.Key, stampOf(f.T, s, ref.Key), "new")
	}
	var mu sync.Mutex
	f.lookups(func(found freshet.Found) {
		mu.Lock()
		defer mu.Unlock()
		if found.Entry != nil && found.Entry.Tags == nil {
			h.stale++
		}
	})
	for _, ref := range f.refs {
		f.all.Go(func() {
			lost := f.invalidate(s, ref)
			mu.Lock()
			defer mu.Unlock()
			if lost {
				h.lost++
			}
		})
	}
	// Not that anything had to happen by then: lookups that are written later
	// only make the race easier.
	time.Sleep(doubtAfter)
	master.Thaw()
	f.all.Wait()
	return h
}

func awaitHere(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited too long for %s", what)
		}
	}
}

// frozenInCluster runs the race on a Cluster, whose answers are doubted after a time.
func frozenInCluster(t *testing.T, c *redistest.Cluster, after time.Duration) harm {
	t.Helper()
	f := &frozenPast{T: t, old: openNow(t, c.Addrs[:3], after)}
	f.prepare()
	masters, err := c.Masters()
	if err != nil {
		t.Fatal(err)
	}
	var promoted *redistest.Server
	h := f.race(masters[0], func() {
		if promoted, err = c.Failover(masters[0], true); err != nil {
			t.Fatal(err)
		}
	}, func() *Store { return openNow(t, []string{promoted.Addr}, doubtAfter) })
	if err := c.Settle(); err != nil {
		t.Fatal(err)
	}
	return h
}

// TestFrozenPastFailover: with its answers believed, the old master of a Cluster
// is seen to be stale; so the test would notice. A Sentinel's client closes the
// connections to it, with or without doubt.
func TestFrozenPastFailover(t *testing.T) {
	t.Parallel()
	c := redistest.StartReplicatedCluster(t, 3, 1, "--cluster-node-timeout", "1000")
	for _, doubt := range []bool{false, true} {
		t.Run(fmt.Sprintf("cluster, doubt %v", doubt), func(t *testing.T) {
			after, tries := doubtAfter, 1
			if !doubt {
				// What has to happen for harm does not happen each time.
				after, tries = time.Hour, 5
			}
			var h harm
			for range tries {
				if h = frozenInCluster(t, c, after); h != (harm{}) {
					break
				}
			}
			if (h != harm{}) == doubt {
				t.Errorf("%+v, with doubt: %v", h, doubt)
			}
			t.Logf("%+v", h)
		})
	}
	t.Run("sentinel", func(t *testing.T) {
		group := redistest.StartSentinel(t)
		o := Options{Sentinel: group.Name + "@" + group.Addr}
		f := &frozenPast{T: t, old: openQuiet(t, &o)}
		f.prepare()
		h := f.race(group.Master, func() {
			awaitHere(t, "the failover", func() bool {
				master, _ := group.Sentinels[0].Do("SENTINEL", "GET-MASTER-ADDR-BY-NAME", group.Name)
				return fmt.Sprint(master) == fmt.Sprintf("[127.0.0.1 %d]", group.Replica.Port)
			})
		}, func() *Store { return openQuiet(t, &o) })
		if h != (harm{}) {
			t.Errorf("%+v", h)
		}
	})
}
