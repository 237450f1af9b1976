package freshet_test

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/freshet-dev/freshet"
)

// outages are the ways in which a request cannot be answered by the store.
var outages = map[string]func(c *freshet.Cache, s *fakeStore){
	"store-error": func(_ *freshet.Cache, s *fakeStore) {
		s.fail(errDown, "Lookup", "Fill", "Valid", "Invalidate")
	},
	"invalidation-pending": func(c *freshet.Cache, s *fakeStore) {
		s.fail(errDown, "Invalidate")
		_, _ = c.Invalidate(context.Background(), freshet.Key("item:1"))
	},
}

// TestOutageIsShared: 200 requests that the store cannot be asked for are two
// loads, not 200: the first goes out, and all others share the next.
func TestOutageIsShared(t *testing.T) {
	for why, begin := range outages {
		t.Run(why, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newFake(t)
				c, _ := open(t, s)
				begin(c, s)
				var h slow
				handler := routed(c.Handler(item, &h))
				start := time.Now()
				var first sync.WaitGroup
				first.Go(func() { get(t, handler) })
				synctest.Wait()
				wantAll(t, crowd(t.Context(), 200, handler), "answer")
				first.Wait()
				h.want(t, 2)
				if took := time.Since(start); took != 2*time.Second {
					t.Errorf("it took %v, want the time of two loads", took)
				}
				if n := s.called("Fill"); n > 0 {
					t.Errorf("%d answers were stored without a stamp", n)
				}
				got, rest := fateOf(t, handler), `freshet; fwd=bypass; detail="`+why+`"`
				if got != rest {
					t.Errorf("Cache-Status %s, want %s", got, rest)
				}
			})
		})
	}
}

// TestOutageOfLoad: typed loads share in an outage, too.
func TestOutageOfLoad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newFake(t)
		c, _ := open(t, s)
		outages["store-error"](c, s)
		var runs atomic.Int32
		var all sync.WaitGroup
		for range 100 {
			all.Go(func() {
				got, err := freshet.Load(t.Context(), c, "k", 0, func(context.Context) (string, error) {
					time.Sleep(time.Second)
					runs.Add(1)
					return "value", nil
				})
				if got != "value" || err != nil {
					t.Errorf("%q, %v", got, err)
				}
			})
			if runs.Load() == 0 {
				synctest.Wait()
			}
		}
		all.Wait()
		if n := runs.Load(); n != 2 {
			t.Errorf("%d loads, want 2", n)
		}
	})
}

// TestOutageUnfitToShare: of answers that cannot be shared, everybody gets their
// own, and those who have waited do not queue.
func TestOutageUnfitToShare(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newFake(t)
		c, _ := open(t, s)
		outages["store-error"](c, s)
		h := slow{act: func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Set-Cookie", "a=b") }}
		start := time.Now()
		wantAll(t, crowd(t.Context(), 50, routed(c.Handler(item, &h))), "answer")
		h.want(t, 50)
		if took := time.Since(start); took > 2*time.Second {
			t.Errorf("it took %v: the loads have queued", took)
		}
	})
}

// TestOutageLeaderAborts: a load that panics harms nobody else.
func TestOutageLeaderAborts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newFake(t)
		c, _ := open(t, s)
		outages["store-error"](c, s)
		var runs atomic.Int32
		h := routed(c.Handler(item, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			time.Sleep(time.Second)
			if runs.Add(1) <= 2 {
				panic(http.ErrAbortHandler)
			}
			_, _ = io.WriteString(w, "answer")
		})))
		var good, aborted atomic.Int32
		var all sync.WaitGroup
		for range 20 {
			all.Go(func() {
				defer func() {
					if recover() != nil {
						aborted.Add(1)
					}
				}()
				if get(t, h) == "answer" {
					good.Add(1)
				}
			})
			if runs.Load() == 0 {
				synctest.Wait()
			}
		}
		all.Wait()
		if good.Load() != 18 || aborted.Load() != 2 {
			t.Errorf("%d answers and %d aborts, want 18 and 2", good.Load(), aborted.Load())
		}
	})
}

// TestOutageAsksForItself: in an outage, too, a handler that asks for what it is
// itself loading does not wait for itself.
func TestOutageAsksForItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newFake(t)
		c, _ := open(t, s)
		outages["store-error"](c, s)
		var h http.Handler
		h = routed(c.Handler(item, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Inner") == "" {
				inner := r.Clone(r.Context())
				inner.Header.Set("Inner", "1")
				h.ServeHTTP(w, inner)
				return
			}
			_, _ = io.WriteString(w, "answer")
		})))
		if got := get(t, h); got != "answer" {
			t.Errorf("got %q", got)
		}
	})
}

// TestImpatienceInAnOutage: who has no time left when the store has not answered
// still reaches the handler, and does not wait for the load of another.
func TestImpatienceInAnOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newFake(t)
		c, _ := open(t, s)
		outages["store-error"](c, s)
		var h slow
		handler := routed(c.Handler(item, &h))
		var first sync.WaitGroup
		first.Go(func() { get(t, handler) })
		synctest.Wait()
		ctx, leave := context.WithCancel(t.Context())
		leave()
		if got := send(ctx, handler, "GET", "/items/1").Body.String(); got != "answer" {
			t.Errorf("got %q", got)
		}
		first.Wait()
	})
}

// TestFreshInAnOutage: of two processes one cannot ask the store, so that it learns
// nothing of what the other invalidates, and shares its loads. No request gets
// what is older than an invalidation that had returned when it came.
func TestFreshInAnOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stores := fakeProcesses(t, 2)
		cut := stores[0].(*process).fakeStore
		cut.fail(errDown, "Lookup", "Fill", "Valid")
		c, _ := open(t, stores[0])
		other, _ := open(t, stores[1])
		var row, loads, asked, stale atomic.Int64
		h := routed(c.Handler(item, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			loads.Add(1)
			read := row.Load()
			time.Sleep(rand.N(3 * time.Millisecond))
			fmt.Fprint(w, read)
		})))
		ctx, stop := context.WithTimeout(t.Context(), 10*time.Second)
		defer stop()
		var returned atomic.Int64
		var all sync.WaitGroup
		for range 10 {
			all.Go(func() {
				for ctx.Err() == nil {
					due := returned.Load()
					w := send(context.Background(), h, "GET", "/items/1")
					asked.Add(1)
					if got, err := strconv.ParseInt(w.Body.String(), 10, 64); err != nil || got < due {
						stale.Add(1)
					}
					if strings.Contains(w.Header().Get("Cache-Status"), "; hit") {
						t.Error("a hit, with the store down")
					}
					time.Sleep(rand.N(2 * time.Millisecond))
				}
			})
		}
		all.Go(func() {
			for ctx.Err() == nil {
				version := row.Add(1)
				_, _ = other.Invalidate(context.Background(), freshet.Key("item:1"))
				returned.Store(version)
				time.Sleep(rand.N(4 * time.Millisecond))
			}
		})
		all.Wait()
		t.Logf("%d stale of %d, %d loads, %d invalidations", stale.Load(), asked.Load(), loads.Load(), row.Load())
		if stale.Load() > 0 || loads.Load() > asked.Load()/2 {
			t.Errorf("%d of %d answers were stale, %d loads", stale.Load(), asked.Load(), loads.Load())
		}
	})
}
