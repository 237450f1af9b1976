package freshet_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/freshet-dev/freshet"
)

// ahead is item with answers that are loaded again ten seconds before their minute is
// over.
func ahead() freshet.Rule {
	rule := item
	rule.TTL, rule.RefreshAhead = time.Minute, 10*time.Second
	return rule
}

// readers asks h every seven seconds until d has passed, and returns what Cache-Status
// says other than hit.
func readers(t *testing.T, h http.Handler, d time.Duration) (others []string) {
	for start := time.Now(); time.Since(start) < d; time.Sleep(7 * time.Second) {
		status := ask(t.Context(), h, "gzip").Header.Get("Cache-Status")
		if !strings.HasPrefix(status, "freshet; hit; ttl=") {
			others = append(others, fmt.Sprintf("%v: %s", time.Since(start), status))
		}
		synctest.Wait()
	}
	return others
}

// TestRefreshAhead: what is asked for now and then is never missed, with codings or
// without, until nobody asks for it any more.
func TestRefreshAhead(t *testing.T) {
	for name, codings := range map[string][]freshet.Coding{"plain": nil, "coded": new(coder).codings()} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var h author
				c, err := freshet.New(newFake(t), &freshet.Options{Codings: codings})
				if err != nil {
					t.Fatal(err)
				}
				defer c.Close(context.Background())
				site := routed(c.Handler(ahead(), &h))
				ask(t.Context(), site, "gzip")
				if others := readers(t, site, 10*time.Minute); len(others) > 0 {
					t.Errorf("not hits: %q", others)
				}
				if runs := h.runs.Load(); runs < 11 || runs > 13 {
					t.Errorf("%d loads in ten minutes", runs)
				}
				time.Sleep(time.Minute)
				before := h.runs.Load()
				time.Sleep(time.Hour)
				if runs := h.runs.Load(); runs != before {
					t.Errorf("%d loads though nobody asks", runs-before)
				}
			})
		})
	}
}

// TestRefreshAheadOfProcesses: of the processes that all serve an answer one loads it
// again.
func TestRefreshAheadOfProcesses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := slow{} // so that they meet
		var handlers []http.Handler
		for _, s := range fakeProcesses(t, 8) {
			c, _ := open(t, s)
			handlers = append(handlers, routed(c.Handler(ahead(), &h)))
		}
		for range 20 {
			wantAll(t, crowd(t.Context(), 4*len(handlers), handlers...), "answer")
			time.Sleep(7 * time.Second)
		}
		// One at the start, and one about every 52 seconds, in 140.
		h.want(t, 3)
	})
}

// TestRefreshAheadNotOfTheInvalidated: what has been invalidated is not loaded again
// before somebody asks, and what a refresh has begun to read before an invalidation is
// never served after it.
func TestRefreshAheadNotOfTheInvalidated(t *testing.T) {
	for name, target := range map[string]freshet.Target{"hard": freshet.Key("item:1"), "soft": freshet.Tag("items").Softly()} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var h author
				c, _ := open(t, newFake(t))
				site := routed(c.Handler(ahead(), &h))
				for range 2 {
					get(t, site)
				}
				if _, err := c.Invalidate(t.Context(), target); err != nil {
					t.Fatal(err)
				}
				time.Sleep(time.Hour)
				if runs := h.runs.Load(); runs != 1 {
					t.Errorf("%d loads of what was invalidated", runs-1)
				}
				get(t, site)
				get(t, site)
				time.Sleep(55 * time.Second)
				if runs := h.runs.Load(); runs != 3 {
					t.Errorf("%d loads since somebody has asked again, want one and one ahead", runs-1)
				}
			})
		})
	}
}

// TestRefreshAheadOvertaken: what a refresh has read before an invalidation is never
// served after it.
func TestRefreshAheadOvertaken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		data, runs := "old", 0
		var change func() // of the data, while the refresh has the old
		c, _ := open(t, newFake(t))
		site := routed(c.Handler(ahead(), http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			read := data
			if runs++; runs == 2 {
				change()
			}
			_, _ = w.Write([]byte(read))
		})))
		change = func() {
			data = "new"
			if _, err := c.Invalidate(t.Context(), freshet.Key("item:1")); err != nil {
				t.Error(err)
			}
		}
		for range 2 {
			get(t, site)
		}
		time.Sleep(55 * time.Second)
		synctest.Wait()
		if got := get(t, site); got != "new" || runs != 3 {
			t.Errorf("after the invalidation: %q, %d loads", got, runs)
		}
	})
}

func TestWrongRefreshAhead(t *testing.T) {
	params := func(*http.Request, string) (string, bool) { return "", false }
	for name, change := range map[string]func(*freshet.Rule){
		"negative": func(r *freshet.Rule) { r.RefreshAhead = -1 },
		"as TTL":   func(r *freshet.Rule) { r.RefreshAhead = r.TTL },
		"Params":   func(r *freshet.Rule) { r.Params = params },
	} {
		rule := ahead()
		change(&rule)
		var wrong *freshet.RuleError
		if err := rule.Validate(); !errors.As(err, &wrong) || wrong.Field != "RefreshAhead" {
			t.Errorf("%s: %v", name, err)
		}
	}
}
