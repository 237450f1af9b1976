package memstore

import (
	"context"
	"strings"
	"time"

	"github.com/maypok86/otter/v2"

	"github.com/freshet-dev/freshet"
	"github.com/freshet-dev/freshet/internal/ban"
)

// Lookup takes these steps:
//
//  1. read the stamp s, and the entry
//  2. judge the entry by the bans
//
// and Invalidate these:
//
//  3. add its bans, all of version v
//  4. publish v
//  5. remove the entries of its keys
//
// When Invalidate has returned before Lookup begins, 2 sees the bans of 3. When
// it has not, s may be older than v: a load under s may read the old data, and
// Fill refuses it by the bans.
//
// 3 comes before 4 and 1 before 2, so that a hit has been judged by all bans up
// to s. Were 4 first, a Lookup could read v and not find the bans of v; the entry
// would count as judged up to v, and be served for the rest of its TTL.
//
// 3 comes before 5, and a Lookup that meets a ban not yet published waits for 4.
// Otherwise a reader could miss one key of an invalidation and then hit another
// whose ban has not been added: it would have seen half of one step.
func (s *Store) Lookup(ctx context.Context, ref freshet.Ref) (freshet.Found, error) {
	if err := ctx.Err(); err != nil {
		return freshet.Found{}, err
	}
	stamp := s.stamp()
	it, ok := s.live(ref)
	if !ok {
		return freshet.Found{Stamp: stamp}, nil
	}
	switch reason, state := s.judge(ref.Key, it, uint64(stamp.Version)); state {
	case dead:
		s.drop(ref, it)
		return freshet.Found{Stamp: s.stamp(), Reason: reason}, nil
	case soft:
		return freshet.Found{Entry: it.entry, Stamp: s.stamp(), Reason: reason}, nil
	default:
		return freshet.Found{Entry: it.entry, Stamp: stamp}, nil
	}
}

// live returns the item of ref unless it has expired or, for a variant, the
// generation it belongs to is over.
func (s *Store) live(ref freshet.Ref) (*item, bool) {
	it, ok := s.cache.GetIfPresent(ref)
	// The cache's own clock decides when memory is freed; ours decides what is served.
	if !ok || time.Until(it.until) <= 0 {
		return nil, false
	}
	if ref.Variant != "" {
		m, ok := s.cache.GetIfPresent(marker(ref.Key))
		if !ok || m.group != it.group {
			return nil, false
		}
	}
	return it, true
}

// state is what the invalidations since its load have made of an item.
type state uint8

const (
	alive state = iota
	soft        // an invalidation covers it, but only softly
	dead        // another one does, or may do so because the history is incomplete
)

// judge returns what the invalidations up to stamp have made of it, and by which.
func (s *Store) judge(key string, it *item, stamp uint64) (freshet.Reason, state) {
	judged := it.judged.Load()
	softly, softlyAt := s.soft.Since(key, it.entry.Tags, judged)
	// Keys are removed by Invalidate itself, so what was forgotten about them
	// does not matter here; only those on the point of being removed do.
	member, at := s.keys.Since(key, nil, judged)
	if member == "" {
		member, at = s.rest.Since(key, it.entry.Tags, judged)
	}
	if max(at, softlyAt) > stamp {
		s.settle()
	}
	switch {
	case member != "":
		return reasonOf(member), dead
	case judged < max(s.rest.Floor(), s.soft.Floor()): // after Since, see there
		return freshet.Outdated, dead
	case softly != "":
		// Judged stays where it is: the next lookup has to find the ban again.
		return reasonOf(softly), soft
	case judged < stamp:
		it.judged.Store(stamp)
	}
	return freshet.Absent, alive
}

// settle waits until the invalidation that is under way has been published.
func (s *Store) settle() {
	s.mu.Lock()
	defer s.mu.Unlock()
}

func reasonOf(member string) freshet.Reason {
	switch {
	case member == ban.All:
		return freshet.BannedAll
	case strings.HasPrefix(member, ban.Key("")):
		return freshet.BannedKey
	case strings.HasPrefix(member, ban.Tag("")):
		return freshet.BannedTag
	default:
		return freshet.BannedMatch
	}
}

// drop removes it from the cache, unless another item has taken its place.
func (s *Store) drop(ref freshet.Ref, it *item) {
	s.cache.ComputeIfPresent(ref, func(now *item) (*item, otter.ComputeOp) {
		if now == it {
			return nil, otter.InvalidateOp
		}
		return now, otter.CancelOp
	})
}

// Valid reports whether what was loaded under stamp may still be answered. A load
// from inside a fence may be shared inside: those who come then would read no newer
// data themselves. Behind the fence they would, and it may not. Where fences overlap,
// inside is up to the end of the last. What is softly banned may be served as stale,
// but is no answer to who loads it anew.
func (s *Store) Valid(ctx context.Context, ref freshet.Ref, tags []string, stamp freshet.Stamp) (bool, error) {
	if err := ctx.Err(); err != nil {
		return false, err
	}
	softly, _ := s.soft.Since(ref.Key, tags, uint64(stamp.Version))
	if softly != "" || s.refusal(ref.Key, tags, stamp) != freshet.Stored {
		return false, nil
	}
	fence, ends := s.fences.Since(ref.Key, tags, uint64(stamp.Version))
	if fence == "" {
		return uint64(stamp.Version) >= s.fences.Floor(), nil
	}
	return ends > uint64(s.stamp().Version), nil
}

// refusal says why a load under stamp is not to be stored, or Stored if it is. A soft
// ban is no reason: lookups judge the entry by it.
func (s *Store) refusal(key string, tags []string, stamp freshet.Stamp) freshet.Outcome {
	if stamp.Incarnation != s.incarnation {
		return freshet.Expired
	}
	since := uint64(stamp.Version)
	byKey, _ := s.keys.Since(key, nil, since)
	byRest, _ := s.rest.Since(key, tags, since)
	switch {
	case byKey != "" || byRest != "":
		return freshet.Fenced
	case since < max(s.keys.Floor(), s.rest.Floor(), s.soft.Floor()):
		return freshet.Expired
	default:
		return freshet.Stored
	}
}
