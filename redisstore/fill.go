package redisstore

import (
	"context"
	"errors"
	"math/rand/v2"
	"strconv"
	"time"

	"github.com/redis/rueidis"

	"github.com/freshet-dev/freshet"
	"github.com/freshet-dev/freshet/internal/envelope"
)

// mostVariants is how many variants of a key are kept. Variants that expire
// while others are filled go on counting; once the number is reached nothing is
// filled, so that the marker expires with the last of them and counting starts
// again.
const mostVariants = 1000

// Fill implements [freshet.Store]. It costs one call, and none when this process
// knows already that e is covered.
func (s *Store) Fill(ctx context.Context, ref freshet.Ref, stamp freshet.Stamp, e *freshet.Entry) (freshet.Outcome, error) {
	ctx, client, err := s.begin(ctx)
	if err != nil {
		return freshet.Expired, err
	}
	e.Stamp = stamp
	at := s.layout.place(ref)
	if err := s.absent.check(at.part); err != nil {
		return freshet.Expired, err
	}
	if outcome := at.part.refuses(ref, stamp, e.Tags); outcome != freshet.Stored {
		return outcome, nil
	}
	bytes, err := envelope.Append(nil, record(e))
	switch {
	case errors.Is(err, envelope.ErrTooLarge):
		return freshet.TooLarge, nil
	case err != nil:
		return freshet.Expired, err
	}
	code, err := fillScript.run(ctx, client, at.fill(stamp, rueidis.BinaryString(bytes), timeLeft(e, time.Now()))).ToString()
	switch {
	case moving(err):
		return freshet.Expired, nil
	case err != nil:
		return freshet.Expired, s.absent.heard(ctx, at.part, failed("fill", err))
	}
	return s.outcome(ctx, client, at.part, code)
}

// refuses returns what the replica knows about a fill: Stored if nothing.
func (p *partition) refuses(ref freshet.Ref, stamp freshet.Stamp, tags []string) freshet.Outcome {
	known := p.known.Load()
	if known.incarnation != stamp.Incarnation {
		return freshet.Stored // either may be the newer: the script tells
	}
	// The floor, which since reads, is that of fences too: they are asked before.
	fence, _ := known.fences.Since(ref.Key, tags, uint64(stamp.Version))
	member, _, lost := known.since(ref.Key, tags, uint64(stamp.Version))
	switch {
	case lost:
		return freshet.Expired
	case member != "" || fence != "":
		return freshet.Fenced
	default:
		return freshet.Stored
	}
}

// fill builds the call of fill.lua.
func (p place) fill(stamp freshet.Stamp, value string, ttl time.Duration) invocation {
	call := invocation{
		part: p.part,
		keys: []string{p.entry},
		args: []string{
			hex16(stamp.Incarnation), strconv.FormatUint(uint64(stamp.Version), 10), p.member(),
			value, strconv.FormatInt(ttl.Milliseconds(), 10),
		},
	}
	if p.marker != "" {
		call.keys = append(call.keys, p.marker)
		call.args = append(call.args, hex16(rand.Uint64()), strconv.Itoa(mostVariants))
	}
	return call
}

// outcome translates the result of fill.lua.
func (s *Store) outcome(ctx context.Context, client rueidis.Client, p *partition, code string) (freshet.Outcome, error) {
	switch code {
	case "stored":
		return freshet.Stored, nil
	case "fenced":
		return freshet.Fenced, nil
	case "newer":
		return freshet.Newer, nil
	case "crowded":
		return freshet.Crowded, nil
	case "lost":
		// Lookups read the control record alone and would not notice: without
		// this, nothing could be filled until the next invalidation.
		err := s.vouched(ctx, client, p, func() error { return p.repair(ctx, client) })
		if err != nil {
			return freshet.Expired, failed("repairing lost metadata", err)
		}
	}
	return freshet.Expired, nil
}

// timeLeft returns how long e may be stored: until its TTL after it was loaded,
// and in no case longer than its TTL from now, lest a clock that was ahead at
// the load keep it too long.
func timeLeft(e *freshet.Entry, now time.Time) time.Duration {
	left := e.TTL - max(0, now.Sub(e.Loaded))
	return max(min(left, e.TTL), time.Millisecond)
}

func record(e *freshet.Entry) *envelope.Record {
	return &envelope.Record{
		Identity:    e.Identity,
		Incarnation: e.Stamp.Incarnation,
		Version:     uint64(e.Stamp.Version),
		Loaded:      e.Loaded.UnixMicro(),
		TTL:         e.TTL.Microseconds(),
		Fresh:       e.Fresh.Microseconds(),
		Age:         e.Age.Microseconds(),
		Took:        e.Took.Microseconds(),
		Tags:        e.Tags,
		Status:      e.Status,
		Header:      e.Header,
		Body:        e.Body,
	}
}
