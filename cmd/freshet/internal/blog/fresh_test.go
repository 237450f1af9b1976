package blog

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/freshet-dev/freshet"
	"github.com/freshet-dev/freshet/memstore"
)

// Every route that can be cached, where the writes below can be seen and where
// they cannot. User 123 is johndoe, of department 1 of organization 7; user 9
// has written a little more.
var reads = []string{
	"/posts/456",
	"/posts/457",
	"/posts/latest",
	"/authors/123/posts",
	"/authors/5/posts",
	"/authors/123/stats",
	"/authors/9/stats",
	"/users/johndoe/posts",
	"/users/johndoe/posts?page=2&items_per_page=1",
	"/users/johndoe/posts?items_per_page=100",
	"/users/johndoe/posts/456",
	"/users/123/profile",
	"/users/5/profile",
	"/organizations/7/departments/1/employees",
	"/organizations/1/departments/2/employees",
	"/search?q=coffee",
	"/search?q=e&page=2",
	"/search?q=nothing+like+it",
	"/search?q=ninety",
	"/search?q=nineteen",
	"/countries",
	"/stats/live",
}

// writes, and the reads that each changes: exactly those that a cache without
// invalidation answers wrongly.
var writes = []struct {
	name, method, path, body string
	status                   int
	changes                  []string
}{
	{
		"create post", http.MethodPost, "/posts?user_id=123", `{"title":"ninety","body":"coffee"}`, http.StatusCreated,
		[]string{
			"/posts/latest", "/authors/123/posts", "/authors/123/stats", "/users/johndoe/posts",
			"/users/johndoe/posts?page=2&items_per_page=1", "/users/johndoe/posts?items_per_page=100",
			"/search?q=coffee", "/search?q=e&page=2", "/search?q=ninety", "/stats/live",
		},
	},
	{
		"change post", http.MethodPut, "/posts/456", `{"title":"ninety","body":"coffee"}`, http.StatusOK,
		[]string{
			"/posts/456", "/authors/123/posts", "/authors/123/stats", "/users/johndoe/posts",
			"/users/johndoe/posts?page=2&items_per_page=1", "/users/johndoe/posts?items_per_page=100",
			"/users/johndoe/posts/456", "/search?q=coffee", "/search?q=ninety", "/stats/live",
		},
	},
	{
		"change post by its other name", http.MethodPut, "/posts/00456", `{"body":"none"}`, http.StatusOK,
		[]string{"/posts/456", "/authors/123/stats", "/users/johndoe/posts/456", "/stats/live"},
	},
	{
		"change post so that ranks change", http.MethodPut, "/posts/456", `{"body":"` + longBody + `"}`, http.StatusOK,
		[]string{
			"/posts/456", "/authors/123/stats", "/authors/9/stats", "/users/johndoe/posts/456",
			"/search?q=e&page=2", "/search?q=ninety", "/stats/live",
		},
	},
	{
		"delete post", http.MethodDelete, "/posts/456", "", http.StatusNoContent,
		[]string{
			"/posts/456", "/authors/123/posts", "/authors/123/stats", "/users/johndoe/posts",
			"/users/johndoe/posts?page=2&items_per_page=1", "/users/johndoe/posts?items_per_page=100",
			"/users/johndoe/posts/456", "/search?q=e&page=2", "/stats/live",
		},
	},
	{
		"delete latest post", http.MethodDelete, "/posts/501", "", http.StatusNoContent,
		[]string{
			"/posts/latest", "/authors/123/posts", "/authors/123/stats", "/users/johndoe/posts",
			"/users/johndoe/posts?page=2&items_per_page=1", "/users/johndoe/posts?items_per_page=100",
			"/search?q=e&page=2", "/search?q=nineteen", "/stats/live",
		},
	},
	{
		"change profile", http.MethodPut, "/users/123/profile", `{"name":"Ninety","location":"Faro"}`, http.StatusOK,
		[]string{
			"/posts/latest", "/users/123/profile", "/organizations/7/departments/1/employees",
			"/search?q=nineteen",
		},
	},
}

var longBody = strings.TrimSpace(strings.Repeat("ninety ", 300))

// after fills the cache with every read, sends one write to h, and returns the
// reads that it changes and those that the cache then answers wrongly. A status
// of 0 stands for any.
func (d *demo) after(t *testing.T, h http.Handler, method, path, body string, status int) (changed, stale []string) {
	t.Helper()
	// A post by johndoe among the latest, whom the profile is to change.
	send(d.bare, http.MethodPost, "/posts?user_id=123", `{"title":"nineteen","body":"a late one"}`)
	before := make(map[string]string)
	for _, read := range reads {
		get(d.cached, read)
		w := get(d.cached, read)
		if !isHit(w) || w.Code != http.StatusOK {
			t.Fatalf("GET %s is not cached: %d, %q, %s", read, w.Code, w.Header().Get("Cache-Status"), w.Body)
		}
		before[read] = w.Body.String()
	}
	if w := send(h, method, path, body); w.Code != status && status != 0 {
		t.Fatalf("%s %s: %d, want %d: %s", method, path, w.Code, status, w.Body)
	}
	for _, read := range reads {
		want, got := get(d.bare, read), get(d.cached, read)
		if want.Body.String() != before[read] {
			changed = append(changed, read)
		}
		if got.Body.String() != want.Body.String() || got.Code != want.Code {
			stale = append(stale, read)
		}
	}
	return changed, stale
}

