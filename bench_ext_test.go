//go:build !race

package freshet_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/freshet-dev/freshet"
	"github.com/freshet-dev/freshet/memstore"
)

// The race detector makes sync.Pool forget at random, so these do not run under it.

// constant is a handler without any cost, for comparison.
func constant(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	_, _ = io.WriteString(w, `{"id":123,"title":"a post"}`)
}

// discard is a ResponseWriter without any cost.
type discard struct{ header http.Header }

func (d *discard) Header() http.Header               { return d.header }
func (d *discard) WriteHeader(int)                   {}
func (d *discard) Write(p []byte) (int, error)       { return len(p), nil }
func (d *discard) WriteString(s string) (int, error) { return len(s), nil }

// hitAllocs is what a hit may allocate beside http.ServeMux, which needs one for
// its wildcards: the key, the header's lines, Age and Cache-Status.
const hitAllocs = 4

func hitBench(t testing.TB) (h http.Handler, w *discard, r *http.Request) {
	store, err := memstore.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	cache, err := freshet.New(store, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cache.Close(context.Background()) })
	mux := http.NewServeMux()
	err = cache.Handle(mux, "GET /posts/{post_id}", freshet.Rule{Key: "post_cache:{post_id:int}"}, http.HandlerFunc(constant))
	if err != nil {
		t.Fatal(err)
	}
	w, r = &discard{http.Header{}}, httptest.NewRequest("GET", "/posts/123", nil)
	mux.ServeHTTP(w, r)
	return mux, w, r
}

func TestHitAllocs(t *testing.T) {
	h, w, r := hitBench(t)
	got := testing.AllocsPerRun(1000, func() {
		clear(w.header)
		h.ServeHTTP(w, r)
	})
	if w.header.Get("Age") == "" {
		t.Fatal("no hit")
	}
	if got > hitAllocs+1 {
		t.Errorf("a hit allocates %v times, want at most %d", got, hitAllocs+1)
	}
}

func BenchmarkHit(b *testing.B) {
	h, w, r := hitBench(b)
	b.ReportAllocs()
	for b.Loop() {
		clear(w.header)
		h.ServeHTTP(w, r)
	}
}

// BenchmarkHitOfForm is BenchmarkHit where there are codings: of an answer that is
// worth one, in it and as it is, and of one that is not.
func BenchmarkHitOfForm(b *testing.B) {
	for _, bench := range []struct {
		name, accept string
		h            http.Handler
	}{
		{"coded", "gzip, deflate, br, zstd", new(author)},
		{"as it is", "", new(author)},
		{"small", "gzip, deflate, br, zstd", http.HandlerFunc(constant)},
	} {
		b.Run(bench.name, func(b *testing.B) {
			h := routed(openCoding(b, newFake(b), new(coder)).Handler(item, bench.h))
			w, r := &discard{http.Header{}}, httptest.NewRequest("GET", "/items/1", nil)
			r.Header.Set("Accept-Encoding", bench.accept)
			b.ReportAllocs()
			for b.Loop() {
				clear(w.header)
				h.ServeHTTP(w, r)
			}
		})
	}
}
