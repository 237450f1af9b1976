package main

import (
	"context"
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/freshet-dev/freshet"
	"github.com/freshet-dev/freshet/memstore"
	"github.com/freshet-dev/freshet/redisstore"
)

func newFreshetMemory(o *origin, _ string) (cache, error) {
	store, err := memstore.New(nil)
	if err != nil {
		return nil, err
	}
	return wrap(o, store)
}

func newFreshetRedis(o *origin, addr string) (cache, error) {
	store, err := redisstore.New(context.Background(), &redisstore.Options{URL: "redis://" + addr + "/0"})
	if err != nil {
		return nil, err
	}
	return wrap(o, store)
}

// ruled is freshet behind routes: reads, writes of one item, writes of all.
type ruled struct{ *web }

// commitKey carries the change that a writing handler makes.
type commitKey struct{}

func wrap(o *origin, store freshet.Store) (cache, error) {
	c, err := freshet.New(store, nil)
	if err != nil {
		return nil, err
	}
	get := func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, o.load(r.PathValue("id"))) }
	change := func(w http.ResponseWriter, r *http.Request) {
		r.Context().Value(commitKey{}).(func())()
		w.WriteHeader(http.StatusNoContent)
	}
	item := freshet.Rule{Key: "item:{id}", TTL: ttl}
	items := freshet.Rule{Key: "items", InvalidateMatch: []string{"item:*"}}
	mux := http.NewServeMux()
	err = errors.Join(
		c.Handle(mux, "GET /items/{id}", item, http.HandlerFunc(get)),
		c.Handle(mux, "PUT /items/{id}", item, http.HandlerFunc(change)),
		c.Handle(mux, "PUT /items", items, http.HandlerFunc(change)),
	)
	w := &web{handler: mux, end: func() { end(c) }}
	w.change = func(ctx context.Context, id string, commit func()) error {
		return put(ctx, w, "/items/"+id, commit)
	}
	return &ruled{w}, err
}

func (r *ruled) writeGroup(ctx context.Context, commit func()) error {
	return put(ctx, r.web, "/items", commit)
}

// put sends the write; its handler commits.
func put(ctx context.Context, w *web, target string, commit func()) error {
	_, err := w.send(context.WithValue(ctx, commitKey{}, commit), http.MethodPut, target)
	return err
}

// end closes a cache, within a bound because nothing depends on it.
func end(c *freshet.Cache) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	c.Close(ctx)
}
