package freshet_test

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/freshet-dev/freshet"
)

// stats is a value as applications keep them.
type stats struct {
	Posts int
	Names []string
	Next  *stats `json:",omitempty"`
}

// counter counts the runs of a load.
type counter struct{ runs atomic.Int32 }

func (c *counter) load(context.Context) (int32, error) { return c.runs.Add(1), nil }

// want checks what Load returns.
func (c *counter) want(t *testing.T, cache *freshet.Cache, key string, ttl time.Duration, want int32) {
	t.Helper()
	got, err := freshet.Load(t.Context(), cache, key, ttl, c.load)
	if err != nil || got != want {
		t.Errorf("Load %q: %d, %v; want %d", key, got, err, want)
	}
}

func TestLoadKeepsValues(t *testing.T) {
	c, _ := open(t, newFake(t))
	loadTwice(t, c, "struct", stats{Posts: 7, Names: []string{"é", ""}, Next: &stats{Posts: 8}})
	loadTwice(t, c, "empty list", []int{})
	loadTwice[[]int](t, c, "no list", nil)
	loadTwice[*stats](t, c, "nil", nil)
	loadTwice(t, c, "zero", 0)
	loadTwice(t, c, "empty text", "")
	loadTwice(t, c, "map", map[string]float64{"a": 0.1})
	loadTwice(t, c, "bytes", []byte{0, 255})
	loadTwice(t, c, "time", time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC))
}

func loadTwice[T any](t *testing.T, c *freshet.Cache, key string, want T) {
	t.Helper()
	runs := 0
	for range 2 {
		got, err := freshet.Load(t.Context(), c, key, 0, func(context.Context) (T, error) { runs++; return want, nil })
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("%s: %v\n%s", key, err, diff)
		}
	}
	if runs != 1 {
		t.Errorf("%s was loaded %d times, want once", key, runs)
	}
}

func TestLoadOfAnotherTypeIsAMiss(t *testing.T) {
	c, _ := open(t, newFake(t))
	loadTwice(t, c, "k", 7)
	loadTwice(t, c, "k", "seven")
	loadTwice(t, c, "k", 8)
}

func TestLoadErrors(t *testing.T) {
	c, _ := open(t, newFake(t))
	boom := errors.New("boom")
	if _, err := freshet.Load(t.Context(), c, "k", 0, func(context.Context) (int, error) { return 1, boom }); err != boom {
		t.Errorf("Load: %v, want the error as it is", err)
	}
	loadTwice(t, c, "k", 2)
	_, err := freshet.Load(t.Context(), c, "f", 0, func(context.Context) (func(), error) { return nil, nil })
	if err == nil || !strings.Contains(err.Error(), `Load "f"`) {
		t.Errorf("Load of a function: %v", err)
	}
}

func TestLoadBadArguments(t *testing.T) {
	c, _ := open(t, newFake(t))
	for _, bad := range []struct {
		name, key string
		ttl       time.Duration
		target    bool
	}{
		{"no key", "", 0, true},
		{"reserved byte", "a#b", 0, true},
		{"negative ttl", "k", -time.Second, false},
		{"ttl too short", "k", time.Microsecond, false},
		{"ttl too long", "k", freshet.MaxTTL + 1, false},
	} {
		t.Run(bad.name, func(t *testing.T) {
			_, err := freshet.Load(t.Context(), c, bad.key, bad.ttl, func(context.Context) (int, error) {
				t.Error("it was loaded")
				return 0, nil
			})
			if err == nil || errors.Is(err, freshet.ErrTarget) != bad.target {
				t.Errorf("Load: %v", err)
			}
		})
	}
}

func TestLoadPanics(t *testing.T) {
	for name, fail := range map[string]func(){"panic": func() { panic("boom") }, "exit": runtime.Goexit} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, _ := open(t, newFake(t))
				own := make(chan any)
				go func() {
					defer func() { own <- recover() }()
					_, _ = freshet.Load(t.Context(), c, "k", 0, func(context.Context) (int, error) {
						time.Sleep(time.Second)
						fail()
						return 1, nil
					})
				}()
				synctest.Wait()
				go func() {
					if got := <-own; name == "panic" && got != "boom" {
						t.Errorf("the leader recovered %v", got)
					}
				}()
				loadTwice(t, c, "k", 2) // waits, then takes over
			})
		})
	}
}