func TestFreshAfterWrites(t *testing.T) {
	t.Run("memory", func(t *testing.T) {
		testFreshAfterWrites(t, func(*testing.T) freshet.Opener { return memstore.Open })
	})
	t.Run("redis", func(t *testing.T) { testFreshAfterWrites(t, onRedis) })
}

func testFreshAfterWrites(t *testing.T, opener func(*testing.T) freshet.Opener) {
	for _, w := range writes {
		t.Run(w.name, func(t *testing.T) {
			d := newDemo(t, 0, opener(t))
			changed, stale := d.after(t, d.cached, w.method, w.path, w.body, w.status)
			if diff := cmp.Diff(w.changes, changed); diff != "" {
				t.Errorf("changed (-want +got):\n%s", diff)
			}
			if stale != nil {
				t.Errorf("stale after the write: %q", stale)
			}
		})
	}
}

// The same writes past the cache: the test above sees every stale answer.
func TestStaleWithoutInvalidation(t *testing.T) {
	for _, w := range writes {
		t.Run(w.name, func(t *testing.T) {
			d := newDemo(t, 0, memstore.Open)
			_, stale := d.after(t, d.bare, w.method, w.path, w.body, w.status)
			if diff := cmp.Diff(w.changes, stale); diff != "" {
				t.Errorf("stale (-want +got):\n%s", diff)
			}
		})
	}
}

func TestRefusedWritesInvalidateNothing(t *testing.T) {
	d := newDemo(t, 0, memstore.Open)
	for _, path := range []string{"/posts/456", "/posts/99999", "/posts?user_id=123", "/posts?user_id=999"} {
		method := http.MethodPut
		if path[6] == '?' {
			method = http.MethodPost
		}
		for _, body := range []string{`{"title":`, `{"title":""}`, ``} {
			if w := send(d.cached, method, path, body); w.Code != http.StatusBadRequest {
				t.Errorf("%s %s %s: %d", method, path, body, w.Code)
			}
		}
	}
	for _, read := range reads {
		get(d.cached, read)
	}
	send(d.cached, http.MethodPut, "/posts/456", `{"title":5}`)
	send(d.cached, http.MethodPut, "/posts/99999", `{"title":"none"}`)
	send(d.cached, http.MethodPost, "/posts?user_id=201", `{"title":"a","body":"b"}`)
	for _, read := range reads {
		if !isHit(get(d.cached, read)) {
			t.Errorf("%s is no hit after refused writes", read)
		}
	}
}

// A GET that is under way while a PUT commits must not leave its answer behind.
func TestFreshAfterRaces(t *testing.T) {
	d := newDemo(t, 3*time.Millisecond, memstore.Open)
	racing := []string{"/posts/456", "/users/johndoe/posts?items_per_page=100", "/users/johndoe/posts/456"}
	for i := range 40 {
		var all sync.WaitGroup
		for _, read := range racing {
			all.Go(func() { get(d.cached, read) })
		}
		all.Go(func() {
			body := fmt.Sprintf(`{"title":"title %d"}`, i)
			if w := send(d.cached, http.MethodPut, "/posts/456", body); w.Code != http.StatusOK {
				t.Errorf("PUT: %d %s", w.Code, w.Body)
			}
		})
		all.Wait()
		for _, read := range racing {
			if got, want := get(d.cached, read).Body.String(), get(d.bare, read).Body.String(); got != want {
				t.Fatalf("round %d: %s is stale: %s, want %s", i, read, got, want)
			}
		}
	}
}

// A write whose client goes away right after the commit invalidates like any
// other, though its handler ends with an error.
func TestFreshAfterLostAnswer(t *testing.T) {
	for _, w := range writes {
		t.Run(w.name, func(t *testing.T) {
			t.Parallel()
			d := newDemo(t, 0, memstore.Open)
			slow := d.serve(t, d.cache, 300*time.Millisecond)
			lost := http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
				before := get(d.bare, w.changes[0]).Body.String()
				ctx, cancel := context.WithCancel(r.Context())
				var handler sync.WaitGroup
				handler.Go(func() { slow.ServeHTTP(out, r.WithContext(ctx)) })
				for get(d.bare, w.changes[0]).Body.String() == before {
					time.Sleep(time.Millisecond)
				}
				cancel()
				handler.Wait()
			})
			// On a very slow machine the client may get its answer after all.
			_, stale := d.after(t, lost, w.method, w.path, w.body, 0)
			if stale != nil {
				t.Errorf("stale after the write: %q", stale)
			}
		})
	}
}
