package main

import (
	"context"
	"errors"

	"github.com/dgraph-io/ristretto/v2"
	"github.com/redis/go-redis/v9"
)

// aside is the pattern that most documentation of Redis shows: GET, on a miss
// load and SET, on a write DEL.
type aside struct {
	origin *origin
	client *redis.Client
}

func newAside(o *origin, addr string) (cache, error) { return dial(o, addr), nil }

func dial(o *origin, addr string) *aside {
	return &aside{o, redis.NewClient(&redis.Options{Addr: addr})}
}

// itemKey has a page number, as keys that are dropped by pattern have.
func itemKey(id string) string { return "item:" + id + ":page_1" }

func (a *aside) read(ctx context.Context, id string) (string, error) {
	return a.through(ctx, id, func(row string) error {
		return a.client.Set(ctx, itemKey(id), row, ttl).Err()
	})
}

// through reads from Redis, or loads and has the row stored.
func (a *aside) through(ctx context.Context, id string, store func(row string) error) (string, error) {
	row, err := a.client.Get(ctx, itemKey(id)).Result()
	if !errors.Is(err, redis.Nil) {
		return row, err
	}
	row = a.origin.load(id)
	return row, store(row)
}

func (a *aside) write(ctx context.Context, id string, commit func()) error {
	commit()
	return a.client.Del(ctx, itemKey(id)).Err()
}

func (a *aside) close() { a.client.Close() }

// scan reads as aside does and deletes what matches a pattern.
type scan struct{ *aside }

func newScan(o *origin, addr string) (cache, error) { return &scan{dial(o, addr)}, nil }

func (s *scan) write(ctx context.Context, id string, commit func()) error {
	commit()
	return s.sweep(ctx, "item:"+id+":*")
}

func (s *scan) writeGroup(ctx context.Context, commit func()) error {
	commit()
	return s.sweep(ctx, "item:*")
}

// sweep iterates as go-redis's ScanIterator example does, and deletes each key.
func (s *scan) sweep(ctx context.Context, pattern string) error {
	keys := s.client.Scan(ctx, 0, pattern, 0).Iterator()
	for keys.Next(ctx) {
		if err := s.client.Del(ctx, keys.Val()).Err(); err != nil {
			return err
		}
	}
	return keys.Err()
}

// tagSets keeps, for each tag, a set of the keys that carry it.
type tagSets struct{ *aside }

func newTagSets(o *origin, addr string) (cache, error) { return &tagSets{dial(o, addr)}, nil }

const everyItem = "tag:items"

func (t *tagSets) read(ctx context.Context, id string) (string, error) {
	return t.through(ctx, id, func(row string) error {
		// One transaction, so that no key is ever stored outside its sets: the
		// scheme at its best.
		_, err := t.client.TxPipelined(ctx, func(p redis.Pipeliner) error {
			p.Set(ctx, itemKey(id), row, ttl)
			p.SAdd(ctx, "tag:item:"+id, itemKey(id))
			p.SAdd(ctx, everyItem, itemKey(id))
			return nil
		})
		return err
	})
}

func (t *tagSets) write(ctx context.Context, id string, commit func()) error {
	commit()
	return t.drop(ctx, "tag:item:"+id)
}

func (t *tagSets) writeGroup(ctx context.Context, commit func()) error {
	commit()
	return t.drop(ctx, everyItem)
}

func (t *tagSets) drop(ctx context.Context, tag string) error {
	keys, err := t.client.SMembers(ctx, tag).Result()
	if err != nil {
		return err
	}
	return t.client.Del(ctx, append(keys, tag)...).Err()
}

// tiered has a cache in process in front of aside.
type tiered struct {
	*aside
	near *ristretto.Cache[string, string]
}

func newRistretto(o *origin, addr string) (cache, error) {
	near, err := ristretto.NewCache(&ristretto.Config[string, string]{
		NumCounters: 1e7,
		MaxCost:     1 << 30,
		BufferItems: 64,
	})
	if err != nil {
		return nil, err
	}
	return &tiered{dial(o, addr), near}, nil
}

func (t *tiered) read(ctx context.Context, id string) (string, error) {
	if row, ok := t.near.Get(itemKey(id)); ok {
		return row, nil
	}
	row, err := t.aside.read(ctx, id)
	if err == nil {
		t.near.SetWithTTL(itemKey(id), row, 1, ttl)
	}
	return row, err
}

func (t *tiered) write(ctx context.Context, id string, commit func()) error {
	// Redis first: the other way round, a read in between would bring the old
	// row back from there.
	if err := t.aside.write(ctx, id, commit); err != nil {
		return err
	}
	t.near.Del(itemKey(id))
	return nil
}

func (t *tiered) close() {
	t.near.Close()
	t.aside.close()
}
