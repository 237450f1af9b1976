package blog

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/freshet-dev/freshet"
	"github.com/freshet-dev/freshet/cmd/freshet/internal/blog/blogdb"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// demo is the API on a small database, in two forms.
type demo struct {
	path   string
	cache  *freshet.Cache
	cached http.Handler // as it is registered
	bare   http.Handler // the same without a cache
}

// newDemo returns a demo on the store that open opens.
func newDemo(t *testing.T, delay time.Duration, open freshet.Opener) *demo {
	t.Helper()
	cache, err := freshet.Open(t.Context(), &freshet.Options{Logger: quiet()}, open)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { check(t, cache.Close(context.Background())) })
	off, err := freshet.New(nil, &freshet.Options{Disabled: true})
	if err != nil {
		t.Fatal(err)
	}
	d := &demo{path: filepath.Join(t.TempDir(), "demo.db"), cache: cache}
	d.cached, d.bare = d.serve(t, cache, delay), d.serve(t, off, 0)
	return d
}

// serve returns the API on the demo's database behind cache.
func (d *demo) serve(t *testing.T, cache *freshet.Cache, delay time.Duration) http.Handler {
	t.Helper()
	db, err := blogdb.Open(t.Context(), d.path, &blogdb.Options{Posts: 500, Delay: delay})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { check(t, db.Close()) })
	mux := http.NewServeMux()
	if err := New(db, quiet()).Register(mux, cache); err != nil {
		t.Fatal(err)
	}
	return mux
}

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Error(err)
	}
}

// send returns the answer to a request.
func send(h http.Handler, method, target, body string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	var reader io.Reader
	if body != "" {
		reader = strings.NewReader(body)
	}
	h.ServeHTTP(w, httptest.NewRequest(method, target, reader))
	return w
}

func get(h http.Handler, target string) *httptest.ResponseRecorder {
	return send(h, http.MethodGet, target, "")
}

// isHit reports whether the answer came from the cache (RFC 9211).
func isHit(w *httptest.ResponseRecorder) bool {
	return strings.Contains(w.Header().Get("Cache-Status"), "; hit")
}
