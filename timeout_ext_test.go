package freshet_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/freshet-dev/freshet"
)

// slowly makes the handler take d before it answers with the version from then.
func (s *stage) slowly(d time.Duration) {
	s.direct(func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-time.After(d):
			s.answer(w)
		case <-r.Context().Done():
			fmt.Fprint(w, "cancelled")
		}
	})
}

// TestHardTimeout: a request waits no longer than that, and the answer that comes
// too late is stored all the same.
func TestHardTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, freshet.Rule{HardTimeout: 2 * second})
		s.slowly(5 * second)
		start := time.Now()
		w := s.get("If-None-Match", `"x"`)
		if took := time.Since(start); w.Code != http.StatusGatewayTimeout || took != 2*second ||
			w.Header().Get("Cache-Status") != `freshet; fwd=uri-miss; detail="timeout"` {
			t.Errorf("%d after %v, %v", w.Code, took, w.Header())
		}
		// Who comes meanwhile waits for the same load, and leaves in turn.
		if w := s.get(); w.Code != http.StatusGatewayTimeout {
			t.Errorf("the second gets %d", w.Code)
		}
		time.Sleep(second)
		synctest.Wait()
		s.want(s.get(), hit, "0")
		s.wantRuns(1)
	})
}

// TestNobodyWaitsForARefresh: a limit is for requests; the refresh behind one's back
// takes the time that it takes.
func TestNobodyWaitsForARefresh(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rule := swr
		rule.HardTimeout = second
		s := newStage(t, rule)
		s.get()
		s.version.Add(1)
		s.slowly(5 * second)
		time.Sleep(15 * second)
		s.want(s.get(), revalidating, "0")
		time.Sleep(6 * second)
		s.want(s.get(), hit, "1")
		s.wantRuns(2)
	})
}

// TestInTime: a limit that is kept changes nothing.
func TestInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, freshet.Rule{HardTimeout: 2 * second}, "X-A", "a")
		s.slowly(second)
		w := s.get()
		s.want(w, stored, "0")
		if w.Header().Get("X-A") != "a" {
			t.Errorf("header %v", w.Header())
		}
		s.want(s.get(), hit, "0")
		s.direct(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
		s.invalidate(freshet.All())
		defer func() {
			if got := recover(); got != http.ErrAbortHandler {
				t.Errorf("recovered %v", got)
			}
		}()
		s.get()
	})
}

// TestSoftTimeout: with a stale answer at hand a request waits less.
func TestSoftTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rule := sie
		rule.SoftTimeout, rule.HardTimeout = second, 4*second
		s := newStage(t, rule)
		s.get()
		s.version.Add(1)
		s.slowly(3 * second)
		time.Sleep(15 * second)
		start := time.Now()
		s.want(s.get(), timedOut, "0")
		// The handler is known to be slow: nobody waits for it again at once.
		s.want(s.get(), failing, "0")
		if took := time.Since(start); took != second {
			t.Errorf("it took %v", took)
		}
		time.Sleep(2 * second)
		synctest.Wait()
		s.want(s.get(), hit, "1")
		s.wantRuns(2)
		// Without anything stale it has the time until the hard limit.
		s.invalidate(freshet.All())
		s.want(s.get(), "fwd=stale; stored; detail=\"banned-all\"", "1")
	})
}

// TestSoftTimeoutOfWhatIsInvalidated: what has been invalidated while the request
// waited is not served when its time is over.
func TestSoftTimeoutOfWhatIsInvalidated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rule := sie
		rule.SoftTimeout = second
		s := newStage(t, rule)
		s.get()
		s.version.Add(1)
		s.slowly(3 * second)
		time.Sleep(15 * second)
		time.AfterFunc(second/2, func() { s.invalidate(freshet.Key("item:1")) })
		if got := s.get().Body.String(); got != "1" {
			t.Errorf("served %q", got)
		}
	})
}

// TestLatePanic: a handler that panics when its request has gone does no harm.
func TestLatePanic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, freshet.Rule{HardTimeout: second})
		s.direct(func(http.ResponseWriter, *http.Request) {
			time.Sleep(2 * second)
			panic("late")
		})
		if w := s.get(); w.Code != http.StatusGatewayTimeout {
			t.Errorf("status %d", w.Code)
		}
		time.Sleep(2 * second)
		synctest.Wait()
		if got := s.diary.lines("has panicked"); len(got) != 1 {
			t.Errorf("%d panics are logged", len(got))
		}
		s.direct(nil)
		s.want(s.get(), stored, "0")
	})
}

// TestLateClient: a client that leaves before its time is over ends its load, as ever;
// one that leaves after has no say any more.
func TestLateClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, freshet.Rule{HardTimeout: 2 * second})
		s.slowly(10 * second)
		ctx, leave := context.WithTimeout(t.Context(), second)
		defer leave()
		start := time.Now()
		send(ctx, s.h, "GET", "/items/1")
		if took := time.Since(start); took != second {
			t.Errorf("it took %v", took)
		}
		ctx, leave = context.WithTimeout(t.Context(), 3*second)
		defer leave()
		send(ctx, s.h, "GET", "/items/1")
		time.Sleep(8 * second)
		synctest.Wait()
		s.want(s.get(), hit, "0")
	})
}

// TestStreamInTime: a limit is for the beginning of an answer. One that streams is not
// cut off.
func TestStreamInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, freshet.Rule{HardTimeout: 2 * second})
		s.direct(func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprint(w, "begin,")
			w.(http.Flusher).Flush()
			time.Sleep(5 * second)
			fmt.Fprint(w, "end")
		})
		s.want(s.get(), `fwd=uri-miss; detail="streamed"`, "begin,end")
	})
}

// TestUncacheableDoNotQueue: what has been found unfit to be stored is not waited for
// by those who come later.
func TestUncacheableDoNotQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, freshet.Rule{}, "Cache-Control", "private")
		s.slowly(second)
		s.get()
		var most, now atomic.Int32
		s.direct(func(w http.ResponseWriter, _ *http.Request) {
			if n := now.Add(1); n > most.Load() {
				most.Store(n)
			}
			time.Sleep(second)
			now.Add(-1)
			s.answer(w)
		})
		start := time.Now()
		wantAll(t, crowd(t.Context(), 50, s.h), "0")
		if took := time.Since(start); took != second || most.Load() != 50 {
			t.Errorf("it took %v, %d at a time", took, most.Load())
		}
		// It is not for ever: what can be stored by then is.
		s.header = nil
		time.Sleep(10 * second)
		s.get()
		s.want(s.get(), hit, "0")
	})
}

// TestUnfitStreams: what cannot be stored is not held back.
func TestUnfitStreams(t *testing.T) {
	for name, header := range map[string][]string{
		"private": {"Cache-Control", "private"}, "cookie": {"Set-Cookie", "a=b"}, "vary": {"Vary", "*"},
	} {
		in(t, name, func(t *testing.T) {
			s := newStage(t, freshet.Rule{}, header...)
			w := httptest.NewRecorder()
			s.direct(func(to http.ResponseWriter, _ *http.Request) {
				s.answer(to)
				if w.Body.String() != "0" {
					t.Error("nothing has been sent")
				}
			})
			s.h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), "GET", "/items/1", nil))
		})
	}
}
