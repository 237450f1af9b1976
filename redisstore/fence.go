package redisstore

import (
	"bytes"
	"context"
	"errors"
	"net"
	"sync/atomic"
	"time"

	"github.com/redis/rueidis"
)

// Redis replicates asynchronously and saves now and then. So a replica that is
// promoted, or a server that starts from a snapshot, may have lost invalidations
// that were acknowledged, and have entries that they dropped: with an older
// control record that fits them. The fence tells it from a server that has lost
// nothing: the record names the server, and the life of it, on which the
// incarnation began. Where another answers, a new incarnation begins.
//
// It costs a hit two atomic loads. Nothing is asked while the same connections
// are in use; each first use of a connection makes every partition ask again:
//
//  1. a lookup reads for which use its partition was vouched
//  2. it reads the record and the entry, and what the replica of tb lacks
//  3. if the number of uses is still that of 1, it answers
//  4. if not, the partition is vouched for anew, and the lookup begins again
//
// A connection counts as used before its first command of ours is sent, so
// whatever 2 has read from a server that was not asked makes 3 differ: also when
// the client has repeated the command over a connection made since 1. Opening a
// connection is the wrong moment to count. The client may send its commands to
// the old server for some time after it has dialled the new one, and the old one
// would vouch for it.
//
// Only what is served, or learnt, has to pass. The others need no fence:
//
//   - A fill whose load began before the failover has a stamp of the old
//     incarnation. If it comes to the new server before the fence does, its
//     entry goes down with the incarnation; if after, it is refused.
//   - An invalidation before the fence is in a history that the fence ends, with
//     everything that it covered; one after it is in the new history. A load
//     under a stamp of the new incarnation began after either. With Sentinel and in
//     a Cluster that is not enough, and invalidations have to pass: see turn.go.
//   - A lease decides who loads, and not what is served. Whoever has waited
//     looks again.
//
// A server can change its life behind a connection that stays open: a proxy
// turns to another one, or a master is demoted and promoted again. So all
// partitions are asked once a second besides.
const recheckEvery = time.Second

// errUnvouched stops a call that has met a server which nobody has asked yet.
var errUnvouched = errors.New("the server may be another one")

// vouched runs f, which reads from Redis, until no connection came into use
// meanwhile: then p is vouched for on the server that has answered. It ends at
// the latest with ctx, since each round waits for an answer.
func (s *Store) vouched(ctx context.Context, client rueidis.Client, p *partition, f func() error) error {
	return s.certain(ctx, func() error { return s.vouchedOnce(ctx, client, p, f) })
}

func (s *Store) vouchedOnce(ctx context.Context, client rueidis.Client, p *partition, f func() error) error {
	for {
		use := p.vouchedFor.Load()
		err := f()
		switch {
		case p.uses.Load() == use:
			return err
		case err != nil && !errors.Is(err, errUnvouched):
			return err
		}
		if err := s.vouch(ctx, client, p); err != nil {
			return failed("asking which server this is", err)
		}
	}
}

// vouch makes sure that the incarnation of p began on the server that answers.
// The number of uses is read first: a connection that comes into use later makes
// the partition ask again.
func (s *Store) vouch(ctx context.Context, client rueidis.Client, p *partition) error {
	select {
	case p.syncing <- struct{}{}:
		defer func() { <-p.syncing }()
	case <-ctx.Done():
		return ctx.Err()
	}
	use := p.uses.Load()
	if p.vouchedFor.Load() == use {
		return nil
	}
	found := s.refound
	if s.settings.replay {
		found = s.rejoin
	}
	if err := found(ctx, client, p); err != nil {
		return err
	}
	p.vouchedFor.Store(use)
	return nil
}

// refound begins a new incarnation if the present one began on another server.
// Asking writes nothing, so that a master that refuses writes but is the same can
// go on being read.
func (s *Store) refound(ctx context.Context, client rueidis.Client, p *partition) error {
	here, _, err := told(hereScript.run(ctx, client, invocation{part: p}))
	if err == nil && !here {
		call := invocation{part: p, args: p.birth.args()}
		if err = fenceScript.run(ctx, client, call).Error(); err == nil {
			s.log.Warn("freshet: Redis is another server, or a restarted one, and may have lost invalidations; "+
				"the cache begins anew", "store", s.String(), "partition", p.prefix)
		}
	}
	return err
}

// told reads the reply of here.lua: whether the incarnation began on this server,
// and how many records are due.
func told(r rueidis.RedisResult) (here bool, due int64, err error) {
	reply, err := r.AsIntSlice()
	if err == nil && len(reply) != 2 {
		err = errReply
	}
	if err != nil {
		return false, 0, err
	}
	return reply[0] == 1, reply[1], nil
}

// watch asks all partitions, at once and then again and again: those that this
// process has read whether they are still on the same server, and all of them
// what is due.
func (s *Store) watch() {
	ticker := time.NewTicker(recheckEvery)
	defer ticker.Stop()
	for {
		s.recheck()
		select {
		case <-ticker.C:
		case <-s.life.Done():
			return
		}
	}
}

// recheck asks once. A partition that has got to another server counts as a use,
// which makes the next lookup deal with it.
func (s *Store) recheck() {
	ctx, client, err := s.begin(s.life)
	if err != nil {
		return
	}
	var calls []invocation
	for _, p := range s.layout.parts {
		calls = append(calls, invocation{part: p})
	}
	moved, due := false, []*partition(nil)
	for i, result := range hereScript.runAll(ctx, client, calls) {
		here, waiting, err := told(result)
		if err != nil {
			continue // what it is that broke will be replaced, and is then a use by itself
		}
		p := s.layout.parts[i]
		moved = moved || !here && p.known.Load().incarnation != 0
		if waiting > 0 {
			due = append(due, p)
		}
	}
	s.carryOutAll(due)
	switch {
	case s.settings.replay:
		s.patrol(ctx, client)
	case moved && s.settings.fence:
		s.layout.uses.Add(1)
	}
}

// countedConn counts its first use.
type countedConn struct {
	net.Conn
	uses *atomic.Uint64
	used atomic.Bool
}

// Write counts before it writes: no answer can be there before the use is.
func (c *countedConn) Write(b []byte) (int, error) {
	if !c.used.Load() && isUse(b) && c.used.CompareAndSwap(false, true) {
		c.uses.Add(1)
	}
	return c.Conn.Write(b)
}

// isUse reports whether b holds a command that reads what lookups judge by. All
// of them are MGET, EVAL or EVALSHA. What the client sends to set up a connection
// is short, so anything long counts, and no name is missed for being split.
func isUse(b []byte) bool {
	return len(b) > 4096 || bytes.Contains(b, []byte("\r\nMGET\r\n")) || bytes.Contains(b, []byte("\r\nEVAL"))
}
