package redisstore

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/redis/rueidis"

	"github.com/freshet-dev/freshet"
	"github.com/freshet-dev/freshet/internal/ban"
)

// Bans of keys only fence fills that are late, so they are kept for minutes; a
// load that takes longer is refused by the floor. Bans of tags and patterns, and
// soft ones of anything, are kept as long as there may be entries older than they
// are. Of either there are at most mostBans: then the oldest go, and with them what
// they covered.
const (
	keyBansKept = 5 * time.Minute
	mostBans    = 100_000
)

// batch collects what one call of invalidate.lua is to ban.
type batch struct {
	keys          []string // entry, marker and lease of each key
	bans, keyBans []string // fence and member of each, for tb and kb
	records       records
}

// key bans a key. A soft ban leaves its entry, which is then judged by it as by that of
// a tag; so it is kept where those are, and as long.
func (b *batch) key(at place, t freshet.Target) {
	if t.Soft {
		b.ban(t)
		return
	}
	b.keys = append(b.keys, at.entry, at.entry+markerSuffix, at.lease())
	b.keyBans = append(b.keyBans, micros(t.Fence), at.member())
}

func (b *batch) ban(t freshet.Target) {
	if t.Soft {
		b.bans = append(b.bans, "0", ban.Soft(t.Member())) // it has no fence
		return
	}
	b.bans = append(b.bans, micros(t.Fence), t.Member())
}

// Invalidate implements [freshet.Store]. It costs one call per partition: one
// for standalone and Sentinel, where all targets go at once or not at all. In a
// Cluster keys go to their own partitions, everything else to all; the error
// then names those that have not answered.
//
// Entries of named keys are gone from Redis when it returns. Those that a tag,
// a pattern or All covers are no longer served, and are removed in background. Those
// that only soft targets cover stay, until something replaces them or their TTL ends.
func (s *Store) Invalidate(ctx context.Context, targets []freshet.Target) (freshet.Version, error) {
	return s.invalidate(ctx, targets, s.layout.parts[0], records{})
}

// invalidate also makes changes to what is on record in home: in the same step
// where the targets are in that partition only, and otherwise when all partitions
// have answered, since a record must outlast what it is a record of.
func (s *Store) invalidate(ctx context.Context, targets []freshet.Target, home *partition, r records) (freshet.Version, error) {
	ctx, client, err := s.beginAmple(ctx)
	if err != nil {
		return 0, err
	}
	batches, sweep := s.split(targets)
	if b := batches[home]; b != nil && len(batches) == 1 {
		b.records, r = r, records{}
	}
	var (
		calls   []invocation
		newest  freshet.Version
		errs    []error
		missing []*partition
	)
	miss := func(p *partition, err error) {
		if len(s.layout.parts) > 1 {
			err = fmt.Errorf("partition %q: %w", p.prefix, err)
		}
		errs, missing = append(errs, err), append(missing, p)
	}
	for _, p := range s.layout.parts {
		switch b := batches[p]; {
		case b == nil:
		case p.absent.Load():
			miss(p, errAbsent)
		default:
			calls = append(calls, s.call(p, b))
		}
	}
	if s.settings.replay {
		if err := s.remember(ctx, client, targets, calls); err != nil {
			return 0, err
		}
	}
	for i, a := range s.deliverTurned(ctx, client, calls) {
		version, err := a.version()
		if err != nil {
			miss(calls[i].part, s.absent.heard(ctx, calls[i].part, err))
		}
		newest = max(newest, version)
	}
	if len(errs) > 0 {
		return 0, s.absent.left(failed("invalidate", errors.Join(errs...)), targets, missing)
	}
	// After the call: it may have begun an incarnation, which then lacks no fence.
	s.layout.birth.fenced(longestFence(targets).Microseconds())
	if sweep {
		s.sweeps.request()
	}
	if !r.empty() {
		if err := s.strike(ctx, home, r); err != nil {
			// What was asked for is done. The record falls due, which costs misses.
			s.log.Debug("freshet: a record could not be taken away; it falls due", "error", err)
		}
	}
	return newest, nil
}

