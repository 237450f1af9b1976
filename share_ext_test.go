package freshet_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/freshet-dev/freshet"
	"github.com/freshet-dev/freshet/internal/flight"
)

// crowd sends n requests at once, to the handlers in turn, and returns the bodies.
func crowd(ctx context.Context, n int, handlers ...http.Handler) []string {
	bodies := make([]string, n)
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() { bodies[i] = send(ctx, handlers[i%len(handlers)], "GET", "/items/1").Body.String() })
	}
	all.Wait()
	return bodies
}

func wantAll(t *testing.T, bodies []string, want string) {
	t.Helper()
	for i, got := range bodies {
		if got != want {
			t.Fatalf("request %d got %q, want %q", i, got, want)
		}
	}
}

// slow is a handler that takes a second and counts.
type slow struct {
	runs atomic.Int32
	act  func(w http.ResponseWriter, r *http.Request)
}

func (s *slow) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.runs.Add(1)
	time.Sleep(time.Second)
	if s.act != nil {
		s.act(w, r)
	}
	_, _ = w.Write([]byte("answer"))
}

func (s *slow) want(t *testing.T, runs int32) {
	t.Helper()
	if got := s.runs.Load(); got != runs {
		t.Errorf("the handler ran %d times, want %d", got, runs)
	}
}

func TestOneLoadInAProcess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _ := open(t, newFake(t))
		var h slow
		wantAll(t, crowd(t.Context(), 100, routed(c.Handler(item, &h))), "answer")
		h.want(t, 1)
	})
}

func TestOneLoadOverTwoProcesses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var h slow
		var handlers []http.Handler
		for _, s := range fakeProcesses(t, 2) {
			c, _ := open(t, s)
			handlers = append(handlers, routed(c.Handler(item, &h)))
		}
		wantAll(t, crowd(t.Context(), 200, handlers...), "answer")
		h.want(t, 1)
	})
}

// TestUnfitToShare: when an answer cannot be shared, those who have waited for
// it load at the same time, not one after the other.
func TestUnfitToShare(t *testing.T) {
	for name, act := range map[string]func(w http.ResponseWriter, r *http.Request){
		"no-store by the handler": func(_ http.ResponseWriter, r *http.Request) { freshet.FromContext(r.Context()).NoStore() },
		"set-cookie":              func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Set-Cookie", "a=b") },
		"error":                   func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) },
	} {
		for processes := 1; processes <= 2; processes++ {
			t.Run(name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					h := slow{act: act}
					var handlers []http.Handler
					for _, s := range fakeProcesses(t, processes) {
						c, _ := open(t, s)
						handlers = append(handlers, routed(c.Handler(item, &h)))
					}
					start := time.Now()
					wantAll(t, crowd(t.Context(), 50, handlers...), "answer")
					h.want(t, 50)
					if took := time.Since(start); took > 2*time.Second {
						t.Errorf("it took %v: the loads have queued", took)
					}
				})
			})
		}
	}
}

// TestStreamEndsTheWait: an answer that begins to stream is not going to be
// shared, and who waits for it need not wait for its end.
func TestStreamEndsTheWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		first := make(chan struct{})
		var runs atomic.Int32
		handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if runs.Add(1) == 1 {
				time.Sleep(time.Second)
				w.(http.Flusher).Flush()
				<-first
			}
			_, _ = w.Write([]byte("answer"))
		})
		var handlers []http.Handler
		for _, s := range fakeProcesses(t, 2) {
			c, _ := open(t, s)
			handlers = append(handlers, routed(c.Handler(item, handler)))
		}
		var leader sync.WaitGroup
		leader.Go(func() { get(t, handlers[0]) })
		synctest.Wait()
		wantAll(t, crowd(t.Context(), 6, handlers...), "answer")
		close(first)
		leader.Wait()
	})
}

// TestStreamEndsWithItsClient: the handler of a stream learns that its client has
// gone, although its context is not the request's own.
func TestStreamEndsWithItsClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _ := open(t, newFake(t))
		var cause error
		h := routed(c.Handler(item, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.(http.Flusher).Flush()
			<-r.Context().Done()
			cause = context.Cause(r.Context())
		})))
		ctx, leave := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, leave)
		send(ctx, h, "GET", "/items/1")
		if !errors.Is(cause, flight.ErrAbandoned) {
			t.Errorf("the stream's context ended by %v, want %v", cause, flight.ErrAbandoned)
		}
	})
}

