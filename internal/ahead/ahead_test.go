package ahead

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func id(i int) [32]byte { return sha256.Sum256(binary.AppendVarint(nil, int64(i))) }

// site is what stands behind an Ahead in these tests: answers that live for life and
// are loaded again before their last ahead.
type site struct {
	*Ahead
	life, ahead time.Duration
	t           *testing.T

	mu     sync.Mutex
	loaded map[int][]time.Time // of each answer
}

func newSite(t *testing.T) *site {
	s := &site{Ahead: New(), life: time.Minute, ahead: 10 * time.Second, t: t, loaded: make(map[int][]time.Time)}
	t.Cleanup(s.Close)
	return s
}

func (s *site) load(i int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.loaded[i] = append(s.loaded[i], time.Now())
}

// read asks for an answer, as a hit does.
func (s *site) read(i int) {
	s.mu.Lock()
	loads := s.loaded[i]
	due := loads[len(loads)-1].Add(s.life - s.ahead)
	s.mu.Unlock()
	if s.Wants(id(i), due) {
		s.Expect(id(i), due, 0, func(context.Context) { s.load(i) })
	}
}

// times are when an answer was loaded, from start.
func (s *site) times(i int, start time.Time) []time.Duration {
	synctest.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	var times []time.Duration
	for _, at := range s.loaded[i] {
		times = append(times, at.Sub(start))
	}
	return times
}

// TestStops: an answer is loaded again as long as it is asked for, and no longer.
func TestStops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, start := newSite(t), time.Now()
		s.load(1)
		s.load(2) // nobody asks for it
		for time.Since(start) < 2*time.Minute {
			s.read(1)
			time.Sleep(7 * time.Second)
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		// The last request was at 1:59, for what was loaded at 1:40.
		if got, want := s.times(1, start), []time.Duration{0, 50 * time.Second, 100 * time.Second, 150 * time.Second}; !slices.Equal(got, want) {
			t.Errorf("loaded at %v, want %v", got, want)
		}
		if got := s.times(2, start); len(got) != 1 {
			t.Errorf("what nobody has asked for was loaded at %v", got)
		}
		if len(s.known)+len(s.queue) != 0 {
			t.Errorf("%d answers are known, %d are waited for, though nobody asks", len(s.known), len(s.queue))
		}
	})
}

// TestPutOff: a load that somebody else has run puts off the one that was expected.
func TestPutOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, start := newSite(t), time.Now()
		for i := range 20 {
			s.load(i)
			s.read(i)
		}
		time.Sleep(20 * time.Second)
		for i := range 10 {
			s.load(i)
			s.read(i)
			s.read(i)
		}
		time.Sleep(40 * time.Second)
		for i := range 20 {
			want := []time.Duration{0, 50 * time.Second}
			if i < 10 {
				want[1] = 20 * time.Second
			}
			if got := s.times(i, start); !slices.Equal(got, want) {
				t.Errorf("%d is loaded at %v, want %v", i, got, want)
			}
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if got, want := s.times(0, start), []time.Duration{0, 20 * time.Second, 70 * time.Second}; !slices.Equal(got, want) {
			t.Errorf("what was put off is loaded at %v, want %v", got, want)
		}
	})
}

// TestDueIsNotWanted: a load that changes nothing is not repeated by every request
// that follows.
func TestDueIsNotWanted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := New()
		defer a.Close()
		due := time.Now().Add(time.Second)
		loads := 0
		for range 100 {
			if a.Wants(id(1), due) {
				a.Expect(id(1), due, 0, func(context.Context) { loads++ })
			}
			time.Sleep(100 * time.Millisecond)
			synctest.Wait()
		}
		if loads != 1 {
			t.Errorf("%d loads, want 1", loads)
		}
	})
}

