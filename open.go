package freshet

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"

	"github.com/freshet-dev/freshet/internal/env"
)

// The variables that are about the cache itself. Those about a store are its own.
const (
	enabledVariable = "REDIS_CACHE_ENABLED"
	refuseVariable  = "REDIS_CACHE_REFUSE_WRITES"
)

// ErrNoRedis says that there is no Redis here: none is configured, or the
// cache's store is another one. It is what the direct client answers then.
var ErrNoRedis = errors.New("freshet: no Redis: set REDIS_CACHE_URL or REDIS_CACHE_HOST to use one")

// Opener opens a store by the settings in the environment. An error that is
// [ErrNoRedis] says that the environment does not ask for this kind of store.
// redisstore.FromEnv and memstore.Open are openers.
type Opener func(ctx context.Context, log *slog.Logger) (Store, error)

// Open returns a cache on the first of the stores that the environment
// configures, and logs in one line which it is. The usual call is
//
//	freshet.Open(ctx, nil, redisstore.FromEnv, memstore.Open)
//
// It is on Redis when a REDIS_CACHE_ variable names one and in process
// otherwise. REDIS_CACHE_ENABLED=false switches caching off: every request
// reaches its handler, and no store is opened. REDIS_CACHE_REFUSE_WRITES, where it
// is set, goes before Options.RefuseWrites. A setting that cannot be used is an
// error; a Redis that cannot be reached is not, the cache then works without it and
// connects in the background.
func Open(ctx context.Context, o *Options, openers ...Opener) (*Cache, error) {
	if o == nil {
		o = &Options{}
	}
	log := o.logger()
	on, err := env.Flag(enabledVariable, os.Getenv(enabledVariable), true)
	refuse, bad := env.Flag(refuseVariable, os.Getenv(refuseVariable), o.RefuseWrites)
	if err := errors.Join(err, bad); err != nil {
		return nil, err
	}
	settings := *o
	settings.RefuseWrites = refuse
	if !on || o.Disabled {
		log.Info("freshet: caching is switched off")
		settings.Disabled = true
		return New(nil, &settings)
	}
	for _, open := range openers {
		store, err := open(ctx, log)
		if errors.Is(err, ErrNoRedis) {
			continue
		}
		if err != nil {
			return nil, err
		}
		cache, err := New(store, &settings)
		if err != nil {
			return nil, errors.Join(err, store.Close()) // nobody else has it
		}
		log.Info("freshet: caching", "store", describe(store))
		return cache, nil
	}
	return nil, ErrNoRedis
}

// describe returns what a store says of itself. The fields of one that says
// nothing are not for the log: there may be a password among them.
func describe(store Store) string {
	if s, ok := store.(fmt.Stringer); ok {
		return s.String()
	}
	return fmt.Sprintf("%T", store)
}
