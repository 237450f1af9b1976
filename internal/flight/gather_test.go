package flight

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// gathered runs load through g, for a caller that knows of no stamps.
func gathered(ctx context.Context, g *Group[int, int64], load func(ctx context.Context) int64) (result int64, led bool, err error) {
	var own int64
	result, led, err = g.Share(ctx, "row", 0, Terms[int, int64]{Lead: func(f *Flight[int, int64]) {
		f.Depart()
		own = load(f.Context())
		f.Land(own, true)
	}})
	return max(own, result), led, err
}

// TestGatherForTheNext: one load goes out, all who come meanwhile share the next.
func TestGatherForTheNext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var g Group[int, int64]
		var loads, running, most atomic.Int64
		var all sync.WaitGroup
		for range 200 {
			all.Go(func() {
				_, _, err := gathered(t.Context(), &g, func(context.Context) int64 {
					most.Store(max(most.Load(), running.Add(1)))
					defer running.Add(-1)
					time.Sleep(time.Second)
					return loads.Add(1)
				})
				if err != nil {
					t.Error(err)
				}
			})
			if loads.Load() == 0 {
				synctest.Wait() // the first is on its way
			}
		}
		all.Wait()
		if loads.Load() != 2 || most.Load() != 1 {
			t.Errorf("%d loads, %d at a time; want 2 and 1", loads.Load(), most.Load())
		}
		if len(g.flights) != 0 {
			t.Errorf("%d flights left on the board", len(g.flights))
		}
	})
}

// blind plays a database that others change and invalidate, of which the callers of
// get learn nothing. It reports how many answers were older than an invalidation
// that had returned before their request began, and how many were shared.
func blind(t *testing.T, get func(load func(context.Context) int64) (row int64, led bool)) (stale, shared int64) {
	var row, wrong, ridden atomic.Int64
	synctest.Test(t, func(t *testing.T) {
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() {
				for range 300 {
					due := row.Load()
					got, led := get(func(context.Context) int64 {
						read := row.Load()
						time.Sleep(rand.N(2 * time.Millisecond))
						return read
					})
					if got < due {
						wrong.Add(1)
					}
					if !led {
						ridden.Add(1)
					}
					time.Sleep(rand.N(500 * time.Microsecond))
				}
			})
		}
		all.Go(func() {
			for range 300 {
				row.Add(1)
				time.Sleep(rand.N(time.Millisecond))
			}
		})
		all.Wait()
	})
	return wrong.Load(), ridden.Load()
}

// TestGatherIsFresh: nobody shares a load that began before it came. The control
// shares what is under way.
func TestGatherIsFresh(t *testing.T) {
	var g, under Group[int, int64]
	stale, shared := blind(t, func(load func(context.Context) int64) (int64, bool) {
		got, led, _ := gathered(context.Background(), &g, load)
		return got, led
	})
	if stale > 0 || shared == 0 {
		t.Errorf("%d answers were stale, %d shared", stale, shared)
	}
	t.Run("control: the load under way is shared", func(t *testing.T) {
		stale, _ := blind(t, func(load func(context.Context) int64) (got int64, led bool) {
			var own int64
			got, led, _ = under.Share(context.Background(), "row", 0, Terms[int, int64]{
				Admit: always,
				Lead:  func(f *Flight[int, int64]) { own = load(f.Context()); f.Land(own, true) },
			})
			return max(own, got), led
		})
		if stale == 0 {
			t.Error("no answer was stale, although everybody was admitted: the test shows nothing")
		}
	})
}

// TestGatherersLeave: when all who gather have left, the load under way is still
// the one that the next to come has to wait for.
func TestGatherersLeave(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var g Group[int, int64]
		first, leader := g.Gather(t.Context(), "row", 0)
		first.Depart()
		defer first.End()
		ctx, leave := context.WithCancelCause(t.Context())
		var all sync.WaitGroup
		for range 3 {
			all.Go(func() {
				_, _, err := gathered(ctx, &g, func(context.Context) int64 { return 1 })
				if ctx.Err() == nil || err != nil && !errors.Is(err, errBored) {
					t.Errorf("before it has left: %v", err)
				}
			})
		}
		synctest.Wait()
		leave(errBored)
		synctest.Wait()
		began := make(chan struct{})
		all.Go(func() {
			_, _, _ = gathered(t.Context(), &g, func(context.Context) int64 { close(began); return 2 })
		})
		synctest.Wait()
		select {
		case <-began:
			t.Error("two loads are under way")
		default:
		}
		first.Land(1, true)
		<-began
		all.Wait()
		if !leader || len(g.flights) != 0 {
			t.Errorf("leader %v, %d flights left on the board", leader, len(g.flights))
		}
	})
}

