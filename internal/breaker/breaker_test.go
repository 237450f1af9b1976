package breaker

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var errDown = errors.New("connection refused")

// fake is a backend that a test makes fail, and its breaker.
type fake struct {
	*Breaker
	mu             sync.Mutex
	probe, deliver error
	owing          bool
	probes         []time.Duration // since start
	turns          []bool          // opened
	start          time.Time
}

// open returns a breaker that ends with the test.
func newFake(t *testing.T) *fake {
	f := &fake{start: time.Now()}
	f.Breaker = New(Backend{
		Probe: func(context.Context) error {
			f.mu.Lock()
			defer f.mu.Unlock()
			f.probes = append(f.probes, time.Since(f.start))
			return f.probe
		},
		Deliver: func(context.Context) error {
			f.mu.Lock()
			defer f.mu.Unlock()
			f.owing = f.owing && f.deliver != nil
			return f.deliver
		},
		Owing: func() bool {
			f.mu.Lock()
			defer f.mu.Unlock()
			return f.owing
		},
		Turned: func(err error) { f.turns = append(f.turns, err != nil) },
	})
	t.Cleanup(func() { f.Close(context.Background()) })
	return f
}

func (f *fake) set(probe, deliver error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.probe, f.deliver = probe, deliver
}

func (f *fake) asked() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.probes)
}

// TestOpens is what opens a breaker.
func TestOpens(t *testing.T) {
	slow := context.DeadlineExceeded
	for _, tt := range []struct {
		name   string
		health []error
		limit  []error
		want   bool
	}{
		{"nothing", nil, nil, false},
		{"two failures", []error{errDown, errDown}, nil, false},
		{"three in a row", []error{errDown, errDown, errDown}, nil, true},
		{"not in a row", []error{errDown, errDown, nil, errDown, errDown}, nil, false},
		{"a time limit", []error{slow}, nil, true},
		{"a time limit of another call", nil, []error{slow}, true},
		{"failures of other calls", nil, []error{errDown, errDown, errDown, errDown}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFake(t)
				f.set(errDown, nil)
				for _, err := range tt.health {
					if got := f.Health(t.Context(), err); got != err {
						t.Errorf("Health returns %v", got)
					}
				}
				for _, err := range tt.limit {
					if got := f.Limit(t.Context(), err); got != err {
						t.Errorf("Limit returns %v", got)
					}
				}
				if f.Open() != tt.want || len(f.turns) > 0 != tt.want {
					t.Errorf("open: %v, told: %v", f.Open(), f.turns)
				}
				f.Close(t.Context())
			})
		})
	}
}

// TestCallersEnd: a caller that gives up says nothing of the backend, but makes the
// question be put.
func TestCallersEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t)
		gone, leave := context.WithCancel(t.Context())
		leave()
		for range 10 {
			_ = f.Health(gone, gone.Err())
			_ = f.Limit(gone, context.DeadlineExceeded)
		}
		if f.Open() {
			t.Error("it is open")
		}
		time.Sleep(time.Minute)
		if n := f.asked(); n != 1 {
			t.Errorf("asked %d times, want once", n)
		}
		f.Close(t.Context())
	})
}

// TestPauses: the questions come at growing intervals, from one goroutine, until
// the backend answers.
func TestPauses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t)
		// Its last recovery is long ago.
		time.Sleep(time.Hour)
		f.start = time.Now()
		f.set(errDown, nil)
		for range 5 {
			_ = f.Limit(t.Context(), context.DeadlineExceeded)
		}
		time.Sleep(7 * time.Second)
		want := []time.Duration{50, 150, 350, 750, 1550, 3150, 5150}
		for i := range want {
			want[i] *= time.Millisecond
		}
		if !slices.Equal(f.probes, want) {
			t.Errorf("asked after %v, want %v", f.probes, want)
		}
		f.set(nil, nil)
		time.Sleep(LongestPause)
		if f.Open() || !slices.Equal(f.turns, []bool{true, false}) {
			t.Errorf("open: %v, told: %v", f.Open(), f.turns)
		}
		before := f.asked()
		time.Sleep(time.Hour)
		if n := f.asked() - before; n > 0 {
			t.Errorf("a backend that works was asked %d times", n)
		}
		f.Close(t.Context())
	})
}

// TestRelapse: a backend that answers the probe and little else is not tried again
// at once.
func TestRelapse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t)
		_ = f.Limit(t.Context(), context.DeadlineExceeded)
		time.Sleep(time.Minute)
		if f.Open() {
			t.Fatal("it has not closed")
		}
		_ = f.Limit(t.Context(), context.DeadlineExceeded)
		time.Sleep(time.Minute)
		relapses := f.asked()
		for range 30 {
			_ = f.Limit(t.Context(), context.DeadlineExceeded)
			time.Sleep(LongestPause / 2)
		}
		if n := f.asked() - relapses; n > 16 {
			t.Errorf("asked %d times in 30 seconds, want one every two", n)
		}
		f.Close(t.Context())
	})
}

// TestHalfOpen: nobody uses a backend that is just being asked, and one that
// answers but does not take what is owed is used again, unless it hangs on that.
func TestHalfOpen(t *testing.T) {
	for name, tt := range map[string]struct {
		deliver error
		open    bool
	}{
		"takes it":    {nil, false},
		"refuses it":  {errDown, false},
		"hangs on it": {context.DeadlineExceeded, true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFake(t)
				during := true
				probe := f.backend.Probe
				f.backend.Probe = func(ctx context.Context) error {
					during = during && (f.Open() || f.asked() > 0)
					return probe(ctx)
				}
				f.owing = true
				f.set(nil, tt.deliver)
				_ = f.Limit(t.Context(), context.DeadlineExceeded)
				time.Sleep(LongestPause)
				synctest.Wait()
				if f.Open() != tt.open || !during {
					t.Errorf("open: %v, want %v; while it was asked: %v", f.Open(), tt.open, during)
				}
				asked := f.asked()
				time.Sleep(time.Minute)
				if again := f.asked() > asked; again != (tt.deliver != nil) {
					t.Errorf("asked again: %v, though owing: %v", again, f.backend.Owing())
				}
				f.Close(t.Context())
			})
		})
	}
}

// TestClose ends the goroutine, within its caller's time.
func TestClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t)
		release := make(chan struct{})
		f.backend.Probe = func(context.Context) error { <-release; return errDown }
		f.Mend()
		time.Sleep(time.Minute)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start := time.Now()
		if !f.Close(ctx) || time.Since(start) != time.Second {
			t.Errorf("Close took %v, want a second", time.Since(start))
		}
		close(release)
		if f.Close(t.Context()) {
			t.Error("the second Close says that it is the first")
		}
		f.Mend() // does nothing: the bubble would fail
	})
}
