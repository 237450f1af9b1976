package memstore

import (
	"context"
	"errors"
	"time"

	"github.com/freshet-dev/freshet"
	"github.com/freshet-dev/freshet/internal/ban"
)

// Fill stores e under ref. Beside what the contract of [freshet.Store] asks, it
// refuses entries that an invalidation by tag, pattern or clear covers
// ([freshet.Fenced]), and those larger than Options.MaxBytes allows
// ([freshet.TooLarge]).
func (s *Store) Fill(ctx context.Context, ref freshet.Ref, stamp freshet.Stamp, e *freshet.Entry) (freshet.Outcome, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	weight := weigh(ref, e)
	if weight > s.largest() {
		return freshet.TooLarge, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if refused := s.refusal(ref.Key, e.Tags, stamp); refused != freshet.Stored {
		return refused, nil
	}
	// Not in refusal, since Valid is not as strict.
	if fence, _ := s.fences.Since(ref.Key, e.Tags, uint64(stamp.Version)); fence != "" {
		return freshet.Fenced, nil
	}
	if uint64(stamp.Version) < s.fences.Floor() { // after Since, see there
		return freshet.Expired, nil
	}
	old, replaces := s.live(ref)
	if replaces && old.entry.Stamp.Version > stamp.Version {
		return freshet.Newer, nil
	}
	it := &item{entry: e, until: deadline(e, time.Now()), weight: uint32(weight)}
	if ref.Variant != "" && !s.join(ref.Key, it, old) {
		return freshet.Crowded, nil
	}
	e.Stamp = stamp
	it.judged.Store(uint64(stamp.Version))
	s.longest = max(s.longest, min(e.TTL, longestKept))
	s.cache.Set(ref, it)
	return freshet.Stored, nil
}

// join makes it a variant of key, in the group of the key's marker or, if there
// is none, in a new one. It reports false when the group is full. old is the
// variant that it is to replace, nil if there is none.
//
// The marker is written before the variant and lives at least as long.
func (s *Store) join(key string, it, old *item) bool {
	m, ok := s.cache.GetIfPresent(marker(key))
	if !ok {
		m = &item{group: new(group)}
	}
	if old == nil && m.group.size.Load() >= maxVariants {
		return false
	}
	if m.until.Before(it.until) {
		s.cache.Set(marker(key), &item{group: m.group, until: it.until, weight: uint32(overhead + len(key))})
	}
	it.group = m.group
	m.group.size.Add(1) // leave subtracts it, and the one that is replaced
	return true
}

// Invalidate bans targets, all under one version. See [Store.Lookup] for why its
// steps stand in this order.
func (s *Store) Invalidate(ctx context.Context, targets []freshet.Target) (freshet.Version, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	version := max(s.version.Load()+1, uint64(time.Now().UnixMicro()))
	var errs []error
	for _, t := range targets {
		errs = append(errs, s.bansOf(t).Add(t.Member(), version))
	}
	for _, t := range targets {
		if t.Fence > 0 && !t.Soft {
			ends := version + uint64(t.Fence.Microseconds())
			errs = append(errs, s.fences.Add(t.Member(), ends))
			s.fenced.Store(max(s.fenced.Load(), ends))
		}
	}
	s.version.Store(version)
	for _, t := range targets {
		if t.Kind == freshet.TargetKey && !t.Soft {
			s.cache.Invalidate(freshet.Ref{Key: t.Value})
			s.cache.Invalidate(marker(t.Value))
		}
	}
	s.forget(&s.keys, version, s.fence)
	s.forget(&s.rest, version, s.fence+s.longest)
	s.forget(&s.soft, version, s.fence+s.longest)
	s.forget(&s.fences, version, s.fence)
	return freshet.Version(version), errors.Join(errs...)
}

func (s *Store) bansOf(t freshet.Target) *ban.Map {
	switch {
	case t.Soft:
		return &s.soft
	case t.Kind == freshet.TargetKey:
		return &s.keys
	default:
		return &s.rest
	}
}

// forget drops the bans from more than keep before now, and the oldest of those
// that are too many. The floor of the map rises with it.
func (s *Store) forget(bans *ban.Map, now uint64, keep time.Duration) {
	if past := uint64(keep.Microseconds()); past < now {
		bans.TrimBefore(now - past)
	}
	bans.Trim(s.bansKept)
}
