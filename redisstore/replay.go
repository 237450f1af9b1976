package redisstore

import (
	"context"
	"maps"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/redis/rueidis"

	"github.com/freshet-dev/freshet"
)

// With AfterFailover "replay", entries outlive a failover. What a replica lacks
// when it is promoted are the last invalidations, and each was made by some
// process that remembers it: so each process that finds another server delivers
// once more what it has invalidated lately, before it reads from there. Repeating
// is harmless; all processes together bring everything back that was lost.
//
// Each has to notice for itself. The record tells whether anybody has begun a new
// incarnation on this server, and not who has replayed, so a process compares the
// server with the one on which it was itself before. All partitions are asked, and
// those that no lookup has asked for, too: what this process has to replay keeps
// others from being stale.
//
// It cannot be as good as a new incarnation. Until a process has noticed, which
// takes about a second, others on the new server serve what it has invalidated;
// and nobody replays for one that has died. Nor does anybody remember what an old
// snapshot lacks: so a server that has been up for less time than has passed since
// the last sight of the old one begins anew, and so does a process that was on no
// server before.
const (
	// journalKept is how long invalidations are remembered at the least, counted
	// while the server that took them answers: the lag of a replica is shorter.
	journalKept = time.Minute
	// Beyond mostRemembered a journal remembers that everything was invalidated.
	mostRemembered = 10_000
	replayCount    = 500 // targets in one call
)

// journal is what this process has invalidated lately.
type journal struct {
	mu         sync.Mutex
	young, old map[freshet.Target]struct{} // each holds half of the most
	turned     time.Time
}

func (j *journal) add(targets []freshet.Target) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.young == nil {
		j.young, j.turned = make(map[freshet.Target]struct{}), time.Now()
	}
	for _, t := range targets {
		j.young[t] = struct{}{}
	}
	if len(j.young) > mostRemembered/2 {
		all := freshet.All().FenceFor(longestFence(slices.Collect(maps.Keys(j.young))))
		j.young = map[freshet.Target]struct{}{all: {}}
	}
}

// age forgets what is old enough.
func (j *journal) age(now time.Time) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if now.Sub(j.turned) >= journalKept {
		j.old, j.young, j.turned = j.young, make(map[freshet.Target]struct{}), now
	}
}

func (j *journal) targets() []freshet.Target {
	j.mu.Lock()
	defer j.mu.Unlock()
	all := make([]freshet.Target, 0, len(j.young)+len(j.old))
	for _, half := range []map[freshet.Target]struct{}{j.young, j.old} {
		for t := range half {
			all = append(all, t)
		}
	}
	return all
}

// sighting is on which server a partition was, and when.
type sighting struct {
	server string
	at     time.Time
}

// remember puts targets down before they are invalidated in the partitions of
// calls, which have been on the server that the journal is about by then.
func (s *Store) remember(ctx context.Context, client rueidis.Client, targets []freshet.Target, calls []invocation) error {
	s.journal.add(targets)
	for _, call := range calls {
		if p := call.part; p.vouchedFor.Load() != p.uses.Load() || p.seen.Load() == nil {
			if err := s.vouch(ctx, client, p); err != nil {
				return failed("asking which server this is", err)
			}
		}
	}
	return nil
}

// whereabouts reads the reply of where.lua.
func whereabouts(r rueidis.RedisResult) (server string, up time.Duration, err error) {
	reply, err := r.AsStrSlice()
	if err == nil && len(reply) != 2 {
		err = errReply
	}
	if err != nil {
		return "", 0, err
	}
	// Redis counts by full seconds of its clock, and so up to one too many.
	seconds, err := strconv.ParseInt(reply[1], 10, 64)
	return reply[0], time.Duration(seconds-1) * time.Second, err
}

// rejoin makes sure that the server has all that this process has invalidated. The
// caller holds the token of p.syncing.
func (s *Store) rejoin(ctx context.Context, client rueidis.Client, p *partition) error {
	now, last := time.Now(), p.seen.Load()
	server, up, err := whereabouts(whereScript.run(ctx, client, invocation{part: p}))
	switch {
	case err != nil:
	case last == nil || server != last.server && up <= now.Sub(last.at):
		err = s.refound(ctx, client, p)
	case server != last.server:
		err = s.replay(ctx, client, p)
	}
	if err == nil {
		p.seen.Store(&sighting{server, now})
	}
	return err
}

// replay delivers the journal to p once more. What this process has learnt there
// is forgotten: the versions of what it lacks will be given to others.
func (s *Store) replay(ctx context.Context, client rueidis.Client, p *partition) error {
	var calls []invocation
	b, targets := new(batch), s.journal.targets()
	for i, t := range targets {
		if at := s.layout.place(freshet.Ref{Key: t.Value}); t.Kind != freshet.TargetKey {
			b.ban(t)
		} else if at.part == p {
			b.key(at, t)
		}
		if size := len(b.keys) + len(b.bans); size >= replayCount || size > 0 && i == len(targets)-1 {
			calls = append(calls, s.call(p, b))
			b = new(batch)
		}
	}
	for _, a := range s.deliver(ctx, client, invalidateScript, calls) {
		if a.err != nil {
			return a.err
		}
	}
	p.known.Store(new(replica))
	s.log.Warn("freshet: Redis is another server, and may have lost invalidations; those of this process are repeated",
		"store", s.String(), "partition", p.prefix, "targets", len(targets))
	return nil
}

// patrol asks all partitions where they are.
func (s *Store) patrol(ctx context.Context, client rueidis.Client) {
	now, parts := time.Now(), s.layout.parts
	calls := make([]invocation, len(parts))
	for i, p := range parts {
		calls[i].part = p
	}
	there, moved := 0, false
	for i, result := range whereScript.runAll(ctx, client, calls) {
		server, _, err := whereabouts(result)
		last := parts[i].seen.Load()
		switch {
		case err != nil:
		case last != nil && last.server != server:
			moved = true
		default:
			there++
			if last != nil {
				parts[i].seen.CompareAndSwap(last, &sighting{server, now})
			}
		}
	}
	if moved {
		s.layout.uses.Add(1)
	}
	for _, p := range parts {
		if p.seen.Load() == nil || p.vouchedFor.Load() == p.uses.Load() {
			continue
		}
		if err := s.vouch(ctx, client, p); err != nil {
			s.log.Debug("freshet: what may be lost could not be repeated; it is tried again", "partition", p.prefix, "error", err)
		}
	}
	if there == len(parts) {
		s.journal.age(now)
	}
}