// TestGatherBehindTheAbandoned: a load that everybody has left, and that does not
// notice, holds up nobody: neither those who have gathered nor those to come.
func TestGatherBehindTheAbandoned(t *testing.T) {
	for _, gathered := range []string{"stays", "leaves"} {
		t.Run("who has gathered "+gathered, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var g Group[int, int64]
				leader, gone := context.WithCancel(t.Context())
				stuck, _ := g.Gather(leader, "row", 0)
				defer stuck.End()
				stuck.Depart()
				ctx, leave := context.WithCancel(t.Context())
				next, _ := g.Gather(ctx, "row", 0)
				defer next.End()
				gone()
				synctest.Wait()
				if gathered == "leaves" {
					leave()
					synctest.Wait()
				}
				departed := make(chan struct{})
				go func() {
					f, leader := next, true
					if gathered == "leaves" {
						f, leader = g.Gather(t.Context(), "row", 0)
						defer f.End()
					}
					if _, ok := f.Depart(); ok || !leader {
						t.Errorf("the load that never ends has landed: %v; leader: %v", ok, leader)
					}
					close(departed)
				}()
				synctest.Wait()
				select {
				case <-departed:
				default:
					t.Error("the next load waits for one that everybody has left")
					stuck.Land(0, false)
				}
				leave()
				synctest.Wait()
			})
		})
	}
}

// TestDepartTells what became of the load before.
func TestDepartTells(t *testing.T) {
	for name, fails := range map[string]bool{"landed": false, "failed": true} {
		t.Run(name, func(t *testing.T) {
			var g Group[int, int64]
			first, _ := g.Gather(t.Context(), "row", 0)
			if _, ok := first.Depart(); ok {
				t.Error("there was no load before the first")
			}
			second, leader := g.Gather(t.Context(), "row", 0)
			if aboard, led := g.Gather(t.Context(), "row", 0); !leader || led || aboard != second {
				t.Error("the third has not joined the second")
			}
			first.Land(7, !fails)
			first.End()
			if got, ok := second.Depart(); ok == fails || got != 7 {
				t.Errorf("%d, %v", got, ok)
			}
			if second.before != nil {
				t.Error("a flight keeps all those before it")
			}
			second.End()
		})
	}
}

func TestGatherIsBounded(t *testing.T) {
	var g Group[int, int64]
	f, _ := g.Gather(t.Context(), "row", 0)
	defer f.End()
	for range MaxWaiters {
		g.Gather(t.Context(), "row", 0)
	}
	if f, leader := g.Gather(t.Context(), "row", 0); f != nil || leader {
		t.Errorf("waiter %d was admitted", MaxWaiters+1)
	}
	if _, led, err := gathered(t.Context(), &g, nil); led || err != nil {
		t.Errorf("Share at the bound: %v, %v", led, err)
	}
}

// TestShareAfterFailures: the first failure is taken over, after the second nobody
// waits any more.
func TestShareAfterFailures(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var g Group[int, int64]
		var leads, alone atomic.Int64
		var all sync.WaitGroup
		for range 20 {
			all.Go(func() {
				defer func() { _ = recover() }()
				got, led, err := g.Share(t.Context(), "row", 0, Terms[int, int64]{
					Admit: always,
					Lead: func(*Flight[int, int64]) {
						leads.Add(1)
						time.Sleep(time.Second)
						panic("boom")
					},
				})
				if !led && got == 0 && err == nil {
					alone.Add(1)
				}
			})
		}
		all.Wait()
		if leads.Load() != 2 || alone.Load() != 18 {
			t.Errorf("%d have led and %d are left alone, want 2 and 18", leads.Load(), alone.Load())
		}
	})
}
