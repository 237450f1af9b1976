package main

import (
	"context"
	"time"
)

// cache is what is attacked. Its methods are called concurrently.
type cache interface {
	// read answers with the row of id, from the cache or the origin.
	read(ctx context.Context, id string) (string, error)
	// write calls commit, which changes the row of id, and then invalidates
	// what is cached of it, in the way that the library offers.
	write(ctx context.Context, id string, commit func()) error
	close()
}

// grouped is a cache that can also drop all rows at once without dropping what
// else is cached: by a pattern or a tag.
type grouped interface {
	writeGroup(ctx context.Context, commit func()) error
}

// rival is one row of the table.
type rival struct {
	name string
	// module is the library's path, by which its version is found in the
	// program itself.
	module string
	// invalidation says in a few words what a write does.
	invalidation string
	build        func(o *origin, redisAddr string) (cache, error)
}

const (
	ginModule       = "github.com/chenyahui/gin-cache"
	fiberModule     = "github.com/gofiber/fiber/v3"
	sturdycModule   = "github.com/viccon/sturdyc"
	ristrettoModule = "github.com/dgraph-io/ristretto/v2"
	redisModule     = "github.com/redis/go-redis/v9"
	freshetModule   = "github.com/freshet-dev/freshet"
)

// rivals returns the rows in the order of the table.
func rivals() []rival {
	return []rival{
		{"go-redis, cache-aside", redisModule, "DEL key", newAside},
		{"go-redis, SCAN and delete", redisModule, "SCAN MATCH pattern, DEL", newScan},
		{"go-redis, tag sets", redisModule, "SMEMBERS tag, DEL", newTagSets},
		{"ristretto and go-redis", ristrettoModule, "DEL key, Del", newRistretto},
		{"sturdyc", sturdycModule, "Delete", newSturdyc},
		{"gin-cache on Redis", ginModule, "Delete of its store", newGin},
		{"fiber's cache", fiberModule, "CacheInvalidator", newFiber},
		{"freshet, memstore", freshetModule, "rule of the PUT route", newFreshetMemory},
		{"freshet, redisstore", freshetModule, "rule of the PUT route", newFreshetRedis},
	}
}

// ttl outlives the attack, so that nothing becomes fresh by waiting.
const ttl = time.Hour
