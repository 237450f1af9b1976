package flight

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
	"pgregory.net/rapid"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type group = Group[int, string]

func always(int) bool { return true }

// start makes the caller the leader of a new flight, or fails.
func start(t *testing.T, g *group, ctx context.Context, stamp int) *Flight[int, string] {
	t.Helper()
	f, leader := g.Enter(ctx, "k", stamp, func(began int) bool { return began >= stamp })
	if !leader {
		t.Fatal("Enter has found a flight, want a new one")
	}
	return f
}

// join boards the flight of the key, or fails.
func join(t *testing.T, g *group, ctx context.Context) *Flight[int, string] {
	t.Helper()
	f, leader := g.Enter(ctx, "k", 1, always)
	if leader || f == nil {
		t.Fatal("Enter has found no flight to board")
	}
	return f
}

func TestOneLoad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var g group
		var loads, right atomic.Int32
		var all sync.WaitGroup
		for range 200 {
			all.Go(func() {
				f, leader := g.Enter(t.Context(), "k", 1, always)
				if leader {
					defer f.End()
					loads.Add(1)
					time.Sleep(time.Second)
					f.Land("answer", true)
					return
				}
				if got, ok, err := f.Wait(t.Context()); got == "answer" && ok && err == nil {
					right.Add(1)
				}
			})
		}
		all.Wait()
		if loads.Load() != 1 || right.Load() != 199 {
			t.Errorf("%d loads and %d right answers, want 1 and 199", loads.Load(), right.Load())
		}
		if len(g.flights) != 0 {
			t.Errorf("%d flights left on the board", len(g.flights))
		}
	})
}

func TestKeysFlyApart(t *testing.T) {
	var g group
	for _, key := range []string{"a", "b"} {
		f, leader := g.Enter(t.Context(), key, 1, always)
		if !leader {
			t.Errorf("the flight of %s was found under way", key)
		}
		defer f.End()
	}
}

var errBored = errors.New("bored")

// TestWaiterLeaves: who gives up leaves at once, and the load goes on for the
// others.
func TestWaiterLeaves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var g group
		f := start(t, &g, t.Context(), 1)
		defer f.End()
		ctx, giveUp := context.WithCancelCause(t.Context())
		left := make(chan error)
		waiter := join(t, &g, ctx)
		go func() {
			_, _, err := waiter.Wait(ctx)
			left <- err
		}()
		giveUp(errBored)
		if err := <-left; !errors.Is(err, errBored) {
			t.Errorf("the waiter's error is %v, want %v", err, errBored)
		}
		synctest.Wait()
		if err := f.Context().Err(); err != nil {
			t.Errorf("the load was stopped for the others: %v", err)
		}
		f.Land("answer", true)
	})
}

// TestLeaderLeaves: the load outlives its leader's client for as long as
// somebody else wants it.
func TestLeaderLeaves(t *testing.T) {
	for _, order := range []string{"leader first", "waiter first"} {
		t.Run(order, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var g group
				leader, leaderGone := context.WithCancel(t.Context())
				waiter, waiterGone := context.WithCancel(t.Context())
				f := start(t, &g, leader, 1)
				defer f.End()
				w := join(t, &g, waiter)
				go w.Wait(waiter)
				first, second := leaderGone, waiterGone
				if order == "waiter first" {
					first, second = second, first
				}
				first()
				synctest.Wait()
				if err := f.Context().Err(); err != nil {
					t.Errorf("the load ended while somebody wants it: %v", err)
				}
				second()
				synctest.Wait()
				if err := context.Cause(f.Context()); !errors.Is(err, ErrAbandoned) {
					t.Errorf("the cause of the load's end is %v, want %v", err, ErrAbandoned)
				}
				// Nobody boards what has been abandoned.
				start(t, &g, t.Context(), 1).End()
			})
		})
	}
}

// TestStreamLearnsOfItsClient: a load that has landed early, because it streams,
// is its leader's alone and must end with the leader's client, be it before or
// after the landing.
func TestStreamLearnsOfItsClient(t *testing.T) {
	for _, order := range []string{"lands, then leaves", "leaves, then lands"} {
		t.Run(order, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var g group
				client, gone := context.WithCancel(t.Context())
				f := start(t, &g, client, 1)
				defer f.End()
				w := join(t, &g, t.Context())
				steps := []func(){func() { f.Land("", true) }, gone}
				if order == "leaves, then lands" {
					steps[0], steps[1] = steps[1], steps[0]
				}
				steps[0]()
				synctest.Wait()
				if err := f.Context().Err(); err != nil {
					t.Errorf("the load ended too early: %v", err)
				}
				steps[1]()
				synctest.Wait()
				if err := context.Cause(f.Context()); !errors.Is(err, ErrAbandoned) {
					t.Errorf("the cause of the load's end is %v, want %v", err, ErrAbandoned)
				}
				if _, ok, err := w.Wait(t.Context()); !ok || err != nil {
					t.Errorf("the waiter got %v, %v", ok, err)
				}
			})
		})
	}
}

