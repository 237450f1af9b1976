package freshet

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"time"
)

// Load returns the value kept under key, or runs load and keeps its result for
// ttl (zero: one hour), as JSON. It gives the guarantees of a wrapped handler:
// one load at a time across processes, and no value from before an invalidation
// that had returned when Load was called. In load, [FromContext] adds tags, sets
// another TTL or keeps the value from being stored. They belong to this value
// alone: a handler that calls Load names its own tags.
//
// key is a literal key, as [Key] takes it. The value's type is part of what it
// is compared by: a value stored as another type is a miss. An error of load is
// returned as it is and nothing is stored; who waited for that load runs load
// itself. Trouble with the store is no error: load is run.
//
// Who waits for the load of another call returns when ctx ends, with its cause.
// The call that runs load stays until load returns; load's own context ends when
// every caller's has.
func Load[T any](ctx context.Context, c *Cache, key string, ttl time.Duration, load func(context.Context) (T, error)) (T, error) {
	l := typed[T]{cache: c, ttl: ttl, load: load}
	if err := l.check(key); err != nil {
		return l.value, err
	}
	if c.options.Disabled || c.auditor.Running(ctx) {
		return load(ctx)
	}
	l.q = query{Ref: Ref{Key: key}, identity: sha256.Sum256(fmt.Appendf(nil, "load 1 %q %s", key, c.types.Of(reflect.TypeFor[T]())))}
	return l.get(ctx)
}

// typed is one call of Load.
type typed[T any] struct {
	cache *Cache
	q     query
	ttl   time.Duration
	load  func(context.Context) (T, error)

	value T
	err   error
}

func (l *typed[T]) check(key string) error {
	if err := Key(key).check(); err != nil {
		return err
	}
	if l.ttl == 0 {
		l.ttl = DefaultTTL
	}
	if l.ttl < time.Millisecond || l.ttl > MaxTTL {
		return fmt.Errorf("freshet: Load %q: ttl %v is out of range: use a millisecond to %v, or 0 for an hour", key, l.ttl, MaxTTL)
	}
	return nil
}

func (l *typed[T]) get(ctx context.Context) (T, error) {
	c, start := l.cache, time.Now()
	found, err := c.look(ctx, &l.q)
	if !found.fresh(start) {
		found.Entry = nil // a value is never served stale
	}
	if err != nil {
		l.q.bypass = trouble(err)
		c.observe(Event{Kind: EventBypass, Key: l.q.Key, Reason: l.q.bypass, Err: err})
	} else if found.Entry == nil {
		c.observe(Event{Kind: EventMiss, Key: l.q.Key, Reason: found.Reason.String(), Elapsed: time.Since(start)})
	}
	if found.Entry == nil {
		a, err := c.share(ctx, &l.q, nil, found, l.run)
		if err != nil {
			return l.value, err
		}
		if a.led {
			return l.value, l.cause(ctx)
		}
		found.Entry = a.entry
	}
	if found.Entry == nil || json.Unmarshal([]byte(found.Entry.Body), &l.value) != nil {
		return l.alone(ctx)
	}
	c.observe(Event{Kind: EventHit, Key: l.q.Key, Elapsed: time.Since(start)})
	return l.value, nil
}

// cause returns the error of a load that this call has led. The load's context
// is not the caller's, so it cannot tell why the caller has given up.
func (l *typed[T]) cause(ctx context.Context) error {
	if errors.Is(l.err, context.Canceled) && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return l.err
}

// alone runs load for this caller only.
func (l *typed[T]) alone(ctx context.Context) (T, error) {
	ctx, control := withControl(ctx)
	defer func() { _, _ = l.cache.drop(ctx, "", nil, control.added()) }()
	return l.load(ctx)
}

// run is the loader: it keeps the value for its caller, and returns it as an
// entry if it may be shared.
func (l *typed[T]) run(ctx context.Context, found Found, _ func()) *Entry {
	ctx, control := withControl(ctx)
	defer func() { _, _ = l.cache.drop(ctx, "", nil, control.added()) }()
	start := time.Now()
	if l.value, l.err = l.load(ctx); l.err != nil {
		return nil
	}
	body, err := json.Marshal(l.value)
	if err != nil {
		l.err = fmt.Errorf("freshet: Load %q: the value cannot be kept as JSON: %w", l.q.Key, err)
		return nil
	}
	if control.refuses() {
		return nil
	}
	ttl := cmp.Or(control.lifetime(), l.ttl)
	e := &Entry{
		Identity: l.q.identity, Stamp: found.Stamp, Loaded: time.Now(), TTL: ttl, Fresh: ttl, Took: time.Since(start),
		Tags: control.allTags(nil), Body: string(body),
	}
	l.cache.keep(ctx, "", &l.q, e, "stored")
	return e
}