// strike makes changes to what is on record in home, when all that is left is to take
// something away. That is worth no more waiting than a lookup: home may have fallen
// silent since the record was made, and the invalidation is in other partitions.
func (s *Store) strike(ctx context.Context, home *partition, r records) error {
	if err := s.absent.check(home); err != nil {
		return err
	}
	ctx, client, err := s.begin(ctx)
	if err != nil {
		return err
	}
	return s.absent.heard(ctx, home, recordScript.run(ctx, client, home.record(r)).Error())
}

// split sorts targets by partition. sweep reports whether some of them make entries
// unservable that are not named.
func (s *Store) split(targets []freshet.Target) (batches map[*partition]*batch, sweep bool) {
	batches = make(map[*partition]*batch, len(s.layout.parts))
	in := func(p *partition) *batch {
		if batches[p] == nil {
			batches[p] = new(batch)
		}
		return batches[p]
	}
	for _, t := range targets {
		if t.Kind == freshet.TargetKey {
			at := s.layout.place(freshet.Ref{Key: t.Value})
			in(at.part).key(at, t)
			continue
		}
		sweep = sweep || !t.Soft
		for _, p := range s.layout.parts {
			in(p).ban(t)
		}
	}
	return batches, sweep
}

// call builds the call of invalidate.lua.
func (s *Store) call(p *partition, b *batch) invocation {
	args := append(p.birth.args(), b.records.args(p.birth.deadline)...)
	args = append(args, s.layout.wake, micros(s.settings.keyBansKept),
		strconv.Itoa(s.settings.mostBans), strconv.Itoa(len(b.bans)/2))
	args = append(append(args, b.bans...), b.keyBans...)
	return invocation{part: p, keys: b.keys, args: args}
}

// Valid implements [freshet.Store]. It costs one call.
func (s *Store) Valid(ctx context.Context, ref freshet.Ref, tags []string, stamp freshet.Stamp) (bool, error) {
	ctx, client, err := s.begin(ctx)
	if err != nil {
		return false, err
	}
	at := s.layout.place(ref)
	if err := s.absent.check(at.part); err != nil {
		return false, err
	}
	var valid bool
	err = s.vouched(ctx, client, at.part, func() (err error) {
		valid, err = at.valid(ctx, client, ref, tags, stamp)
		return err
	})
	if moving(err) {
		return false, nil
	}
	return valid && err == nil, s.absent.heard(ctx, at.part, err)
}

// valid makes one attempt at validating.
func (p place) valid(ctx context.Context, client rueidis.Client, ref freshet.Ref, tags []string, stamp freshet.Stamp) (bool, error) {
	reply, err := validScript.run(ctx, client, invocation{
		part: p.part, args: []string{hex16(stamp.Incarnation), p.member()},
	}).ToAny()
	parts, ok := reply.([]any)
	switch {
	case ok && len(parts) == 2:
	case err == nil || rueidis.IsRedisNil(err):
		return false, nil // the incarnation is gone
	default:
		return false, failed("validate", err)
	}
	text, _ := parts[0].(string)
	c, _ := parseControl(text)
	score, _ := parts[1].(string)
	banned, err := strconv.ParseUint(score, 10, 64)
	if err != nil {
		return false, failed("validate", errReply)
	}
	known, c, err := p.part.catchUp(ctx, client, c)
	if err != nil {
		return false, failed("synchronising invalidations", err)
	}
	version := uint64(stamp.Version)
	// Inside a fence a load may be shared: who comes then would read no newer data
	// himself. Behind it he would. Asked before since reads the floor, as in refuses.
	fence, ends := known.fences.Since(ref.Key, tags, version)
	past := fence != "" && ends <= c.version
	// What is softly banned may be served as stale, but is no answer to who loads it anew.
	soft, _ := known.soft.Since(ref.Key, tags, version)
	member, _, lost := known.since(ref.Key, tags, version)
	return c.incarnation == stamp.Incarnation && version >= max(c.keyFloor, banned) &&
		member == "" && soft == "" && !lost && !past, nil
}
