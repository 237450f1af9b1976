package freshet_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/freshet-dev/freshet"
)

// stage is an API with one resource behind a rule, whose handler a test directs. It
// answers with a number, the version of its data.
type stage struct {
	t     *testing.T
	cache *freshet.Cache
	diary *diary
	h     http.Handler

	runs    atomic.Int32
	version atomic.Int32
	asked   atomic.Value // the header of the last request that the handler got
	// header is what each answer has; act, if there is one, answers instead.
	header []string
	act    atomic.Pointer[http.HandlerFunc]
}

// newStage has a rule for item:1, and answers with header, names and values in turn.
func newStage(t *testing.T, rule freshet.Rule, header ...string) *stage {
	t.Helper()
	return newStageOn(t, newFake(t), rule, header...)
}

func newStageOn(t *testing.T, store freshet.Store, rule freshet.Rule, header ...string) *stage {
	t.Helper()
	s := &stage{t: t, header: header}
	s.cache, s.diary = open(t, store)
	rule.Pattern, rule.Key, rule.Tags = item.Pattern, item.Key, item.Tags
	s.h = routed(s.cache.Handler(rule, s))
	return s
}

func (s *stage) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.runs.Add(1)
	s.asked.Store(r.Header.Clone())
	if act := s.act.Load(); act != nil {
		(*act)(w, r)
		return
	}
	s.answer(w)
}

// answer is what the handler does by default.
func (s *stage) answer(w http.ResponseWriter) {
	for i := 0; i < len(s.header); i += 2 {
		w.Header().Add(s.header[i], s.header[i+1])
	}
	fmt.Fprint(w, s.version.Load())
}

// direct makes the handler do act from now on, nil for what it does by default.
func (s *stage) direct(act http.HandlerFunc) {
	if act == nil {
		s.act.Store(nil)
		return
	}
	s.act.Store(&act)
}

// do sends a request with a header, names and values in turn.
func (s *stage) do(method, path string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequestWithContext(s.t.Context(), method, path, nil)
	for i := 0; i < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	s.h.ServeHTTP(w, r)
	return w
}

func (s *stage) get(header ...string) *httptest.ResponseRecorder {
	return s.do("GET", "/items/1", header...)
}

// want checks the cache's word about an answer, without ttl, and the body.
func (s *stage) want(w *httptest.ResponseRecorder, state, body string) {
	s.t.Helper()
	got := strings.TrimPrefix(w.Header().Get("Cache-Status"), "freshet; ")
	if before, after, ok := strings.Cut(got, "; ttl="); ok {
		_, rest, _ := strings.Cut(after, "; ")
		got = strings.TrimSuffix(before+"; "+rest, "; ")
	}
	if got != state || w.Body.String() != body {
		s.t.Errorf("Cache-Status %q, body %q; want %q, %q", got, w.Body, state, body)
	}
}

// wantRuns checks how often the handler has run.
func (s *stage) wantRuns(n int32) {
	s.t.Helper()
	if got := s.runs.Load(); got != n {
		s.t.Errorf("the handler has run %d times, want %d", got, n)
	}
}

func (s *stage) invalidate(targets ...freshet.Target) {
	s.t.Helper()
	if _, err := s.cache.Invalidate(s.t.Context(), targets...); err != nil {
		s.t.Error(err)
	}
}

// in runs f in a bubble of its own time.
func in(t *testing.T, name string, f func(t *testing.T)) {
	t.Run(name, func(t *testing.T) { synctest.Test(t, f) })
}

// The words for what is answered from the store though it is stale.
const (
	revalidating = `hit; detail="revalidating"`
	onError      = `fwd=stale; fwd-status=503; detail="error"`
	failing      = `hit; detail="failing"`
	timedOut     = `fwd=stale; detail="timeout"`
	requested    = "fwd=request; stored"
	staleStored  = "fwd=stale; stored"
)

func fail503(w http.ResponseWriter, _ *http.Request) {
	http.Error(w, "down", http.StatusServiceUnavailable)
}
