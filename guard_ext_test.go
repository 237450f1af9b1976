package freshet_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/freshet-dev/freshet"
)

// limit is the time limit of a store that is frozen.
const limit = 5 * time.Second

// calm is long enough for the guard to have tried whatever it is going to try.
const calm = time.Minute

// fateOf returns the Cache-Status of a GET of the item 1.
func fateOf(t testing.TB, h http.Handler) string {
	t.Helper()
	return send(t.Context(), h, "GET", "/items/1").Header().Get("Cache-Status")
}

func isHit(status string) bool { return strings.Contains(status, "; hit") }

func wantLines(t *testing.T, d *diary, text string, want int) {
	t.Helper()
	if got := d.lines(text); len(got) != want {
		t.Errorf("%d lines of the log say %q, want %d: %s", len(got), text, want, got)
	}
}

// TestStoreDown: while the store fails every request is answered by its handler,
// after three failures without asking the store, and one goroutine finds out
// when it is back.
func TestStoreDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newFake(t)
		c, d := open(t, s)
		h := routed(c.Handler(item, text("answer")))
		s.fail(errDown, "Lookup", "Fill", "Valid", "Invalidate")
		for i := range 10 {
			if got := get(t, h); got != "answer" {
				t.Errorf("request %d got %q", i, got)
			}
		}
		if n := s.called("Lookup"); n != 3 {
			t.Errorf("the store was asked %d times, want 3", n)
		}
		time.Sleep(time.Hour)
		if n := s.called("Lookup"); n < 1000 || n > 2000 {
			t.Errorf("the store was asked %d times in an hour, want about one every two seconds", n)
		}
		wantLines(t, d, "the store fails", 1)
		s.heal()
		time.Sleep(calm)
		get(t, h)
		if got := fateOf(t, h); !isHit(got) {
			t.Errorf("after recovery: %s, want a hit", got)
		}
		wantLines(t, d, "the store answers again", 1)
		asked := s.called("Lookup")
		time.Sleep(time.Hour)
		if n := s.called("Lookup") - asked; n > 0 {
			t.Errorf("a store that works was asked %d times", n)
		}
	})
}

// TestStoreFlickers: failures that are not in a row open nothing.
func TestStoreFlickers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newFake(t)
		c, d := open(t, s)
		h := routed(c.Handler(item, text("answer")))
		for range 10 {
			s.fail(errDown, "Lookup")
			get(t, h)
			get(t, h)
			s.heal()
			get(t, h)
		}
		wantLines(t, d, "the store fails", 0)
	})
}

// TestStoreFrozen: one call that runs into the time limit is enough.
func TestStoreFrozen(t *testing.T) {
	for _, method := range []string{"Lookup", "Fill"} {
		t.Run(method, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newFake(t)
				c, _ := open(t, s)
				h := routed(c.Handler(item, text("answer")))
				s.freeze(limit, "Lookup", "Fill", "Invalidate", "Valid")
				if method == "Fill" {
					s.on("Lookup", nil)
				}
				for i, want := range []time.Duration{limit, 0, 0} {
					start := time.Now()
					if got := get(t, h); got != "answer" {
						t.Errorf("request %d got %q", i, got)
					}
					if took := time.Since(start); took != want {
						t.Errorf("request %d took %v, want %v", i, took, want)
					}
				}
			})
		})
	}
}

// TestImpatientClients: a store that is frozen is noticed although no client
// waits for as long as the store's time limit.
func TestImpatientClients(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newFake(t)
		c, d := open(t, s)
		h := routed(c.Handler(item, text("answer")))
		s.freeze(limit, "Lookup")
		for range 10 {
			ctx, leave := context.WithTimeout(t.Context(), time.Second)
			send(ctx, h, "GET", "/items/1")
			leave()
		}
		wantLines(t, d, "the store fails", 1)
		start := time.Now()
		get(t, h)
		if took := time.Since(start); took > 0 {
			t.Errorf("after ten seconds a request took %v", took)
		}
	})
}

// TestClientGoneIsNoFailure: clients that leave say nothing of the store.
func TestClientGoneIsNoFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, d := open(t, newFake(t))
		h := routed(c.Handler(item, text("answer")))
		get(t, h)
		gone, leave := context.WithCancel(t.Context())
		leave()
		for range 20 {
			send(gone, h, "GET", "/items/1")
		}
		if got := fateOf(t, h); !isHit(got) {
			t.Errorf("after 20 clients have left: %s, want a hit", got)
		}
		time.Sleep(calm)
		wantLines(t, d, "store", 0)
	})
}

