package blog

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/freshet-dev/freshet"
	"github.com/freshet-dev/freshet/internal/redistest"
	"github.com/freshet-dev/freshet/redisstore"
)

// onRedis returns an opener of a store on a new server.
func onRedis(t *testing.T) freshet.Opener {
	return on(t, redistest.Start(t))
}

func on(t *testing.T, server *redistest.Server) freshet.Opener {
	t.Setenv("REDIS_CACHE_HOST", "127.0.0.1")
	t.Setenv("REDIS_CACHE_PORT", strconv.Itoa(server.Port))
	t.Setenv("REDIS_CACHE_LOOKUP_TIMEOUT", "5s") // hits are expected on a busy machine, too
	return redisstore.FromEnv
}

// keys returns the cache's keys in Redis, with the seconds they were given.
func keys(t *testing.T, server *redistest.Server) map[string]int64 {
	t.Helper()
	reply, err := server.Do("KEYS", "*")
	if err != nil {
		t.Fatal(err)
	}
	found := make(map[string]int64)
	for _, key := range reply.([]any) {
		name := fmt.Sprint(key)
		if strings.HasPrefix(name, "freshet#") {
			continue // the history of invalidations
		}
		millis, err := server.Do("PTTL", name)
		if err != nil {
			t.Fatal(err)
		}
		// Rounded up to whole minutes: some of the time has passed.
		found[name] = (millis.(int64) + 59_999) / 60_000 * 60
	}
	return found
}

func TestKeysInRedis(t *testing.T) {
	server := redistest.Start(t)
	d := newDemo(t, 0, on(t, server))
	for _, read := range []string{
		"/posts/123", "/posts/latest", "/authors/123/posts", "/authors/123/stats",
		"/users/johndoe/posts", "/users/johndoe/posts?page=2&items_per_page=25", "/users/johndoe/posts/456",
		"/users/123/profile", "/organizations/1/departments/2/employees", "/search?q=shoes", "/countries", "/stats/live",
	} {
		if w := get(d.cached, read); w.Code != http.StatusOK {
			t.Errorf("GET %s: %d %s", read, w.Code, w.Body)
		}
	}
	want := map[string]int64{
		"post_cache:123":      3600,
		"latest_posts:global": 300,
		"user_posts:123":      1800,
		"user_stats:123":      3600,
		"johndoe_posts:page_1:items_per_page_10:johndoe": 300,
		"johndoe_posts:page_2:items_per_page_25:johndoe": 300,
		"johndoe_post_cache:456":                         3600,
		"user_profile:123":                               3600,
		"org_1_dept_2_employees:2":                       1800,
		"search_results_shoes:1":                         3600,
		"countries":                                      86400,
		"live_stats":                                     60,
	}
	if diff := cmp.Diff(want, keys(t, server)); diff != "" {
		t.Errorf("keys (-want +got):\n%s", diff)
	}
}
