package freshet_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/freshet-dev/freshet"
)

// TestOwed: what the store has not taken is not served or stored by this process
// until it has, and everything else is.
func TestOwed(t *testing.T) {
	for _, l := range lates {
		t.Run(l.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newFake(t)
				c, d := open(t, s)
				var db atomic.Int32
				row := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					freshet.FromContext(r.Context()).Tag(l.tag)
					fmt.Fprint(w, db.Add(1))
				})
				other := freshet.Rule{Pattern: "/items/{id}", Key: "other:{id}"}
				h, spared := routed(c.Handler(item, row)), routed(c.Handler(other, text("other")))
				get(t, h)
				get(t, spared)

				s.fail(errDown, "Invalidate")
				if _, err := c.Invalidate(t.Context(), l.target); !errors.Is(err, errDown) {
					t.Errorf("Invalidate: %v, want %v", err, errDown)
				}
				fills := s.called("Fill")
				for _, want := range []string{"2", "3", "4"} {
					if got := get(t, h); got != want {
						t.Errorf("while it is owed: got %s, want %s, neither served nor stored", got, want)
					}
				}
				if n := s.called("Fill") - fills; n > 0 {
					t.Errorf("%d answers were stored while it is owed", n)
				}
				if got := fateOf(t, spared); isHit(got) != (l.target != freshet.All()) {
					t.Errorf("an entry that is not covered: %s", got)
				}
				time.Sleep(calm)
				wantLines(t, d, "does not take invalidations", 1)
				wantLines(t, d, "the store fails", 0)

				s.heal()
				time.Sleep(calm)
				wantLines(t, d, "has taken all invalidations", 1)
				for range 2 {
					if got := get(t, h); got != "5" {
						t.Errorf("after it was delivered: got %s, want 5", got)
					}
				}
			})
		})
	}
}

// TestOwedWhileOpen: a write while the store is down costs its client no time,
// and what it drops is gone when the store is back.
func TestOwedWhileOpen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newFake(t)
		c, _ := open(t, s)
		var db atomic.Int32
		h := routed(c.Handler(item, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodPut {
				db.Add(1)
			}
			fmt.Fprint(w, db.Load())
		})))
		get(t, h)
		s.freeze(limit, "Lookup", "Invalidate", "Fill")
		get(t, h)
		start := time.Now()
		w := send(t.Context(), h, "PUT", "/items/1")
		if took := time.Since(start); took > 0 {
			t.Errorf("the write took %v", took)
		}
		if got := w.Header().Get("Cache-Status"); !strings.Contains(got, "invalidation-pending") {
			t.Errorf("Cache-Status of the write: %s", got)
		}
		s.heal()
		for range 100 {
			if got := get(t, h); got != "1" {
				t.Fatalf("got %s, want 1", got)
			}
			time.Sleep(100 * time.Millisecond)
		}
		if got := fateOf(t, h); !isHit(got) {
			t.Errorf("after recovery: %s, want a hit", got)
		}
	})
}

// TestDeliveredDuringLookup is the interleaving that the guard counts payments
// for:
//
//  1. an invalidation is owed
//  2. a lookup asks the store, which finds an entry that it covers
//  3. the invalidation is delivered and no longer owed
//  4. the lookup asks what is owed
func TestDeliveredDuringLookup(t *testing.T) {
	for _, l := range lates {
		t.Run(l.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newFake(t)
				c, _ := open(t, s)
				var db atomic.Value
				db.Store("old")
				h := routed(c.Handler(item, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					freshet.FromContext(r.Context()).Tag(l.tag)
					_, _ = w.Write([]byte(db.Load().(string)))
				})))
				get(t, h)
				db.Store("new")
				s.fail(errDown, "Invalidate")
				_, _ = c.Invalidate(t.Context(), l.target)
				s.then("Lookup", func() {
					s.heal()
					time.Sleep(calm)
				})
				if got := get(t, h); got != "new" {
					t.Errorf("got the %s answer", got)
				}
			})
		})
	}
}

// TestTooManyOwed: beyond the bound, everything is invalidated.
func TestTooManyOwed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newFake(t)
		c, _ := open(t, s)
		h := routed(c.Handler(item, text("answer")))
		get(t, h)
		s.fail(errDown, "Invalidate")
		targets := make([]freshet.Target, 10_001)
		for i := range targets {
			targets[i] = freshet.Key("other:" + strconv.Itoa(i))
		}
		_, _ = c.Invalidate(t.Context(), targets...)
		if got := fateOf(t, h); isHit(got) {
			t.Errorf("after more was owed than is kept: %s", got)
		}
		s.heal()
		before := s.called("Invalidate")
		time.Sleep(calm)
		if n := s.called("Invalidate") - before; n != 1 {
			t.Errorf("it was delivered in %d calls, want 1", n)
		}
		if found, err := s.Lookup(t.Context(), freshet.Ref{Key: "item:1"}); err != nil || found.Entry != nil {
			t.Errorf("the store still has the entry (%v)", err)
		}
	})
}

// TestOwedTagIsNotStored: what the handler has tagged with a tag that is owed may
// be from before the change.
func TestOwedTagIsNotStored(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newFake(t)
		c, d := open(t, s)
		s.fail(errDown, "Invalidate")
		_, _ = c.Invalidate(t.Context(), freshet.Tag("items"))
		get(t, routed(c.Handler(item, text("answer"))))
		if got := d.reasons(freshet.EventFill); s.called("Fill") > 0 || !slices.Equal(got, []string{"fenced"}) {
			t.Errorf("it was stored: %q", got)
		}
	})
}

