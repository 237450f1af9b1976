package redisstore

import (
	"context"
	"net"
	"sync/atomic"
	"time"
)

// A server that was frozen past a failover does not know that it has been
// replaced. When it thaws, it first answers the commands that have waited in its
// sockets, as the master that it no longer is:
//
//  1. the master freezes, and a replica takes its place
//  2. an invalidation is acknowledged by the new master
//  3. a process that has not heard of that sends a lookup to the old one
//  4. the old one thaws, and answers 3 from what it has
//
// and likewise an invalidation in place of 3 would be acknowledged and lost. No
// connection is new, so the fence sees nothing. But the server was silent, and
// for longer than a failover takes: doubtAfter. So an answer that comes after such
// a silence, or soon after one, is not used. The call is made
// again when the server has had time to hear what has happened (settleTime): by
// then it refuses, or the client has turned to the new master. The second answer
// counts, whatever it took; a server that is always late costs each call twice,
// and no more.
//
// What counts is the silence of the connection, and not the time that the call
// has taken: 3 may come a millisecond before 4. A connection to a frozen server
// has something unanswered for longer, at the latest since the watch, see fence.go.
const (
	// No failover by itself is faster: a Cluster's replica waits for half a second
	// before it asks for votes, and that is after the master has been missed. One
	// that somebody forces may be.
	doubtAfter = 100 * time.Millisecond
	// A node of a Cluster that thaws has heard of its replacement as soon as it
	// has read what waits in its sockets; the Sentinel client likewise.
	settleTime = 50 * time.Millisecond
)

// silence remembers when a server last broke one.
type silence struct {
	epoch  time.Time
	broken atomic.Int64 // by now, 0 for never
	after  time.Duration
}

func newSilence(after time.Duration) *silence { return &silence{epoch: time.Now(), after: after} }

// now is the time since the epoch, by the monotonic clock.
func (s *silence) now() time.Duration { return time.Since(s.epoch) }

// settling returns how long to wait until a call may be made again that began at
// begun, by now; false when its answer can be used.
func (s *silence) settling(begun time.Duration) (time.Duration, bool) {
	settled := time.Duration(s.broken.Load())
	if settled == 0 {
		return 0, false
	}
	settled += settleTime
	return settled - s.now(), begun < settled
}

// certain runs f, and once more if its answer is in doubt.
func (s *Store) certain(ctx context.Context, f func() error) error {
	begun := s.silence.now()
	if err := f(); err != nil {
		return err
	}
	wait, again := s.silence.settling(begun)
	if !again {
		return nil
	}
	t := time.NewTimer(wait) // fires at once if there is nothing to wait for
	defer t.Stop()
	select {
	case <-t.C:
		return f()
	case <-ctx.Done():
		return failed("asking again", ctx.Err())
	}
}

// timedConn notices when its server has been silent.
type timedConn struct {
	net.Conn
	silence *silence
	// waiting is when the first of what was written since the last answer was.
	waiting atomic.Int64
}

func (c *timedConn) Write(b []byte) (int, error) {
	if c.waiting.Load() == 0 {
		c.waiting.Store(int64(c.silence.now()))
	}
	return c.Conn.Write(b)
}

// Read takes note of a silence before it hands over what has ended it, so nobody
// has the answer and not the doubt.
func (c *timedConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if since := c.waiting.Load(); since != 0 {
		c.waiting.Store(0)
		if now := c.silence.now(); n > 0 && now-time.Duration(since) > c.silence.after {
			c.silence.broken.Store(int64(now))
		}
	}
	return n, err
}
