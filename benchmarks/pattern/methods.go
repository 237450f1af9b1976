package main

import (
	"context"

	"github.com/freshet-dev/freshet"
)

// method is a way to make everything that a pattern matches unservable.
type method struct {
	name string
	drop func(ctx context.Context, s *subject, pattern string) error
	// sweeps says that memory is freed in background afterwards.
	sweeps bool
}

var methods = []method{
	{"freshet, Invalidate", func(ctx context.Context, s *subject, pattern string) error {
		_, err := s.cache.Invalidate(ctx, freshet.Match(pattern))
		return err
	}, true},
	{"SCAN COUNT 1000, UNLINK", scan(1000), false},
	{"SCAN COUNT 10, UNLINK", scan(10), false},
	{"KEYS, UNLINK", func(ctx context.Context, s *subject, pattern string) error {
		keys, err := s.client.Keys(ctx, pattern).Result()
		if err != nil || len(keys) == 0 {
			return err
		}
		return s.client.Unlink(ctx, keys...).Err()
	}, false},
}

// scan iterates as go-redis's ScanIterator example does. 10 is the count of a SCAN
// that names none.
func scan(count int64) func(context.Context, *subject, string) error {
	return func(ctx context.Context, s *subject, pattern string) error {
		keys := s.client.Scan(ctx, 0, pattern, count).Iterator()
		for keys.Next(ctx) {
			if err := s.client.Unlink(ctx, keys.Val()).Err(); err != nil {
				return err
			}
		}
		return keys.Err()
	}
}