// TestOwedOnTheLastMoment: an invalidation that is owed while the guard is about
// to find that all is well is delivered all the same.
func TestOwedOnTheLastMoment(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newFake(t)
		c, d := open(t, s)
		h := routed(c.Handler(item, text("answer")))
		s.fail(errDown, "Lookup")
		for range 3 {
			get(t, h)
		}
		var once sync.Once
		d.follow(func(e freshet.Event) {
			if e.Kind != freshet.EventStore || e.Err != nil {
				return
			}
			once.Do(func() { // it answers again
				s.fail(errDown, "Invalidate")
				_, _ = c.Invalidate(t.Context(), freshet.Key("a"))
				s.heal()
			})
		})
		s.heal()
		time.Sleep(calm)
		wantLines(t, d, "has taken all invalidations", 1)
	})
}

func TestCloseDelivers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newFake(t)
		c, _ := open(t, s)
		s.fail(errDown, "Lookup", "Invalidate")
		_, _ = c.Invalidate(t.Context(), freshet.Key("a"))
		s.heal()
		start, before := time.Now(), s.called("Invalidate")
		if err := c.Close(t.Context()); err != nil {
			t.Errorf("Close: %v", err)
		}
		if n := s.called("Invalidate") - before; n != 1 || time.Since(start) > 0 {
			t.Errorf("delivered by %d calls in %v", n, time.Since(start))
		}
		if err := c.Close(t.Context()); err != nil || s.called("Close") != 1 {
			t.Errorf("a second Close: %v; the store was closed %d times", err, s.called("Close"))
		}
	})
}

func TestCloseReports(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newFake(t)
		c, _ := open(t, s)
		s.fail(errDown, "Lookup", "Invalidate")
		_, _ = c.Invalidate(t.Context(), freshet.Key("a"), freshet.Tag("b"))
		err := c.Close(t.Context())
		if !errors.Is(err, errDown) || !strings.Contains(err.Error(), "2 invalidations could not be delivered") {
			t.Errorf("Close: %v", err)
		}
	})
}

// TestCloseWithinItsTime: Close does not wait for a frozen store longer than its
// caller does, though the guard is just asking it.
func TestCloseWithinItsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newFake(t)
		c, _ := open(t, s)
		s.freeze(time.Hour, "Lookup", "Invalidate")
		ctx, stop := context.WithTimeout(t.Context(), time.Second)
		defer stop()
		send(ctx, routed(c.Handler(item, text("answer"))), "GET", "/items/1")
		s.fail(errDown, "Invalidate")
		_, _ = c.Invalidate(t.Context(), freshet.Key("a"))
		s.freeze(time.Hour, "Invalidate")
		time.Sleep(time.Second) // it is asking now
		start := time.Now()
		ctx, stop = context.WithTimeout(t.Context(), time.Second)
		defer stop()
		if err := c.Close(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Close: %v", err)
		}
		if took := time.Since(start); took != time.Second {
			t.Errorf("Close took %v, want 1s", took)
		}
	})
}

// unreliable makes each call of s fail now and then, before or after it has been
// carried out.
func unreliable(s *fakeStore) {
	for _, method := range []string{"Lookup", "Fill", "Valid", "Invalidate"} {
		s.on(method, func(context.Context) error {
			time.Sleep(rand.N(time.Millisecond))
			if rand.IntN(4) == 0 {
				return errDown
			}
			return nil
		})
	}
}

// TestFreshThroughFailures: with a store that fails one call in four, no request
// is answered from before an invalidation that has returned, whatever it has
// returned.
func TestFreshThroughFailures(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newFake(t)
		c, _ := open(t, s)
		unreliable(s)
		var row, returned, stale, hits atomic.Int64
		h := routed(c.Handler(item, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			read := row.Load()
			freshet.FromContext(r.Context()).Tag("late")
			time.Sleep(rand.N(3 * time.Millisecond))
			fmt.Fprint(w, read)
		})))
		ctx, stop := context.WithTimeout(t.Context(), 20*time.Second)
		defer stop()
		var all sync.WaitGroup
		for range 6 {
			all.Go(func() {
				for ctx.Err() == nil {
					due := returned.Load()
					w := send(context.Background(), h, "GET", "/items/1")
					if isHit(w.Header().Get("Cache-Status")) {
						hits.Add(1)
					}
					if got, err := strconv.ParseInt(w.Body.String(), 10, 64); err != nil || got < due {
						stale.Add(1)
					}
					time.Sleep(rand.N(2 * time.Millisecond))
				}
			})
		}
		all.Go(func() {
			for ctx.Err() == nil {
				version := row.Add(1)
				_, _ = c.Invalidate(context.Background(), lates[rand.IntN(len(lates))].target)
				returned.Store(version)
				time.Sleep(rand.N(200 * time.Millisecond))
			}
		})
		all.Wait()
		t.Logf("%d stale, %d hits, %d invalidations", stale.Load(), hits.Load(), row.Load())
		if stale.Load() > 0 || hits.Load() == 0 {
			t.Errorf("%d answers were stale, %d were hits", stale.Load(), hits.Load())
		}
	})
}
