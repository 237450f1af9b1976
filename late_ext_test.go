package freshet_test

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/freshet-dev/freshet"
)

// gullible is a store with a guard removed: it takes every load for valid.
type gullible struct{ freshet.Store }

func (gullible) Valid(context.Context, freshet.Ref, []string, freshet.Stamp) (bool, error) {
	return true, nil
}

// late is what the rule of flights is tried on: a load that has read the old
// data, an invalidation that returns, and a request that begins afterwards.
type late struct {
	name   string
	target freshet.Target
	tag    string // that the handler adds
}

var lates = []late{
	{"key", freshet.Key("item:1"), "items"},
	{"tag of the rule", freshet.Tag("items"), "items"},
	{"tag of the handler", freshet.Tag("late"), "late"},
	{"match", freshet.Match("item:*"), "items"},
	{"all", freshet.All(), "items"},
}

// lateRequest returns the answers of a request that begins before the
// invalidation and of one that begins after, both while the load is under way.
func lateRequest(t *testing.T, store freshet.Store, tag string, invalidate func(*freshet.Cache)) (early, after string) {
	c, _ := open(t, store)
	var db atomic.Value
	db.Store("old")
	gate := make(chan struct{})
	h := routed(c.Handler(item, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		read := db.Load().(string)
		freshet.FromContext(r.Context()).Tag(tag)
		if read == "old" {
			<-gate
		}
		_, _ = w.Write([]byte(read))
	})))
	var all sync.WaitGroup
	all.Go(func() { get(t, h) })
	synctest.Wait()
	all.Go(func() { early = get(t, h) })
	synctest.Wait()
	db.Store("new")
	invalidate(c)
	all.Go(func() { after = get(t, h) })
	synctest.Wait()
	close(gate)
	all.Wait()
	return early, after
}

// TestLateRequest: a request that begins after an invalidation has returned is
// not answered by a load that began before it; one that began before may be.
func TestLateRequest(t *testing.T) {
	for _, l := range lates {
		t.Run(l.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				early, after := lateRequest(t, newFake(t), l.tag, func(c *freshet.Cache) {
					if _, err := c.Invalidate(t.Context(), l.target); err != nil {
						t.Error(err)
					}
				})
				if after != "new" {
					t.Errorf("a request after the invalidation got the %s answer", after)
				}
				if early != "old" {
					t.Errorf("a request before it got the %s answer: it should have shared the load", early)
				}
			})
		})
	}
	t.Run("control: every load is taken for valid", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			_, after := lateRequest(t, gullible{newFake(t)}, "items", func(c *freshet.Cache) {
				_, _ = c.Invalidate(t.Context(), freshet.Key("item:1"))
			})
			if after != "old" {
				t.Errorf("got the %s answer without the guard: the test shows nothing", after)
			}
		})
	})
}

// TestLateRequestOwed is the same for an invalidation that the store has not
// taken: no stamp tells of it, neither before nor after it has been delivered.
func TestLateRequestOwed(t *testing.T) {
	for _, l := range lates {
		for _, delivered := range []bool{false, true} {
			name := l.name + ", owed"
			if delivered {
				name = l.name + ", delivered"
			}
			t.Run(name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					s := newFake(t)
					s.fail(errDown, "Invalidate")
					_, after := lateRequest(t, s, l.tag, func(c *freshet.Cache) {
						if _, err := c.Invalidate(t.Context(), l.target); !errors.Is(err, errDown) {
							t.Errorf("Invalidate: %v, want %v", err, errDown)
						}
						if delivered {
							// Once the last request has looked its entry up.
							s.then("Lookup", func() {
								s.heal()
								time.Sleep(time.Minute)
							})
						}
					})
					if after != "new" {
						t.Errorf("a request after the invalidation got the %s answer", after)
					}
				})
			})
		}
	}
}
