package gateway_test

import (
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/freshet-dev/freshet"
	"github.com/freshet-dev/freshet/gateway"
	"github.com/freshet-dev/freshet/memstore"
)

// named is an upstream that says who it is.
func named(name string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "max-age=600")
		_, _ = io.WriteString(w, name)
	})
}

func TestReload(t *testing.T) {
	two := server(t, named("two"))
	s := open(t, named("one"), plain)
	s.stores("/kept")
	err := s.gateway.Reload(config(t, strings.ReplaceAll(plain, "UPSTREAM", two)+"routes: [{pattern: GET /x, key: x, ttl: 1h}]"))
	if err != nil {
		t.Fatal(err)
	}
	if got := s.get("/kept"); got.body != "one" || got.cached() != "hit" {
		t.Errorf("what was stored: %s %s", got.body, got.cached())
	}
	for _, path := range []string{"/new", "/x"} {
		if got := s.get(path); got.body != "two" {
			t.Errorf("%s comes from %s", path, got.body)
		}
	}
	if got := s.gateway.Config().Routes; len(got) != 1 {
		t.Errorf("the configuration has %d routes", len(got))
	}
}

// TestReloadUnderLoad: no request fails while the configuration changes all the time,
// not even one that is under way.
func TestReloadUnderLoad(t *testing.T) {
	addresses := [2]string{server(t, named("one")), server(t, named("two"))}
	s := openOn(t, addresses[0], plain)
	var stop atomic.Bool
	var asked atomic.Int64
	var clients sync.WaitGroup
	for client := range 4 {
		clients.Go(func() {
			for i := 0; !stop.Load(); i++ {
				res, err := s.client.Get(fmt.Sprintf("%s/%d/%d", s.url, client, i%5))
				if err != nil {
					t.Error(err)
					return
				}
				body, err := io.ReadAll(res.Body)
				_ = res.Body.Close()
				if err != nil || res.StatusCode != http.StatusOK || string(body) != "one" && string(body) != "two" {
					t.Errorf("%s %q %v", res.Status, body, err)
				}
				asked.Add(1)
			}
		})
	}
	for i := range 40 {
		for before := asked.Load(); asked.Load() < before+5 && !t.Failed(); {
			s.get("/in between")
		}
		if err := s.gateway.Reload(config(t, strings.ReplaceAll(plain, "UPSTREAM", addresses[i%2]))); err != nil {
			t.Error(err)
		}
	}
	stop.Store(true)
	clients.Wait()
}

// TestReloadKeepsWhatIsTheSame: that of an upstream which has not changed, its health
// is still known.
func TestReloadKeepsWhatIsTheSame(t *testing.T) {
	const file = `upstreams: {api: {servers: ["http://127.0.0.1:1"], fails: 1, rest: 1h}}`
	s := openOn(t, "", file)
	s.get("/")
	if err := s.gateway.Reload(config(t, file)); err != nil {
		t.Fatal(err)
	}
	if s.gateway.Upstreams()["api"][0].Up {
		t.Error("after a reload of the same: asked again")
	}
	if err := s.gateway.Reload(config(t, strings.ReplaceAll(file, "1h", "2h"))); err != nil {
		t.Fatal(err)
	}
	if !s.gateway.Upstreams()["api"][0].Up {
		t.Error("after a reload of something else: still left alone")
	}
}

// TestRulesThatTheCacheRefuses: what is right in the file can be wrong for this cache.
func TestRulesThatTheCacheRefuses(t *testing.T) {
	store, err := memstore.Open(t.Context(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	cache, err := freshet.New(store, &freshet.Options{RefuseWrites: true})
	if err != nil {
		t.Fatal(err)
	}
	defer cache.Close(t.Context())
	const file = "upstreams: {api: {servers: [http://127.0.0.1:1], health: {path: /}}}\n"
	refused := config(t, file+"routes: [{pattern: PUT /a, no_intent: true}]")
	if _, err := gateway.New(refused, cache, nil); err == nil {
		t.Error("a gateway that the cache refuses")
	}
	g, err := gateway.New(config(t, file), cache, &gateway.Options{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	if err := g.Reload(refused); err == nil || !strings.Contains(err.Error(), "NoIntent") {
		t.Errorf("%v", err)
	}
	if len(g.Config().Routes) != 0 {
		t.Error("what is refused is in use")
	}
}

func TestClosed(t *testing.T) {
	s := openOn(t, "http://127.0.0.1:1", plain)
	s.gateway.Close()
	if err := s.gateway.Reload(s.gateway.Config()); err == nil {
		t.Error("a closed gateway is reloaded")
	}
	if _, err := gateway.New(nil, nil, nil); err == nil {
		t.Error("a gateway of nothing")
	}
}
