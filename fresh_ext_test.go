package freshet_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	"go.uber.org/goleak"

	"github.com/freshet-dev/freshet"
)

// rounds is how often each race is run.
const rounds = 200

// restamped is a store with a guard removed: an answer is stored under a stamp
// taken when it is stored, as if nothing had happened while it was loaded.
type restamped struct{ freshet.Store }

func (s restamped) Fill(ctx context.Context, ref freshet.Ref, _ freshet.Stamp, e *freshet.Entry) (freshet.Outcome, error) {
	found, err := s.Lookup(ctx, ref)
	if err != nil {
		return 0, err
	}
	return s.Store.Fill(ctx, ref, found.Stamp, e)
}

// api is an API with one row, served by several processes.
type api struct {
	t       *testing.T
	row     atomic.Int64
	read    chan struct{} // the handler has read the row
	release chan struct{}
	urls    []string
}

func newAPI(t *testing.T, stores []freshet.Store) *api {
	a := &api{t: t, read: make(chan struct{}), release: make(chan struct{})}
	for _, s := range stores {
		c, _ := open(t, s)
		mux := http.NewServeMux()
		mux.Handle("GET /items/{id}", c.Handler(item, http.HandlerFunc(a.get)))
		for path, rule := range map[string]freshet.Rule{
			"key":    {Key: "item:{id}"},
			"tag":    {Key: "write:{id}", InvalidateTags: []string{"items"}},
			"result": {Key: "write:{id}", InvalidateTags: []string{"row:{id}"}},
			"match":  {Key: "write:{id}", InvalidateMatch: []string{"*:{id}"}},
		} {
			mux.Handle("PUT /"+path+"/{id}", c.Handler(rule, http.HandlerFunc(a.put)))
		}
		server := httptest.NewServer(mux)
		t.Cleanup(server.Close)
		a.urls = append(a.urls, server.URL)
	}
	return a
}

// get answers with the row. A request that asks for it waits in between, as a
// slow query would.
func (a *api) get(w http.ResponseWriter, r *http.Request) {
	row := a.row.Load()
	freshet.FromContext(r.Context()).Tag("row:1")
	if r.Header.Get("Slow") != "" {
		a.read <- struct{}{}
		<-a.release
	}
	_, _ = io.WriteString(w, strconv.FormatInt(row, 10))
}

func (a *api) put(w http.ResponseWriter, _ *http.Request) {
	_, _ = io.WriteString(w, strconv.FormatInt(a.row.Add(1), 10))
}

func (a *api) send(method, url string, header ...string) string {
	r, err := http.NewRequestWithContext(a.t.Context(), method, url, nil)
	if err != nil {
		a.t.Error(err)
		return ""
	}
	for _, name := range header {
		r.Header.Set(name, "1")
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		a.t.Error(err)
		return ""
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		a.t.Error(err)
	}
	return string(body)
}

// race runs the race that nearly every cache loses: a GET reads the row, a PUT
// changes and invalidates it, and then the GET's answer is stored. It returns
// how many GETs afterwards were stale.
func (a *api) race() (stale int) {
	ways := []string{"/key/1", "/tag/1", "/result/1", "/match/1"}
	for i := range rounds {
		here, there := a.urls[i%len(a.urls)], a.urls[(i+1)%len(a.urls)]
		a.send("PUT", here+"/key/1") // nothing is stored
		var slow sync.WaitGroup
		slow.Go(func() { a.send("GET", here+"/items/1", "Slow") })
		<-a.read
		want := a.send("PUT", there+ways[i%len(ways)])
		a.release <- struct{}{}
		slow.Wait()
		for _, url := range a.urls {
			if a.send("GET", url+"/items/1") != want {
				stale++
			}
		}
	}
	return stale
}

// TestStaleSet: what a GET has read before a PUT is not served after it.
func TestStaleSet(t *testing.T) {
	for name, stores := range map[string]func(t *testing.T) []freshet.Store{
		"one process":   func(t *testing.T) []freshet.Store { return []freshet.Store{newFake(t)} },
		"two processes": func(t *testing.T) []freshet.Store { return fakeProcesses(t, 2) },
	} {
		t.Run(name, func(t *testing.T) {
			noLeak(t)
			if stale := newAPI(t, stores(t)).race(); stale > 0 {
				t.Errorf("%d answers were stale in %d rounds", stale, rounds)
			}
		})
	}
	t.Run("control: stored under a fresh stamp", func(t *testing.T) {
		noLeak(t)
		stale := newAPI(t, []freshet.Store{restamped{newFake(t)}}).race()
		if stale == 0 {
			t.Error("nothing was stale without the guard: the test shows nothing")
		}
		t.Logf("%d stale answers in %d rounds without the guard", stale, rounds)
	})
}

// noLeak checks that t leaves no goroutine behind. It is called first, so that
// it looks after every other clean-up.
func noLeak(t *testing.T) {
	before := goleak.IgnoreCurrent()
	t.Cleanup(func() {
		http.DefaultClient.CloseIdleConnections()
		goleak.VerifyNone(t, before)
	})
}
