package redisstore

import (
	"cmp"
	"context"
	"time"

	"github.com/redis/rueidis"

	"github.com/freshet-dev/freshet"
)

// When sentinels make another server the master while the old one lives, there are
// two for some seconds: the old one is told last. Processes turn to the new one when
// they hear of it, which is not at the same time. A has turned, B has not:
//
//  1. A misses on the new master, and begins to load
//  2. B changes the data; its invalidation is acknowledged by the old master, and
//     is lost
//  3. A stores what it has loaded, or shares it with a request that begins now
//
// and the other way round:
//
//  1. A invalidates on the new master, and that returns
//  2. B is answered with a hit by the old one
//
// So the new life does not count before all have turned: for turnTime look-ups in
// it fail, and so do invalidations, though they are carried out. In 1 of the first
// there is no stamp to store or share anything under; whoever gets one afterwards
// begins to load after what the old master has acknowledged. In 1 of the second the
// invalidation has not returned: it is repeated until it does, and B has turned by
// then. Requests go to their handlers meanwhile.
//
// That the life counts is seen from its version, which follows the clock of the
// server (claim.lua), about once a second. No process measures anything by itself, so
// one that comes late, or was stopped, finds what the others do.
//
// What tells such a life is that the server was promoted, and that no life on it
// went before: the record is another server's, or there is none. A replica can be
// promoted before its first data have come. The loss of the record later looks the
// same, and costs as much.
//
// An invalidation has to know which server has taken it: on the new one, before
// anybody has begun the new life, it would return as if nothing had happened. So it
// asks, as look-ups do, in each partition of the call; as long as no connection is
// new that costs two atomic loads for each.
//
// In a Cluster the new master tells the old one at once, or that has been cut off for
// so long that it has stopped by itself. But until the old one has read it, which a
// busy machine puts off, it answers reads; also in a failover by hand, which stops
// writes only. So there the life waits, too, though not for long. Where there is one
// server there is no other. With AfterFailover "replay" there is no new life in which
// to wait.
const (
	// turnTime is how long processes may take to turn, after the first of them.
	// Sentinels that miss the announcement hear of a new master within two seconds,
	// and are asked again within refreshEvery. Most turn within 100 ms.
	turnTime = 3 * time.Second
	// clusterTurnTime is how long the old master of a Cluster may take to hear of it.
	clusterTurnTime = time.Second
	// refreshEvery is how often sentinels are asked for the master, besides listening.
	refreshEvery = time.Second

	turnedMember = "!turned" // of tb: its score is the version from which on the life counts
)

// turnError is the error of all calls in a life that does not count yet.
type turnError struct{}

var errTurning error = turnError{}

// Error says what is being waited for.
func (turnError) Error() string {
	return "the master is another one, and counts only when every process has turned to it"
}

// Partial reports that the store leaves itself alone until it can be used: it is not
// failing, and nobody else has to.
func (turnError) Partial() bool { return true }

// settled returns an error if the life of which c is the record does not count yet.
func (r *replica) settled(c control) error {
	if c.version < r.turned.Load() {
		return errTurning
	}
	return nil
}

// deliverTurned delivers calls of invalidate.lua to a server that has been asked
// whether it is another one.
func (s *Store) deliverTurned(ctx context.Context, client rueidis.Client, calls []invocation) (answers []answer) {
	if s.settings.turnTime == 0 {
		return s.deliver(ctx, client, invalidateScript, calls)
	}
	for {
		use := s.layout.uses.Load()
		doubts := make([]error, len(calls))
		for i, call := range calls {
			if call.part.vouchedFor.Load() != use {
				doubts[i] = s.vouch(ctx, client, call.part)
			}
		}
		answers = s.deliver(ctx, client, invalidateScript, calls)
		for i := range answers {
			answers[i].err = cmp.Or(answers[i].err, doubts[i])
		}
		if s.layout.uses.Load() == use || ctx.Err() != nil {
			return answers
		}
	}
}

// version reads an answer of invalidate.lua.
func (a answer) version() (freshet.Version, error) {
	n, err := a.int64()
	if err == nil && n < 0 {
		err = errTurning
	}
	return freshet.Version(max(n, 0)), err
}