func TestValuesOfTheLeader(t *testing.T) {
	type key struct{}
	var g group
	f := start(t, &g, context.WithValue(t.Context(), key{}, "trace"), 1)
	defer f.End()
	if got := f.Context().Value(key{}); got != "trace" {
		t.Errorf("the load's context holds %v, want the leader's value", got)
	}
}

func TestEndReleasesTheContext(t *testing.T) {
	var g group
	f := start(t, &g, t.Context(), 1)
	f.Land("answer", true)
	if err := f.Context().Err(); err != nil {
		t.Errorf("the context ended before End: %v", err)
	}
	f.End()
	if f.Context().Err() == nil {
		t.Error("the context goes on after End")
	}
}

// TestFailureIsTakenOver: a leader that fails lands without a result, and one of
// those who waited leads next.
func TestFailureIsTakenOver(t *testing.T) {
	for name, fail := range map[string]func(){
		"panic":  func() { panic("boom") },
		"Goexit": runtime.Goexit,
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var g group
				boarded := make(chan struct{})
				go func() {
					defer func() { _ = recover() }()
					f, _ := g.Enter(t.Context(), "k", 1, always)
					defer f.End()
					defer f.Land("", false)
					close(boarded)
					time.Sleep(time.Second)
					fail()
				}()
				<-boarded
				w := join(t, &g, t.Context())
				if _, ok, err := w.Wait(t.Context()); ok || err != nil {
					t.Errorf("Wait on a failed leader: %v, %v", ok, err)
				}
				start(t, &g, t.Context(), 1).End()
			})
		})
	}
}

func TestFirstLandingCounts(t *testing.T) {
	var g group
	f := start(t, &g, t.Context(), 1)
	defer f.End()
	w := join(t, &g, t.Context())
	f.Land("first", true)
	f.Land("second", false)
	if got, ok, _ := w.Wait(t.Context()); got != "first" || !ok {
		t.Errorf("landed with %q, %v", got, ok)
	}
}

func TestMaxWaiters(t *testing.T) {
	var g group
	f := start(t, &g, t.Context(), 1)
	defer f.End()
	for range MaxWaiters {
		join(t, &g, t.Context())
	}
	if f, leader := g.Enter(t.Context(), "k", 1, always); f != nil || leader {
		t.Errorf("waiter %d was admitted", MaxWaiters+1)
	}
	f.leave()
	join(t, &g, t.Context())
}

// TestNewerFlight: who is not admitted starts a newer flight, which later
// callers find; the older one goes on for those aboard and takes nothing off the
// board when it lands.
func TestNewerFlight(t *testing.T) {
	var g group
	older := start(t, &g, t.Context(), 1)
	defer older.End()
	aboard := join(t, &g, t.Context())
	newer := start(t, &g, t.Context(), 2)
	defer newer.End()
	if older.Context().Err() != nil {
		t.Error("the older flight was stopped")
	}
	older.Land("old", true)
	if got, ok, _ := aboard.Wait(t.Context()); got != "old" || !ok {
		t.Errorf("aboard the older flight: %q, %v", got, ok)
	}
	if join(t, &g, t.Context()) != newer {
		t.Error("a later caller was not put aboard the newer flight")
	}
	if newer.Stamp() != 2 {
		t.Errorf("the newer flight's stamp is %d", newer.Stamp())
	}
}

// TestRefusalReleases: asking whether to board keeps the flight alive, and being
// refused does not.
func TestRefusalReleases(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var g group
		client, gone := context.WithCancel(t.Context())
		f := start(t, &g, client, 1)
		defer f.End()
		other, leader := g.Enter(t.Context(), "k", 2, func(int) bool {
			gone()
			synctest.Wait()
			if err := f.Context().Err(); err != nil {
				t.Errorf("the flight was abandoned while a waiter was boarding: %v", err)
			}
			return false
		})
		if !leader {
			t.Error("was put aboard in spite of admit")
		}
		defer other.End()
		synctest.Wait()
		if context.Cause(f.Context()) != ErrAbandoned {
			t.Error("the flight goes on for one who was refused")
		}
	})
}

