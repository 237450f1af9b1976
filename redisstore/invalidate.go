package redisstore

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/redis/rueidis"

	"github.com/freshet-dev/freshet"
)

// Bans of keys only fence fills that are late, so they are kept for minutes; a
// load that takes longer is refused by the floor. Bans of tags and patterns are
// kept as long as there may be entries older than they are. Of either there are
// at most mostBans: then the oldest go, and with them what they covered.
const (
	keyBansKept = 5 * time.Minute
	mostBans    = 100_000
)

// batch collects what one call of invalidate.lua is to ban.
type batch struct {
	keys          []string // entry, marker and lease of each key
	bans, keyBans []string // members of tb and kb
}

// Invalidate implements [freshet.Store]. It costs one call per partition: one
// for standalone and Sentinel, where all targets go at once or not at all. In a
// Cluster keys go to their own partitions, everything else to all; the error
// then names those that have not answered.
//
// Entries of named keys are gone from Redis when it returns. Those that a tag,
// a pattern or All covers are no longer served, and are removed in background.
func (s *Store) Invalidate(ctx context.Context, targets []freshet.Target) (freshet.Version, error) {
	ctx, client, err := s.beginAmple(ctx)
	if err != nil {
		return 0, err
	}
	batches, sweep := s.split(targets)
	var (
		calls   []invocation
		newest  freshet.Version
		errs    []error
		missing []*partition
	)
	miss := func(p *partition, err error) {
		errs, missing = append(errs, fmt.Errorf("partition %q: %w", p.prefix, err)), append(missing, p)
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
	for i, result := range invalidateScript.runAll(ctx, client, calls) {
		version, err := result.AsInt64()
		if err != nil {
			miss(calls[i].part, s.absent.heard(ctx, calls[i].part, err))
		}
		newest = max(newest, freshet.Version(version))
	}
	if len(errs) > 0 {
		return 0, s.absent.left(failed("invalidate", errors.Join(errs...)), targets, missing)
	}
	if sweep {
		s.sweeps.request()
	}
	return newest, nil
}

// split sorts targets by partition. sweep reports whether some of them cover
// entries that are not named.
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
			b := in(at.part)
			b.keys = append(b.keys, at.entry, at.entry+markerSuffix, at.lease())
			b.keyBans = append(b.keyBans, at.member())
			continue
		}
		sweep = true
		for _, p := range s.layout.parts {
			in(p).bans = append(in(p).bans, t.Member())
		}
	}
	return batches, sweep
}

// call builds the call of invalidate.lua.
func (s *Store) call(p *partition, b *batch) invocation {
	args := make([]string, 0, 5+len(b.bans)+len(b.keyBans))
	args = append(args, hex16(newIncarnation()), s.layout.wake, strconv.FormatInt(s.settings.keyBansKept.Microseconds(), 10),
		strconv.Itoa(s.settings.mostBans), strconv.Itoa(len(b.bans)))
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
	member, _, lost := known.since(ref.Key, tags, version)
	return c.incarnation == stamp.Incarnation && version >= max(c.keyFloor, banned) && member == "" && !lost, nil
}