// TestClientsLeave: a client that leaves gets out at once; the load goes on for
// the others, and ends when there are none.
func TestClientsLeave(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, d := open(t, newFake(t))
		cause := make(chan error, 1)
		h := routed(c.Handler(item, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			select {
			case <-r.Context().Done():
				cause <- context.Cause(r.Context())
				// It takes no notice of the error that its database reports.
				_, _ = w.Write([]byte("half an answer"))
			case <-time.After(10 * time.Second):
				_, _ = w.Write([]byte("answer"))
			}
		})))
		client := func(stay time.Duration) <-chan time.Time {
			gone := make(chan time.Time, 1)
			ctx, leave := context.WithTimeout(t.Context(), stay)
			go func() {
				defer leave()
				send(ctx, h, "GET", "/items/1")
				gone <- time.Now()
			}()
			synctest.Wait()
			return gone
		}
		start := time.Now()
		leader, waiter := client(time.Second), client(2*time.Second)
		if took := (<-waiter).Sub(start); took != 2*time.Second {
			t.Errorf("the waiter left after %v, want 2s", took)
		}
		if took := (<-leader).Sub(start); took != 2*time.Second {
			t.Errorf("the load ended after %v, want 2s, when the last client left", took)
		}
		if err := <-cause; !errors.Is(err, flight.ErrAbandoned) {
			t.Errorf("the load ended by %v, want %v", err, flight.ErrAbandoned)
		}
		if got := d.reasons(freshet.EventFill); !slices.Equal(got, []string{"abandoned"}) {
			t.Errorf("the fills were %q: what an abandoned load made of it must not be kept", got)
		}
		if got := get(t, h); got != "answer" {
			t.Errorf("the next client got %q", got)
		}
	})
}

// TestLeaderFails: what becomes of the leader reaches its own request and no
// other; one of the others takes over.
func TestLeaderFails(t *testing.T) {
	for name, fail := range map[string]func(){
		"panic": func() { panic("boom") },
		"abort": func() { panic(http.ErrAbortHandler) },
		"exit":  runtime.Goexit,
	} {
		for processes := 1; processes <= 2; processes++ {
			t.Run(name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) { leaderFails(t, processes, fail) })
			})
		}
	}
}

func leaderFails(t *testing.T, processes int, fail func()) {
	h := new(slow)
	h.act = func(http.ResponseWriter, *http.Request) {
		if h.runs.Load() == 1 {
			fail()
		}
	}
	var handlers []http.Handler
	for _, s := range fakeProcesses(t, processes) {
		c, _ := open(t, s)
		handlers = append(handlers, routed(c.Handler(item, h)))
	}
	own := make(chan any, 1)
	go func() {
		defer func() { own <- recover() }()
		defer runtime.Goexit() // so that the test's own defer sees the end
		send(t.Context(), handlers[0], "GET", "/items/1")
	}()
	synctest.Wait()
	wantAll(t, crowd(t.Context(), 20, handlers...), "answer")
	<-own
	h.want(t, 2)
}

// TestPanicReachesItsRequest is the part of it that the leader sees.
func TestPanicReachesItsRequest(t *testing.T) {
	c, _ := open(t, newFake(t))
	h := routed(c.Handler(item, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })))
	defer func() {
		if got := recover(); got != http.ErrAbortHandler {
			t.Errorf("recovered %v, want %v", got, http.ErrAbortHandler)
		}
	}()
	get(t, h)
	t.Error("the panic got lost")
}

// TestHolderDies: the lease of a process that dies is taken over.
func TestHolderDies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stores := fakeProcesses(t, 2)
		dying, _ := open(t, stores[0])
		never := make(chan struct{})
		stuck := routed(dying.Handler(item, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-never })))
		go get(t, stuck)
		synctest.Wait()
		c, _ := open(t, stores[1])
		var h slow
		time.AfterFunc(5*time.Second, func() { stores[0].(*process).leases.die(freshet.Ref{Key: "item:1"}) })
		wantAll(t, crowd(t.Context(), 10, routed(c.Handler(item, &h))), "answer")
		h.want(t, 1)
		close(never)
	})
}

// TestLeaseIsNeverNeeded: without a lease the answer is loaded all the same.
func TestLeaseIsNeverNeeded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := fakeProcesses(t, 1)[0].(*process)
		s.fail(errDown, "Lease")
		c, _ := open(t, s)
		var h slow
		wantAll(t, crowd(t.Context(), 10, routed(c.Handler(item, &h))), "answer")
		h.want(t, 1)
	})
}