// table plays a database whose row is changed and invalidated while it is being
// loaded. It reports how many answers were older than an invalidation that had
// returned before their request began.
func table(t *testing.T, admit func(began, now int64) bool) (stale int64) {
	var g Group[int64, int64]
	var row, invalidated, wrong atomic.Int64
	get := func() {
		due := invalidated.Load()
		for {
			now := invalidated.Load()
			f, leader := g.Enter(context.Background(), "row", now, func(began int64) bool { return admit(began, now) })
			var got int64
			ok := true
			if leader {
				got = row.Load()
				time.Sleep(rand.N(2 * time.Millisecond))
				f.Land(got, true)
				f.End()
			} else {
				got, ok, _ = f.Wait(context.Background())
			}
			if ok && got < due {
				wrong.Add(1)
			}
			if ok {
				return
			}
		}
	}
	synctest.Test(t, func(t *testing.T) {
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() {
				for range 300 {
					get()
					time.Sleep(rand.N(500 * time.Microsecond))
				}
			})
		}
		all.Go(func() {
			for range 300 {
				invalidated.Store(row.Add(1))
				time.Sleep(rand.N(time.Millisecond))
			}
		})
		all.Wait()
	})
	return wrong.Load()
}

// TestFreshness: a request that begins after an invalidation never shares a load
// that began before it. The control shows that the test can tell.
func TestFreshness(t *testing.T) {
	if n := table(t, func(began, now int64) bool { return began >= now }); n > 0 {
		t.Errorf("%d answers were stale", n)
	}
	t.Run("control: everybody is admitted", func(t *testing.T) {
		if n := table(t, func(int64, int64) bool { return true }); n == 0 {
			t.Error("no answer was stale, although everybody was admitted: the test shows nothing")
		}
	})
}

// TestLives drives one group through random lives of leaders and waiters, and
// checks after each step which loads go on.
func TestLives(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		type member struct {
			f     *Flight[int, string]
			leave func()
		}
		var g group
		var members []member
		loads := map[*Flight[int, string]]string{}
		for step := range rapid.IntRange(1, 60).Draw(t, "steps") {
			switch what := rapid.IntRange(0, 3).Draw(t, "what"); {
			case what < 2 || len(members) == 0:
				stamp := rapid.IntRange(0, 3).Draw(t, "stamp")
				f, leader := g.Enter(context.Background(), "k", stamp, func(began int) bool { return began >= stamp })
				if f.Stamp() < stamp {
					t.Fatalf("aboard a flight of stamp %d with stamp %d", f.Stamp(), stamp)
				}
				leave := f.leave
				if leader {
					leave, loads[f] = f.desert, fmt.Sprintf("of step %d", step)
				} else if loads[f] == "" {
					t.Fatal("aboard a flight that has ended")
				}
				members = append(members, member{f, leave})
			default:
				i := rapid.IntRange(0, len(members)-1).Draw(t, "who")
				m := members[i]
				members = append(members[:i], members[i+1:]...)
				if what == 2 && loads[m.f] != "" {
					m.f.Land("", true)
					delete(loads, m.f)
				} else {
					m.leave()
				}
			}
			wanted := map[*Flight[int, string]]bool{}
			for _, m := range members {
				wanted[m.f] = true
			}
			for f, name := range loads {
				if ended := f.Context().Err() != nil; ended == wanted[f] {
					t.Fatalf("the load %s has ended: %v, and is wanted: %v", name, ended, wanted[f])
				}
				if !wanted[f] {
					delete(loads, f)
				}
			}
			if f := g.flights["k"]; f != nil && loads[f] == "" {
				t.Fatal("a flight that has ended is on the board")
			}
		}
	})
}

// TestStress is for the race detector.
func TestStress(t *testing.T) {
	var g group
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for i := range 500 {
				ctx, cancel := context.WithTimeout(context.Background(), rand.N(200*time.Microsecond))
				f, leader := g.Enter(ctx, fmt.Sprint("k", i%3), i, func(began int) bool { return began >= i-10 })
				if leader {
					select {
					case <-f.Context().Done():
					case <-time.After(rand.N(100 * time.Microsecond)):
					}
					f.Land("answer", true)
					f.End()
				} else if got, ok, err := f.Wait(ctx); err == nil && (got != "answer" || !ok) {
					t.Errorf("got %q, %v", got, ok)
				}
				cancel()
			}
		})
	}
	all.Wait()
	if len(g.flights) != 0 {
		t.Errorf("%d flights left on the board", len(g.flights))
	}
}