// TestOneProber: however many requests find the store failing, one goroutine at
// a time asks it, and none is left after Close.
func TestOneProber(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newFake(t)
		c, _ := open(t, s)
		var asking, most atomic.Int32
		h := routed(c.Handler(item, text("answer")))
		s.fail(errDown, "Lookup", "Invalidate")
		for range 3 {
			get(t, h)
		}
		s.on("Lookup", func(context.Context) error {
			most.Store(max(most.Load(), asking.Add(1)))
			defer asking.Add(-1)
			time.Sleep(time.Second)
			return errDown
		})
		for range 100 {
			get(t, h)
			_, _ = c.Invalidate(t.Context(), freshet.Key("item:1"))
			time.Sleep(100 * time.Millisecond)
		}
		if most.Load() != 1 {
			t.Errorf("%d at a time have asked the store, want 1", most.Load())
		}
		_ = c.Close(t.Context())
		// The bubble itself fails if a goroutine is left.
	})
}

// TestInvalidateError says what the caller has to know.
func TestInvalidateError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newFake(t)
		c, d := open(t, s)
		s.fail(errDown, "Invalidate")
		for range 5 {
			_, err := c.Invalidate(t.Context(), freshet.Key("a"))
			want := "freshet: the invalidation is being retried, and what it covers is not served meanwhile: connection refused"
			if err == nil || err.Error() != want || !errors.Is(err, errDown) {
				t.Errorf("Invalidate: %v, want %s", err, want)
			}
		}
		wantLines(t, d, "does not take invalidations", 1)
		if _, err := c.Invalidate(t.Context(), freshet.Key("")); !errors.Is(err, freshet.ErrTarget) {
			t.Errorf("Invalidate of nothing: %v, want %v", err, freshet.ErrTarget)
		}
	})
}

// TestInvalidateOutlivesItsCaller: a caller that has gone does not take the
// invalidation with it.
func TestInvalidateOutlivesItsCaller(t *testing.T) {
	c, _ := open(t, newFake(t))
	h := routed(c.Handler(item, text("answer")))
	get(t, h)
	gone, leave := context.WithCancel(t.Context())
	leave()
	if _, err := c.Invalidate(gone, freshet.Key("item:1")); err != nil {
		t.Error(err)
	}
	if got := fateOf(t, h); isHit(got) {
		t.Errorf("the entry is still there: %s", got)
	}
}

// TestStoreTakesNoWrites: a full or read-only store goes on answering reads.
func TestStoreTakesNoWrites(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newFake(t)
		c, d := open(t, s)
		h := routed(c.Handler(item, text("answer")))
		get(t, h)
		s.fail(errDown, "Fill", "Invalidate")
		for range 20 {
			_, _ = c.Invalidate(t.Context(), freshet.Key("other:1"))
			if got := fateOf(t, h); !isHit(got) {
				t.Fatalf("%s, want a hit", got)
			}
			if got := send(t.Context(), h, "GET", "/items/2").Header().Get("Cache-Status"); !strings.Contains(got, "store-error") {
				t.Fatalf("Cache-Status of an answer that cannot be stored: %s", got)
			}
			time.Sleep(time.Second)
		}
		wantLines(t, d, "the store fails", 0)
	})
}

// TestOpenAgainForReads: a store that comes back without taking writes is read.
func TestOpenAgainForReads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newFake(t)
		c, d := open(t, s)
		h := routed(c.Handler(item, text("answer")))
		get(t, h)
		s.fail(errDown, "Lookup", "Invalidate")
		for range 3 {
			get(t, h)
		}
		_, _ = c.Invalidate(t.Context(), freshet.Key("other:1"))
		s.on("Lookup", nil)
		time.Sleep(calm)
		if got := fateOf(t, h); !isHit(got) {
			t.Errorf("%s, want a hit", got)
		}
		wantLines(t, d, "the store answers again", 1)
	})
}

// TestDeliveryTimesOut: a store that answers lookups but hangs on invalidations
// is left alone: otherwise every write would wait for its time limit.
func TestDeliveryTimesOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newFake(t)
		c, d := open(t, s)
		s.freeze(limit, "Invalidate")
		for i := range 20 {
			start := time.Now()
			_, _ = c.Invalidate(t.Context(), freshet.Key("a"))
			if took := time.Since(start); i > 0 && took > 0 {
				t.Fatalf("invalidation %d took %v", i, took)
			}
			time.Sleep(2 * time.Second)
		}
		wantLines(t, d, "the store fails", 1)
	})
}