func TestLoadControl(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _ := open(t, newFake(t))
		runs := 0
		load := func(tune func(*freshet.Control)) {
			_, err := freshet.Load(t.Context(), c, "k", 0, func(ctx context.Context) (int, error) {
				runs++
				tune(freshet.FromContext(ctx))
				return runs, nil
			})
			if err != nil {
				t.Error(err)
			}
		}
		want := func(what string, want int) {
			t.Helper()
			if runs != want {
				t.Errorf("%s: %d runs, want %d", what, runs, want)
			}
		}
		tag := func(control *freshet.Control) { control.Tag("org:1") }
		load(tag)
		load(tag)
		want("tagged", 1)
		_, _ = c.Invalidate(t.Context(), freshet.Tag("org:1"))
		short := func(control *freshet.Control) { control.SetTTL(time.Minute) }
		load(short)
		time.Sleep(59 * time.Second)
		load(short)
		want("tag invalidated, then a TTL of its own", 2)
		time.Sleep(2 * time.Second)
		load((*freshet.Control).NoStore)
		load((*freshet.Control).NoStore)
		want("expired, then not stored", 4)
		load(func(control *freshet.Control) {
			if err := control.Invalidate(freshet.Key("k")); err != nil {
				t.Error(err)
			}
		})
		load(tag)
		want("invalidated by the load itself", 6)
		time.Sleep(freshet.DefaultTTL - time.Second)
		load(tag)
		want("within the default TTL", 6)
		time.Sleep(2 * time.Second)
		load(tag)
		want("after it", 7)
	})
}

func TestLoadInvalidated(t *testing.T) {
	for _, target := range []freshet.Target{freshet.Key("user:7"), freshet.Match("user:*"), freshet.All()} {
		t.Run(target.String(), func(t *testing.T) {
			c, _ := open(t, newFake(t))
			var n counter
			n.want(t, c, "user:7", 0, 1)
			n.want(t, c, "user:7", 0, 1)
			if _, err := c.Invalidate(t.Context(), target); err != nil {
				t.Error(err)
			}
			n.want(t, c, "user:7", 0, 2)
		})
	}
}

func TestLoadDisabled(t *testing.T) {
	c, err := freshet.New(nil, &freshet.Options{Disabled: true})
	if err != nil {
		t.Fatal(err)
	}
	var n counter
	n.want(t, c, "k", 0, 1)
	n.want(t, c, "k", 0, 2)
	if _, err := freshet.Load(t.Context(), c, "", 0, n.load); !errors.Is(err, freshet.ErrTarget) {
		t.Errorf("a bad key is an error there too, got %v", err)
	}
}

func TestLoadWithStoreDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newFake(t)
		c, d := open(t, s)
		s.fail(errDown, "Lookup")
		var n counter
		for i := range int32(5) {
			n.want(t, c, "k", 0, i+1)
		}
		if got := d.reasons(freshet.EventBypass); !slices.Equal(slices.Compact(got), []string{"store-error"}) {
			t.Errorf("bypassed for %q", got)
		}
	})
}

func TestLoadOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var n counter
		var all sync.WaitGroup
		for _, s := range fakeProcesses(t, 2) {
			c, _ := open(t, s)
			for range 100 {
				all.Go(func() {
					got, err := freshet.Load(t.Context(), c, "k", 0, func(ctx context.Context) (int32, error) {
						time.Sleep(time.Second)
						return n.load(ctx)
					})
					if got != 1 || err != nil {
						t.Errorf("got %d, %v", got, err)
					}
				})
			}
		}
		all.Wait()
	})
}

// TestLoadCancelled: each caller has its own end, and its error says which.
func TestLoadCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _ := open(t, newFake(t))
		load := func(ctx context.Context) (int, error) {
			select {
			case <-ctx.Done():
				return 0, ctx.Err()
			case <-time.After(10 * time.Second):
				return 1, nil
			}
		}
		call := func(ctx context.Context, wantErr error, wantTook time.Duration) func() {
			return func() {
				start := time.Now()
				_, err := freshet.Load(ctx, c, "k", 0, load)
				if !errors.Is(err, wantErr) || wantErr == nil && err != nil {
					t.Errorf("Load: %v, want %v", err, wantErr)
				}
				if took := time.Since(start); took != wantTook {
					t.Errorf("Load took %v, want %v", took, wantTook)
				}
			}
		}
		second, stop := context.WithTimeout(t.Context(), time.Second)
		defer stop()
		t.Log("alone: its end is the load's")
		call(second, context.DeadlineExceeded, time.Second)()

		cause := errors.New("shutting down")
		leader, end := context.WithCancelCause(t.Context())
		defer end(nil)
		waiter, stop := context.WithTimeoutCause(t.Context(), 2*time.Second, cause)
		defer stop()
		var all sync.WaitGroup
		all.Go(call(leader, nil, 10*time.Second))
		synctest.Wait()
		all.Go(call(waiter, cause, 2*time.Second))
		all.Go(call(t.Context(), nil, 10*time.Second))
		synctest.Wait()
		end(cause)
		all.Wait()
	})
}
