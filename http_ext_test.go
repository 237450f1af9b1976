package freshet_test

import (
	"context"
	"io"
	"log"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/freshet-dev/freshet"
	"github.com/freshet-dev/freshet/memstore"
)

// fill is one entry that a spy has seen pass.
type fill struct {
	freshet.Ref
	*freshet.Entry
}

// spy is a real store that notes what it is told.
type spy struct {
	freshet.Store

	mu      sync.Mutex
	fills   []fill
	targets [][]freshet.Target
	// onInvalidate runs before the store invalidates, nil for nothing.
	onInvalidate func()
}

func (s *spy) Fill(ctx context.Context, ref freshet.Ref, stamp freshet.Stamp, e *freshet.Entry) (freshet.Outcome, error) {
	s.mu.Lock()
	s.fills = append(s.fills, fill{ref, e})
	s.mu.Unlock()
	return s.Store.Fill(ctx, ref, stamp, e)
}

func (s *spy) Invalidate(ctx context.Context, targets []freshet.Target) (freshet.Version, error) {
	s.mu.Lock()
	s.targets = append(s.targets, slices.Clone(targets))
	do := s.onInvalidate
	s.mu.Unlock()
	if do != nil {
		do()
	}
	return s.Store.Invalidate(ctx, targets)
}

// filled returns the entries seen so far, invalidated the targets, one list a call.
func (s *spy) filled() []fill {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.fills)
}

func (s *spy) invalidated() [][]freshet.Target {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.targets)
}

// site is an API on a real server, behind a cache whose store is watched.
type site struct {
	t      testing.TB
	store  *spy
	cache  *freshet.Cache
	mux    *http.ServeMux
	server *httptest.Server
}

func newSite(t testing.TB) *site {
	t.Helper()
	memory, err := memstore.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	s := &site{t: t, store: &spy{Store: memory}, mux: http.NewServeMux()}
	s.cache, err = freshet.New(s.store, &freshet.Options{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.cache.Close(context.Background()) })
	s.serve(s.mux)
	return s
}

// serve puts h in front of the site's mux, as middleware would be.
func (s *site) serve(h http.Handler) {
	s.server = httptest.NewUnstartedServer(h)
	// Handlers that panic or lie are logged by net/http: that is expected here.
	s.server.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.server.Start()
	s.server.Client().Transport.(*http.Transport).DisableCompression = true
	s.server.Client().CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	s.t.Cleanup(s.server.Close)
}

// handle registers h behind rule.
func (s *site) handle(pattern string, rule freshet.Rule, h http.HandlerFunc) {
	s.t.Helper()
	if err := s.cache.Handle(s.mux, pattern, rule, h); err != nil {
		s.t.Fatal(err)
	}
}

// reply is an answer that has been read to its end.
type reply struct {
	Status int
	Header http.Header
	Body   string
	Err    error // of reading the body
}

// do sends a request; header lists names and values in turn.
func (s *site) do(method, path string, header ...string) reply {
	s.t.Helper()
	r, err := http.NewRequest(method, s.server.URL+path, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
	}
	if host := r.Header.Get("Host"); host != "" {
		r.Host = host
	}
	response, err := s.server.Client().Do(r)
	if err != nil {
		return reply{Err: err}
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	return reply{response.StatusCode, response.Header, string(body), err}
}

func (s *site) get(path string, header ...string) reply {
	s.t.Helper()
	return s.do(http.MethodGet, path, header...)
}

// state is the cache's own word about the answer, without name and numbers:
// "hit", "fwd=uri-miss; stored", "fwd=bypass; detail=\"credentials\"".
func (r reply) state() string {
	state, found := strings.CutPrefix(r.Header.Get("Cache-Status"), "freshet; ")
	if !found {
		return "none"
	}
	state, _, _ = strings.Cut(state, "; ttl=")
	return state
}

const (
	hit    = "hit"
	stored = "fwd=uri-miss; stored"
)

func (s *site) want(r reply, state string) reply {
	s.t.Helper()
	if r.Err != nil {
		s.t.Errorf("error %v", r.Err)
	}
	if r.state() != state {
		s.t.Errorf("Cache-Status %q, want %q", r.state(), state)
	}
	return r
}

// wantBody checks state and body at once.
func (s *site) wantBody(r reply, state, body string) {
	s.t.Helper()
	s.want(r, state)
	if r.Body != body {
		s.t.Errorf("body %q, want %q", r.Body, body)
	}
}

// uri answers with what it was asked for.
func uri(w http.ResponseWriter, r *http.Request) {
	_, _ = io.WriteString(w, r.Method+" "+r.RequestURI)
}
