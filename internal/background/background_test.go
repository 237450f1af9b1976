package background

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"
)

func id(n int) (id [32]byte) {
	id[0], id[1] = byte(n), byte(n>>8)
	return id
}

func TestRunsAreBounded(t *testing.T) {
	var r Runs
	_, cancel := context.WithCancelCause(t.Context())
	var ends []func()
	for n := range atOnce {
		end, ok := r.Begin(id(n), cancel)
		if !ok {
			t.Fatalf("no place for run %d", n)
		}
		if _, again := r.Begin(id(n), cancel); again {
			t.Fatalf("run %d began twice", n)
		}
		ends = append(ends, end)
	}
	if _, ok := r.Begin(id(atOnce), cancel); ok {
		t.Error("one too many")
	}
	ends[0]()
	if _, ok := r.Begin(id(atOnce), cancel); !ok {
		t.Error("no place after an end")
	}
}

func TestRunsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var r Runs
		late, cancel := context.WithCancelCause(t.Context())
		end, _ := r.Begin(id(1), cancel)
		time.Sleep(longest + 1)
		if cause := context.Cause(late); cause != ErrLate {
			t.Errorf("ended by %v", cause)
		}
		end()
		closed, cancel := context.WithCancelCause(t.Context())
		end, _ = r.Begin(id(1), cancel)
		go func() { <-closed.Done(); time.Sleep(closeLimit / 2); end() }()
		stuck, cancel2 := context.WithCancelCause(t.Context())
		defer cancel2(nil)
		start := time.Now()
		r.Close()
		if cause := context.Cause(closed); cause != ErrClosed || time.Since(start) != closeLimit/2 {
			t.Errorf("ended by %v, after %v", cause, time.Since(start))
		}
		if _, ok := r.Begin(id(2), cancel2); ok || stuck.Err() != nil {
			t.Error("a run has begun after the end")
		}
		r.Close()
		// One that never ends is not waited for.
		var other Runs
		_, _ = other.Begin(id(1), cancel2)
		start = time.Now()
		other.Close()
		if took := time.Since(start); took != closeLimit {
			t.Errorf("Close took %v", took)
		}
	})
}

func TestAwait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var runs Runs
		for name, tt := range map[string]struct {
			leads bool
			want  error
		}{"one who leads": {true, nil}, "one who waits": {false, ErrTimeout}} {
			var cause error
			w := httptest.NewRecorder()
			start := time.Now()
			rest := runs.Await(id(1), w, httptest.NewRequest("GET", "/", nil), []Limit{
				{At: start.Add(1 * time.Second), Ready: func() bool { return false }},
				{At: start.Add(2 * time.Second), Answer: func() { http.Error(w, "late", http.StatusGatewayTimeout) }},
			}, func(w http.ResponseWriter, r *http.Request, leads func()) {
				if tt.leads {
					leads()
				}
				select {
				case <-r.Context().Done():
					cause = context.Cause(r.Context())
				case <-time.After(5 * time.Second):
				}
				w.WriteHeader(200)
				panic("late")
			})
			if took := time.Since(start); took != 2*time.Second || w.Code != http.StatusGatewayTimeout || rest == nil {
				t.Fatalf("%s: %d after %v", name, w.Code, took)
			}
			if value := rest(); value != "late" || !errors.Is(cause, tt.want) {
				t.Errorf("%s: %v, ended by %v", name, value, cause)
			}
		}
	})
}

func TestEarly(t *testing.T) {
	const n = 10_000
	share := func(left, took time.Duration) float64 {
		early := 0
		for range n {
			if Early(left, took) {
				early++
			}
		}
		return float64(early) / n
	}
	if s := share(time.Second, time.Second); s < 0.3 || s > 0.44 { // e⁻¹ is 0.37
		t.Errorf("%v with as much left as it takes", s)
	}
	if s := share(time.Hour, time.Second); s > 0 {
		t.Errorf("%v with much left", s)
	}
	if s := share(0, time.Second); s < 1 {
		t.Errorf("%v with nothing left", s)
	}
	if s := share(0, 0); s > 0 {
		t.Errorf("%v of what takes no time", s)
	}
}

func TestRequest(t *testing.T) {
	r := httptest.NewRequest("HEAD", "/", nil)
	for _, name := range []string{"If-None-Match", "Range", "Cache-Control", "Pragma", "X-A"} {
		r.Header.Set(name, "x")
	}
	own := Request(t.Context(), r)
	if own.Method != "GET" || len(own.Header) != 1 || len(r.Header) != 5 || own.Body != http.NoBody {
		t.Errorf("%s %v", own.Method, own.Header)
	}
}
