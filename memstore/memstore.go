// Package memstore keeps a cache's entries in the memory of one process. It is
// the store that is used when no Redis is configured, and the reference for the
// freshness protocol of docs/protocol.md: what the Redis store does with scripts
// stands here in plain Go.
//
// Memory is bounded by weight. Entries that an invalidation by tag, pattern or
// clear has made unservable are removed when they are next looked up, when their
// TTL ends or when their room is needed, whichever is first. There is no sweep
// in the background to free them sooner, because the bound holds with or
// without them.
package memstore

import (
	"context"
	"fmt"
	"log/slog"
	"math"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/maypok86/otter/v2"

	"github.com/freshet-dev/freshet"
	"github.com/freshet-dev/freshet/internal/ban"
)

// Options are the settings of a Store.
type Options struct {
	// MaxBytes bounds the memory of all entries: body, header, tags and key of
	// each, plus about 400 bytes for what holds them. The least useful entries
	// make room for new ones. Zero means 256 MiB; the smallest is 64 KiB.
	//
	// An entry of more than an eighth of it is not stored
	// ([freshet.TooLarge]): it would push out too many others.
	MaxBytes int64
}

const (
	defaultMaxBytes = 256 << 20
	leastMaxBytes   = 64 << 10
	largestShare    = 8 // one entry takes at most MaxBytes/largestShare

	// maxVariants is how many variants of one key are kept, so that a client
	// that makes up query parameters cannot fill the store with one key.
	maxVariants = 1000

	// bansKept bounds each of the histories. fence is how long a load may
	// take before its fill is refused for want of history. longestKept bounds
	// how long history is kept for the sake of entries with an absurd TTL.
	bansKept    = 100_000
	fence       = 5 * time.Minute
	longestKept = 100 * 365 * 24 * time.Hour
	// fenceStep is by how much later than asked a fence may end, in microseconds.
	fenceStep = 1000
)

// Store is a [freshet.Store] in the memory of this process.
type Store struct {
	maxBytes    int64
	incarnation uint64
	cache       *otter.Cache[freshet.Ref, *item]

	// mu makes Invalidate and Fill one step each: no invalidation can come
	// between a fill's checks and its store. Lookups do not take it, but for
	// one that meets an invalidation half done.
	mu sync.Mutex
	// version is that of the last invalidation. It is published after the bans
	// of that version are in place and before their keys are removed.
	version atomic.Uint64
	// keys holds the bans of single keys, rest those of tags, globs and all.
	// They are apart because they are needed for different times: an entry
	// whose key is invalidated is removed at once, so its ban only has to
	// outlast the loads in flight; the others have to outlast the entries.
	//
	// What is forgotten of keys fails the fills that it could have fenced, what
	// is forgotten of rest fails the entries too (see ban.Map.Floor).
	keys, rest ban.Map
	// soft holds the soft bans of all kinds. The entries stay, those of keys too, so
	// they are needed as long as rest.
	soft ban.Map
	// fences are like bans, but of versions to come: what is loaded under a smaller
	// stamp is not stored. fenced is the last of those versions; up to it, the
	// version follows the clock, see stamp.
	fences ban.Map
	fenced atomic.Uint64

	bansKept int
	fence    time.Duration
	// longest is the longest TTL ever filled; guarded by mu.
	longest time.Duration
}

// New returns an empty store. o may be nil and is not kept.
func New(o *Options) (*Store, error) {
	maxBytes := int64(defaultMaxBytes)
	if o != nil && o.MaxBytes != 0 {
		maxBytes = o.MaxBytes
	}
	if maxBytes < leastMaxBytes {
		return nil, fmt.Errorf("freshet: memstore: MaxBytes is %d: use at least %d, or 0 for %d",
			maxBytes, leastMaxBytes, defaultMaxBytes)
	}
	cache, err := otter.New(&otter.Options[freshet.Ref, *item]{
		MaximumWeight:    uint64(maxBytes),
		Weigher:          func(_ freshet.Ref, it *item) uint32 { return it.weight },
		ExpiryCalculator: otter.ExpiryWritingFunc(timeLeft),
		OnAtomicDeletion: leave,
	})
	if err != nil {
		return nil, fmt.Errorf("freshet: memstore: %w", err)
	}
	s := &Store{
		maxBytes: maxBytes, incarnation: rand.Uint64(), cache: cache,
		bansKept: bansKept, fence: fence,
	}
	s.version.Store(uint64(time.Now().UnixMicro()))
	return s, nil
}

// Open opens a store with the default options. It is a [freshet.Opener] that
// never fails: memory is always there.
func Open(context.Context, *slog.Logger) (freshet.Store, error) { return New(nil) }

// String says what the store is and how much it holds: "memory, at most 256 MiB".
func (s *Store) String() string { return "memory, at most " + size(s.maxBytes) }

func size(n int64) string {
	for _, unit := range []struct {
		bytes int64
		name  string
	}{{1 << 30, "GiB"}, {1 << 20, "MiB"}, {1 << 10, "KiB"}} {
		if n%unit.bytes == 0 {
			return fmt.Sprintf("%d %s", n/unit.bytes, unit.name)
		}
	}
	return fmt.Sprintf("%d bytes", n)
}

// Close stops the clean-up of expired entries. It never fails.
func (s *Store) Close() error {
	s.cache.StopAllGoroutines()
	return nil
}

// stamp returns the stamp of a load that begins now. While there is a fence the
// version has to grow without invalidations, or the fence would never end.
func (s *Store) stamp() freshet.Stamp {
	version := s.version.Load()
	if version < s.fenced.Load() {
		version = s.follow()
	}
	return freshet.Stamp{Incarnation: s.incarnation, Version: freshet.Version(version)}
}

// follow sets the version to the clock, in steps of fenceStep, and returns it. It
// waits for an invalidation that is under way: its version may be published only
// after its bans.
func (s *Store) follow() uint64 {
	version, now := s.version.Load(), uint64(time.Now().UnixMicro())
	if now < version+fenceStep {
		return version
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.version.Store(max(s.version.Load(), now))
	return s.version.Load()
}

// largest is the weight of the largest entry that is stored.
func (s *Store) largest() int64 { return min(s.maxBytes/largestShare, math.MaxUint32) }
