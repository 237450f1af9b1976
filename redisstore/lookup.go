package redisstore

import (
	"context"
	"time"

	"github.com/redis/rueidis"

	"github.com/freshet-dev/freshet"
	"github.com/freshet-dev/freshet/internal/ban"
	"github.com/freshet-dev/freshet/internal/envelope"
)

// Lookup implements [freshet.Store]. Of a healthy Redis it costs one MGET, and
// another call whenever somebody has invalidated a tag or a pattern since the
// last one.
//
//  1. the entry and the control record are read, together
//  2. the replica of tb is brought up to the record's banVersion
//  3. the entry is judged by the replica
//
// An invalidation that returned before 1 is in the record, so after 2 in the
// replica, so 3 sees it. One that runs later than 1 may be seen, too: it then
// costs a hit that would have been allowed, never the other way round. The
// stamp is the record's, from before any load that it is used for. All of it is
// done again when it may have met another server, see fence.go.
func (s *Store) Lookup(ctx context.Context, ref freshet.Ref) (freshet.Found, error) {
	ctx, client, err := s.begin(ctx)
	if err != nil {
		return freshet.Found{}, err
	}
	at := s.layout.place(ref)
	if err := s.absent.check(at.part); err != nil {
		return freshet.Found{}, err
	}
	var found freshet.Found
	err = s.vouched(ctx, client, at.part, func() (err error) {
		found, err = at.lookup(ctx, client, ref)
		return err
	})
	switch {
	case moving(err):
		return unsettled(), nil
	case err != nil:
		return freshet.Found{}, s.absent.heard(ctx, at.part, err)
	}
	return found, nil
}

// lookup makes one attempt at a lookup.
func (p place) lookup(ctx context.Context, client rueidis.Client, ref freshet.Ref) (freshet.Found, error) {
	values, err := client.Do(ctx, p.read(client)).ToArray()
	if moving(err) {
		values, err = p.readEach(ctx, client)
	}
	if err != nil {
		return freshet.Found{}, failed("look-up", err)
	}
	text, _ := values[1].ToString()
	// What is no record names incarnation 0, which nobody has: it is repaired.
	c, _ := parseControl(text)
	known, c, err := p.part.catchUp(ctx, client, c)
	if err != nil {
		return freshet.Found{}, failed("synchronising invalidations", err)
	}
	if err := known.settled(c); err != nil {
		return freshet.Found{}, failed("look-up", err)
	}
	return judge(ref, values, known, c), nil
}

// read builds the command of a lookup.
func (p place) read(c rueidis.Client) rueidis.Completed {
	if p.marker == "" {
		return c.B().Mget().Key(p.entry, p.part.control).Build()
	}
	return c.B().Mget().Key(p.entry, p.part.control, p.marker).Build()
}

// judge decides on what a lookup has read.
func judge(ref freshet.Ref, values []rueidis.RedisMessage, known *replica, c control) freshet.Found {
	found := freshet.Found{Stamp: c.stamp()}
	if values[0].IsNil() {
		return found
	}
	stored, _ := values[0].ToString() // not a copy, nor is what Decode returns
	r, err := envelope.Decode(stored)
	if err != nil {
		found.Reason = freshet.Unreadable
		return found
	}
	soft, _ := known.soft.Since(ref.Key, r.Tags, r.Version)
	member, _, lost := known.since(ref.Key, r.Tags, r.Version)
	switch {
	case r.Incarnation != c.incarnation || lost:
		found.Reason = freshet.Outdated
	case member != "":
		found.Reason = reason(member)
	case ref.Variant != "" && !current(values[2], stored):
		found.Reason = freshet.BannedKey
	default:
		found.Entry = entry(&r)
		if soft != "" {
			found.Reason = reason(soft)
		}
	}
	return found
}

func reason(member string) freshet.Reason {
	switch {
	case member == ban.All:
		return freshet.BannedAll
	case member[0] == 'k': // softly: other bans of keys are not in the replica
		return freshet.BannedKey
	case member[0] == 't':
		return freshet.BannedTag
	default:
		return freshet.BannedMatch
	}
}

// current reports whether a variant is of the generation that the marker names.
// The marker goes with the key's invalidation; the next one has another name.
func current(marker rueidis.RedisMessage, stored string) bool {
	text, err := marker.ToString()
	return err == nil && len(text) > 16 && text[:16] == hex16(envelope.Group(stored))
}

func entry(r *envelope.Record) *freshet.Entry {
	return &freshet.Entry{
		Identity: r.Identity,
		Stamp:    freshet.Stamp{Incarnation: r.Incarnation, Version: freshet.Version(r.Version)},
		Loaded:   time.UnixMicro(r.Loaded),
		TTL:      time.Duration(r.TTL) * time.Microsecond,
		Fresh:    time.Duration(r.Fresh) * time.Microsecond,
		Age:      time.Duration(r.Age) * time.Microsecond,
		Took:     time.Duration(r.Took) * time.Microsecond,
		Tags:     r.Tags,
		Status:   r.Status,
		Header:   r.Header,
		Body:     r.Body,
	}
}
