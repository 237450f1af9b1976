package main

import (
	"context"

	"github.com/viccon/sturdyc"
)

// sturdy is sturdyc's GetOrFetch, with the capacity and the shards of its
// documentation.
type sturdy struct {
	origin *origin
	client *sturdyc.Client[string]
}

func newSturdyc(o *origin, _ string) (cache, error) {
	return &sturdy{o, sturdyc.New[string](10000, 10, ttl, 10)}, nil
}

func (s *sturdy) read(ctx context.Context, id string) (string, error) {
	return s.client.GetOrFetch(ctx, id, func(context.Context) (string, error) {
		return s.origin.load(id), nil
	})
}

func (s *sturdy) write(_ context.Context, id string, commit func()) error {
	commit()
	s.client.Delete(id)
	return nil
}

func (s *sturdy) close() {}