// TestStoreFailsAfterTheWait: who has waited for another process, and then cannot
// ask for what that one has stored, loads.
func TestStoreFailsAfterTheWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stores := fakeProcesses(t, 2)
		holder, _ := open(t, stores[0])
		c, _ := open(t, stores[1])
		var mine, other slow
		go get(t, routed(holder.Handler(item, &other)))
		synctest.Wait()
		time.AfterFunc(time.Millisecond, func() { stores[1].(*process).fail(errDown, "Lookup") })
		wantAll(t, crowd(t.Context(), 10, routed(c.Handler(item, &mine))), "answer")
		mine.want(t, 1)
	})
}

// TestNobodyLeftForTheLease: who waits for another process and leaves does not
// start a load on the way out.
func TestNobodyLeftForTheLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stores := fakeProcesses(t, 2)
		holder, _ := open(t, stores[0])
		c, _ := open(t, stores[1])
		var mine, other slow
		go get(t, routed(holder.Handler(item, &other)))
		synctest.Wait()
		ctx, leave := context.WithTimeout(t.Context(), time.Millisecond)
		defer leave()
		send(ctx, routed(c.Handler(item, &mine)), "GET", "/items/1")
		mine.want(t, 0)
		time.Sleep(time.Minute)
	})
}

// TestCollisionDoesNotWaitForever: two requests that meet in one key and replace
// each other's entry still end.
func TestCollisionDoesNotWaitForever(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rule := freshet.Rule{Pattern: "/pairs/{a}/{b}", Key: "pair:{a}_{b}"}
		var handlers []http.Handler
		for _, s := range fakeProcesses(t, 2) {
			c, _ := open(t, s)
			mux := http.NewServeMux()
			mux.Handle(rule.Pattern, c.Handler(rule, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				time.Sleep(time.Second)
				_, _ = w.Write([]byte(r.URL.Path))
			})))
			handlers = append(handlers, mux)
		}
		var all sync.WaitGroup
		for i, path := range []string{"/pairs/1_2/3", "/pairs/1/2_3", "/pairs/1_2/3", "/pairs/1/2_3"} {
			all.Go(func() {
				w := httptest.NewRecorder()
				handlers[i/2].ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), "GET", path, nil))
				if got := w.Body.String(); got != path {
					t.Errorf("%s got the answer of %s", path, got)
				}
			})
		}
		all.Wait()
	})
}

// TestDeadlineOfAWaiter: a middleware's deadline ends the wait for another's
// load with an answer that says so.
func TestDeadlineOfAWaiter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _ := open(t, newFake(t))
		var h slow
		handler := routed(c.Handler(item, &h))
		var leader sync.WaitGroup
		leader.Go(func() { send(t.Context(), handler, "GET", "/items/1") })
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		if w := send(ctx, handler, "GET", "/items/1"); w.Code != http.StatusServiceUnavailable {
			t.Errorf("status %d, want 503", w.Code)
		}
		leader.Wait()
		h.want(t, 1)
	})
}

// TestFilledBeforeTheFlight: between the look-up of one request and its flight, that of
// another has landed. Nobody loads what is there already.
func TestFilledBeforeTheFlight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var h slow
		s := newFake(t)
		c, _ := open(t, s)
		site := routed(c.Handler(item, &h))
		s.then("Lookup", func() { send(t.Context(), site, "GET", "/items/1") })
		if w := send(t.Context(), site, "GET", "/items/1"); w.Body.String() != "answer" {
			t.Errorf("answer %q", w.Body)
		}
		h.want(t, 1)
	})
}

// TestFilledBeforeTheLease: between the look-up of one process and its lease,
// another fills and releases. Nobody loads what is there already.
func TestFilledBeforeTheLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var h slow
		stores := fakeProcesses(t, 2)
		var handlers []http.Handler
		for _, s := range stores {
			c, _ := open(t, s)
			handlers = append(handlers, routed(c.Handler(item, &h)))
		}
		late := stores[1].(*process)
		late.then("Lookup", func() { send(t.Context(), handlers[0], "GET", "/items/1") })
		if w := send(t.Context(), handlers[1], "GET", "/items/1"); w.Body.String() != "answer" {
			t.Errorf("answer %q", w.Body)
		}
		h.want(t, 1)
	})
}