// TestAtOnce: loads are begun in the order in which they are due, a few at a time.
func TestAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, start := New(), time.Now()
		defer a.Close()
		var mu sync.Mutex
		var began []int
		running, most := 0, 0
		order := rand.Perm(10 * atOnce)
		for _, i := range order {
			due := start.Add(time.Second + time.Duration(i)*time.Millisecond)
			a.Expect(id(i), due, 0, func(context.Context) {
				mu.Lock()
				began = append(began, i)
				running++
				most = max(most, running)
				mu.Unlock()
				time.Sleep(time.Minute)
				mu.Lock()
				running--
				mu.Unlock()
			})
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		if most != atOnce {
			t.Errorf("%d loads at once, want %d", most, atOnce)
		}
		if len(began) != len(order) {
			t.Errorf("%d loads, want %d", len(began), len(order))
		}
		for k, i := range began {
			if i/atOnce != k/atOnce { // those that begin at the same moment may change places
				t.Errorf("load %d was begun as number %d", i, k)
			}
		}
	})
}

// TestSpread: forty processes that wait for the same answer do not wake at once.
func TestSpread(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		due := time.Now().Add(time.Minute)
		var mu sync.Mutex
		woke := make(map[time.Time]bool)
		for range 40 {
			a := New()
			defer a.Close()
			a.Expect(id(1), due, 10*time.Second, func(context.Context) {
				mu.Lock()
				defer mu.Unlock()
				woke[time.Now()] = true
			})
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		times := slices.SortedFunc(maps.Keys(woke), time.Time.Compare)
		if len(times) < 39 {
			t.Fatalf("forty processes wake at %d times", len(times))
		}
		first, last := times[0].Sub(due), times[len(times)-1].Sub(due)
		if first < 0 || last >= 10*time.Second || last-first < 5*time.Second {
			t.Errorf("they wake from %v to %v after the due time, want all of 0 to 10s", first, last)
		}
	})
}

func TestLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := New()
		defer a.Close()
		due := time.Now().Add(time.Minute)
		never := func(context.Context) { t.Error("loaded") }
		for i := range 2 * Limit {
			a.Expect(id(i), due, 0, never)
		}
		if len(a.known) != Limit || len(a.queue) != Limit {
			t.Errorf("%d answers are known, %d are waited for, want %d", len(a.known), len(a.queue), Limit)
		}
		if a.Wants(id(2*Limit), due) {
			t.Error("one more is wanted")
		}
		if !a.Wants(id(0), due.Add(1)) {
			t.Error("one that is there cannot be put off")
		}
	})
}

// TestClose: Close ends loads, and does not wait for one that does not end.
func TestClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, start := New(), time.Now()
		ended := false
		stuck := make(chan struct{})
		a.Expect(id(1), start.Add(time.Second), 0, func(ctx context.Context) { <-ctx.Done(); ended = true })
		a.Expect(id(2), start.Add(time.Second), 0, func(context.Context) { <-stuck })
		a.Expect(id(3), start.Add(time.Minute), 0, func(context.Context) { t.Error("loaded after Close") })
		time.Sleep(2 * time.Second)
		began := time.Now()
		a.Close()
		if took := time.Since(began); !ended || took != closeLimit {
			t.Errorf("Close took %v, want %v; the load has ended: %v", took, closeLimit, ended)
		}
		a.Close()
		if a.Wants(id(4), time.Now().Add(time.Minute)) {
			t.Error("something is wanted after Close")
		}
		a.Expect(id(4), time.Now().Add(time.Minute), 0, func(context.Context) { t.Error("expected after Close") })
		close(stuck)
		time.Sleep(time.Hour)
		synctest.Wait()
	})
}

// TestConcurrent is for the race detector.
func TestConcurrent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		for i := range 50 {
			s.load(i)
		}
		var wg sync.WaitGroup
		for g := range 20 {
			wg.Go(func() {
				for range 1000 {
					s.read(rand.N(50))
					time.Sleep(time.Duration(g) * time.Millisecond)
				}
			})
		}
		wg.Wait()
	})
}

func BenchmarkWants(b *testing.B) {
	a := New()
	defer a.Close()
	due := time.Now().Add(time.Hour)
	for i := range Limit {
		a.Expect(id(i), due, 0, func(context.Context) {})
	}
	one := id(7)
	b.ReportAllocs()
	b.RunParallel(func(p *testing.PB) {
		for p.Next() {
			a.Wants(one, due)
		}
	})
}
