package memstore

import (
	"sync/atomic"
	"time"

	"github.com/maypok86/otter/v2"

	"github.com/freshet-dev/freshet"
)

// item is what the cache holds under a [freshet.Ref]: an entry, or the marker of
// a key's variants.
type item struct {
	entry  *freshet.Entry // nil in a marker
	group  *group         // of a variant and of a marker
	until  time.Time
	weight uint32
	// judged is the newest version of which it is known that no invalidation up
	// to it covers the entry: at first the stamp it was filled under, then the
	// stamp of its last hit. So an entry that is read often is compared with
	// the few newest bans only, and does not fall under the floor when older
	// ones are trimmed.
	judged atomic.Uint64
}

// group is one generation of a key's variants. The marker of the key and each
// variant point to it; a variant is served only if its group is the marker's.
// Removing the marker therefore drops all variants at once, and losing it (to
// an eviction, to its TTL) does the same: a later marker has another group.
type group struct {
	size atomic.Int64 // variants in the cache
}

// markerVariant is the variant under which the marker of a key's variants is
// kept. Variants are hexadecimal, so it is nobody's.
const markerVariant = "#"

func marker(key string) freshet.Ref { return freshet.Ref{Key: key, Variant: markerVariant} }

// overhead is the memory of an entry beside the bytes that weigh counts: the
// entry and the item, the cache's node for it, its place in the hash table, the
// queues and the timer wheel. TestOverhead measures it: 340 to 355 bytes for
// 30,000 to 140,000 entries, on a 64-bit machine.
const overhead = 400

const (
	fieldSize = 32 // two string headers
	tagSize   = 16
)

// weigh returns the bytes of memory that e takes under ref.
func weigh(ref freshet.Ref, e *freshet.Entry) int64 {
	n := overhead + len(ref.Key) + len(ref.Variant) + len(e.Body)
	for _, f := range e.Header {
		n += fieldSize + len(f.Name) + len(f.Value)
	}
	for _, tag := range e.Tags {
		n += tagSize + len(tag)
	}
	return int64(n)
}

// timeLeft tells the cache when to free an item. Lookups do not rely on it.
func timeLeft(e otter.Entry[freshet.Ref, *item]) time.Duration { return time.Until(e.Value.until) }

// leave takes a variant off its group's count, however it goes: replaced,
// removed, evicted or expired. It runs inside the cache's own step.
func leave(e otter.DeletionEvent[freshet.Ref, *item]) {
	if it := e.Value; it.entry != nil && it.group != nil {
		it.group.size.Add(-1)
	}
}

// deadline returns when e may no longer be served: e.TTL after it was loaded,
// and in no case later than e.TTL from now, lest a clock that was ahead at the
// load keep the entry too long.
func deadline(e *freshet.Entry, now time.Time) time.Time {
	start := now
	if e.Loaded.Before(now) {
		start = e.Loaded
	}
	return start.Add(max(e.TTL, time.Millisecond))
}
