package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/freshet-dev/freshet"
	"github.com/freshet-dev/freshet/internal/redistest"
	"github.com/freshet-dev/freshet/redisstore"
)

// perUser is how many posts a user has: what a pattern matches.
const perUser = 10

// ttl outlives the measurement.
const ttl = time.Hour

// subject is an API behind freshet, and the client with which others would tidy up
// behind it.
type subject struct {
	cache   *freshet.Cache
	client  *redis.Client
	handler http.Handler
	loads   atomic.Int64
}

func newSubject(server *redistest.Server) (*subject, error) {
	store, err := redisstore.New(context.Background(), &redisstore.Options{URL: "redis://" + server.Addr + "/0"})
	if err != nil {
		return nil, err
	}
	cache, err := freshet.New(store, nil)
	if err != nil {
		return nil, err
	}
	s := &subject{cache: cache, client: redis.NewClient(&redis.Options{Addr: server.Addr, ReadTimeout: time.Minute})}
	mux := http.NewServeMux()
	err = cache.Handle(mux, "GET /users/{user}/posts/{post}", freshet.Rule{Key: "post:{post}:user_{user}", TTL: ttl},
		http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			s.loads.Add(1)
			io.WriteString(w, payload)
		}))
	s.handler = mux
	return s, err
}

func (s *subject) close() {
	s.client.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	s.cache.Close(ctx)
}

// payload is a small answer.
var payload = strings.Repeat("A post. ", 25)

// fillers is how many fills are under way at a time: enough to be pipelined.
const fillers = 128

// fill puts n entries in Redis, as freshet keeps them.
func (s *subject) fill(ctx context.Context, n int) error {
	store := s.cache.Store()
	found, err := store.Lookup(ctx, freshet.Ref{Key: "post:0:user_0"})
	if err != nil {
		return err
	}
	var next atomic.Int64
	var all sync.WaitGroup
	errs := make(chan error, fillers)
	for range fillers {
		all.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				e := &freshet.Entry{Loaded: time.Now(), TTL: ttl, Status: http.StatusOK, Body: payload}
				ref := freshet.Ref{Key: fmt.Sprintf("post:%d:user_%d", i%perUser, i/perUser)}
				if outcome, err := store.Fill(ctx, ref, found.Stamp, e); err != nil || outcome != freshet.Stored {
					errs <- fmt.Errorf("filling: %v, %w", outcome, err)
					return
				}
			}
		})
	}
	all.Wait()
	select {
	case err := <-errs:
		return err
	default:
		return nil
	}
}

// read asks for all posts of a user and returns how many had to be loaded.
func (s *subject) read(user int) (loaded int, err error) {
	before := s.loads.Load()
	for post := range perUser {
		if _, err := s.get(user, post); err != nil {
			return 0, err
		}
	}
	return int(s.loads.Load() - before), nil
}

// get asks for a post and reports whether it was a hit.
func (s *subject) get(user, post int) (hit bool, err error) {
	w := httptest.NewRecorder()
	target := fmt.Sprintf("/users/%d/posts/%d", user, post)
	s.handler.ServeHTTP(w, httptest.NewRequest(http.MethodGet, target, nil))
	if w.Code != http.StatusOK || w.Body.String() != payload {
		return false, fmt.Errorf("GET %s is answered %d: %.80q", target, w.Code, w.Body)
	}
	return strings.Contains(w.Header().Get("Cache-Status"), "; hit"), nil
}

// sweeps waits until no background sweep of freshet has been at work for a time,
// and returns when there were some.
func (s *subject) sweeps(ctx context.Context, quiet time.Duration) (found []window, err error) {
	for last := time.Now(); time.Since(last) < quiet; time.Sleep(time.Millisecond) {
		begin := time.Now()
		n, err := s.client.Exists(ctx, "freshet#sweep").Result()
		if err != nil {
			return nil, err
		}
		if n == 0 {
			continue
		}
		last = time.Now()
		if i := len(found) - 1; i >= 0 && begin.Sub(found[i].end) < 100*time.Millisecond {
			found[i].end = last
		} else {
			found = append(found, window{begin, last})
		}
	}
	return found, nil
}
