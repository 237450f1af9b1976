package freshet_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/freshet-dev/freshet"
	"github.com/freshet-dev/freshet/internal/redistest"
	"github.com/freshet-dev/freshet/redisstore"
)

// redisProcesses returns the stores of n processes on one Redis server.
func redisProcesses(t *testing.T, n int) ([]freshet.Store, *redistest.Server) {
	server := redistest.Start(t)
	stores := make([]freshet.Store, n)
	for i := range stores {
		s, err := redisstore.New(t.Context(), &redisstore.Options{
			Host: "127.0.0.1", Port: server.Port, SocketTimeout: time.Second, LookupTimeout: time.Second,
		})
		if err != nil {
			t.Fatal(err)
		}
		stores[i] = s
	}
	return stores, server
}

func TestStaleSetOnRedis(t *testing.T) {
	noLeak(t)
	stores, _ := redisProcesses(t, 2)
	if stale := newAPI(t, stores).race(); stale > 0 {
		t.Errorf("%d answers were stale in %d rounds", stale, rounds)
	}
}

// leaseCounter counts the answers of Lease.
type leaseCounter struct {
	*redisstore.Store
	leases *atomic.Int32
}

func (s leaseCounter) Lease(ctx context.Context, ref freshet.Ref, tags []string, stamp freshet.Stamp) (freshet.Lease, error) {
	defer s.leases.Add(1)
	return s.Store.Lease(ctx, ref, tags, stamp)
}

// TestOneLoadOnRedis: 200 first requests over two processes run the handler once.
func TestOneLoadOnRedis(t *testing.T) {
	noLeak(t)
	stores, _ := redisProcesses(t, 2)
	var runs, leases atomic.Int32
	release := make(chan struct{})
	var diaries []*diary
	var handlers []http.Handler
	for _, s := range stores {
		c, d := open(t, leaseCounter{s.(*redisstore.Store), &leases})
		diaries = append(diaries, d)
		handlers = append(handlers, routed(c.Handler(item, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			runs.Add(1)
			<-release
			_, _ = w.Write([]byte("answer"))
		}))))
	}
	var all sync.WaitGroup
	all.Go(func() { wantAll(t, crowd(t.Context(), 200, handlers...), "answer") })
	misses := func() (n int) {
		for _, d := range diaries {
			n += len(d.reasons(freshet.EventMiss))
		}
		return n
	}
	for end := time.Now().Add(time.Minute); misses() < 200 || leases.Load() < 2; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Errorf("after a minute %d requests have missed, and %d have asked for the lease", misses(), leases.Load())
			break
		}
	}
	close(release)
	all.Wait()
	if got := runs.Load(); got != 1 {
		t.Errorf("the handler ran %d times, want once", got)
	}
}

// TestRedisStopsAndReturns: a write while Redis is away is never followed by the
// answer from before it, in the process that made it.
func TestRedisStopsAndReturns(t *testing.T) {
	noLeak(t)
	stores, server := redisProcesses(t, 1)
	c, d := open(t, stores[0])
	var row atomic.Int32
	h := routed(c.Handler(item, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPut {
			row.Add(1)
		}
		fmt.Fprint(w, row.Load())
	})))
	get(t, h)
	if got := fateOf(t, h); !isHit(got) {
		t.Fatalf("before: %s, want a hit", got)
	}
	server.Freeze()
	w := send(t.Context(), h, "PUT", "/items/1")
	if got := w.Header().Get("Cache-Status"); !strings.Contains(got, "invalidation-pending") {
		t.Errorf("Cache-Status of the write: %s", got)
	}
	if got := get(t, h); got != "1" {
		t.Errorf("while it is frozen: %s, want 1", got)
	}
	server.Thaw()
	// The entry is still there: only the invalidation that is owed can tell.
	for deadline := time.Now().Add(time.Minute); len(d.lines("has taken all invalidations")) == 0; {
		if got := get(t, h); got != "1" {
			t.Fatalf("when it is back: %s, want 1", got)
		}
		if time.Now().After(deadline) {
			t.Fatal("the invalidation was not delivered within a minute")
		}
	}
	get(t, h)
	if got := get(t, h); got != "1" {
		t.Errorf("afterwards: %s, want 1", got)
	}
	if got := fateOf(t, h); !isHit(got) {
		t.Errorf("afterwards: %s, want a hit", got)
	}
}

// TestLoadWithinItself: a load that asks for another answer under its own key, or
// for what it is itself loading, does not wait for itself.
func TestLoadWithinItself(t *testing.T) {
	noLeak(t)
	stores, _ := redisProcesses(t, 1)
	c, _ := open(t, stores[0])
	inner := func(context.Context) (string, error) { return "inner", nil }
	h := routed(c.Handler(freshet.Rule{Key: "stats:{id}"}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		v, err := freshet.Load(r.Context(), c, "stats:1", 0, inner)
		fmt.Fprint(w, v, err)
	})))
	if w := send(t.Context(), h, "GET", "/items/1"); w.Body.String() != "inner<nil>" {
		t.Errorf("a handler that loads under its own key: %q", w.Body)
	}
	v, err := freshet.Load(t.Context(), c, "k", 0, func(ctx context.Context) (string, error) {
		return freshet.Load(ctx, c, "k", 0, inner)
	})
	if v != "inner" || err != nil {
		t.Errorf("a load of itself: %q, %v", v, err)
	}
}

// TestOneLoadBesideAnotherDeployment: an entry that was made otherwise, under the
// same key, is a miss, and does not keep the lease from anybody.
func TestOneLoadBesideAnotherDeployment(t *testing.T) {
	noLeak(t)
	stores, _ := redisProcesses(t, 3)
	var caches []*freshet.Cache
	for _, s := range stores {
		c, _ := open(t, s)
		caches = append(caches, c)
	}
	loadTwice(t, caches[0], "k", "older deployment")
	var runs atomic.Int32
	var all sync.WaitGroup
	for _, c := range caches {
		all.Go(func() {
			v, err := freshet.Load(t.Context(), c, "k", 0, func(context.Context) (int, error) {
				runs.Add(1)
				time.Sleep(50 * time.Millisecond) // long enough for the others to come
				return 7, nil
			})
			if v != 7 || err != nil {
				t.Errorf("Load: %v, %v", v, err)
			}
		})
	}
	all.Wait()
	if n := runs.Load(); n != 1 {
		t.Errorf("loaded %d times, want once", n)
	}
}

// TestCloseInTime: a store that hangs does not keep Close longer than its context.
func TestCloseInTime(t *testing.T) {
	server := redistest.Start(t)
	store, err := redisstore.New(t.Context(), &redisstore.Options{Host: "127.0.0.1", Port: server.Port, SocketTimeout: time.Minute, LookupTimeout: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	c, _ := open(t, store)
	server.Freeze()
	defer server.Thaw()
	given, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	// It gives up, and leaves the question to the prober, which hangs.
	if _, err := store.Lookup(given, freshet.Ref{Key: "k"}); err == nil {
		t.Fatal("a frozen Redis answers")
	}
	_, _ = freshet.Load(given, c, "k", 0, func(context.Context) (int, error) { return 1, nil })
	time.Sleep(100 * time.Millisecond)
	ctx, end := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer end()
	begun := time.Now()
	_ = c.Close(ctx)
	if took := time.Since(begun); took > 30*time.Second {
		t.Errorf("Close took %v", took)
	}
}
