package main

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"

	"github.com/go-chi/chi/v5"

	"github.com/freshet-dev/freshet"
	"github.com/freshet-dev/freshet/memstore"
)

// keepRoute is as docs/audit.md has it.
func keepRoute(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		route := *chi.RouteContext(r.Context())
		route.URLParams.Keys = slices.Clone(route.URLParams.Keys)
		route.URLParams.Values = slices.Clone(route.URLParams.Values)
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), chi.RouteCtxKey, &route)))
	})
}

// TestChiAudit audits hits behind a router that uses its contexts again.
func TestChiAudit(t *testing.T) {
	store, err := memstore.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan freshet.Event)
	cache, err := freshet.New(store, &freshet.Options{Audit: freshet.Audit{Fraction: 1}, Observe: func(e freshet.Event) {
		if e.Kind == freshet.EventAudit {
			ended <- e
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cache.Close(context.Background()) })
	param := func(r *http.Request, name string) (string, bool) { v := chi.URLParam(r, name); return v, v != "" }
	// A run waits for the next request, which gets the context of the one that
	// is audited.
	release := make(chan bool, 1)
	router := chi.NewRouter()
	router.With(keepRoute, cache.Middleware(freshet.Rule{Key: "post:{id}", Params: param})).Get("/posts/{id}",
		func(w http.ResponseWriter, r *http.Request) {
			<-release
			fmt.Fprint(w, chi.URLParam(r, "id"))
		})
	router.Get("/other/{id}", func(http.ResponseWriter, *http.Request) {})
	get := func(path string) {
		router.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", path, nil))
	}
	release <- true
	get("/posts/1")
	for range 20 {
		get("/posts/1")
		get("/other/2")
		release <- true
		if e := <-ended; e.Reason != "fresh" {
			t.Fatalf("an audit is %s", e.Reason)
		}
	}
}
