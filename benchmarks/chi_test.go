package main

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/go-chi/chi/v5"

	"github.com/freshet-dev/freshet"
	"github.com/freshet-dev/freshet/memstore"
)

// TestChi wraps routes of another router, which is imported here so that users
// of the root module need not download it.
func TestChi(t *testing.T) {
	store, err := memstore.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	cache, err := freshet.New(store, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cache.Close(context.Background()) })
	rule := freshet.Rule{
		Key:    "post_cache:{post_id:int}",
		Params: func(r *http.Request, name string) (string, bool) { v := chi.URLParam(r, name); return v, v != "" },
	}
	runs := 0
	router := chi.NewRouter()
	router.With(cache.Middleware(rule)).Get("/posts/{post_id}", func(w http.ResponseWriter, r *http.Request) {
		runs++
		fmt.Fprintf(w, "post %s, run %d", chi.URLParam(r, "post_id"), runs)
	})
	router.Method(http.MethodPut, "/posts/{post_id}", cache.Handler(rule, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusNoContent)
	})))
	for _, step := range []struct{ method, target, body, status string }{
		{"GET", "/posts/7", "post 7, run 1", "fwd=uri-miss; stored"},
		{"GET", "/posts/7", "post 7, run 1", "hit"},
		{"GET", "/posts/8", "post 8, run 2", "fwd=uri-miss; stored"},
		{"PUT", "/posts/7?post_id=8", "", "invalidated"},
		{"GET", "/posts/7", "post 7, run 3", "fwd="},
		{"GET", "/posts/8", "post 8, run 2", "hit"},
	} {
		w := httptest.NewRecorder()
		router.ServeHTTP(w, httptest.NewRequest(step.method, step.target, nil))
		if status := w.Header().Get("Cache-Status"); w.Body.String() != step.body || !strings.Contains(status, step.status) {
			t.Errorf("%s %s: %q, Cache-Status %q; want %q, %q", step.method, step.target, w.Body, status, step.body, step.status)
		}
	}
}
