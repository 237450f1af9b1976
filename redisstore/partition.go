package redisstore

import (
	"context"
	"errors"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/redis/rueidis"

	"github.com/freshet-dev/freshet/internal/ban"
)

// partition is a set of keys with a history of invalidations of its own, and
// this process's replica of that history.
type partition struct {
	prefix                          string
	control, bans, keyBans, intents string

	known   atomic.Pointer[replica]
	syncing chan struct{} // holds one token while somebody brings known up to date

	// uses is how many connections of the store have come into use, and
	// vouchedFor what it was when the partition's server was last asked who it
	// is: see fence.go.
	uses       *atomic.Uint64
	vouchedFor atomic.Uint64
	seen       atomic.Pointer[sighting] // for replay.go

	birth *birth

	absent atomic.Bool // its node does not answer: see absent.go
}

func newPartition(prefix string, uses *atomic.Uint64, birth *birth) *partition {
	p := &partition{
		prefix:  prefix,
		control: prefix + controlName,
		bans:    prefix + banName,
		keyBans: prefix + keyBanName,
		syncing: make(chan struct{}, 1),
		intents: prefix + intentName,
		uses:    uses,
		birth:   birth,
	}
	p.known.Store(new(replica))
	return p
}

// replica is what this process knows of tb in one incarnation. The next
// incarnation gets a new one, so that a reader that is under way keeps what it
// has begun with.
type replica struct {
	incarnation uint64
	bans        ban.Map
	// fences are like bans, but of versions to come: what is loaded under a
	// smaller stamp is not stored.
	fences ban.Map
	// soft are the soft bans: what one covers is served as stale.
	soft ban.Map
	// synced is a version up to which every ban is in bans or under floor.
	synced atomic.Uint64
	// floor is that of the newest control record seen by a sync.
	floor atomic.Uint64
	// turned is the version from which on the incarnation counts: see turn.go.
	turned atomic.Uint64
}

// reaches reports whether everything that c speaks of is known. Nothing is if c
// could not be read.
func (r *replica) reaches(c control) bool {
	return c.incarnation != 0 && r.incarnation == c.incarnation && r.synced.Load() >= c.banVersion
}

// since returns the newest ban after version that covers key or tags; lost is
// true when history that old is incomplete, also that of fences and soft bans. The
// floor is read last: a ban that is dropped before bans has been asked has raised it
// by then. Who asks fences or soft, too, asks them before.
func (r *replica) since(key string, tags []string, version uint64) (member string, newest uint64, lost bool) {
	member, newest = r.bans.Since(key, tags, version)
	return member, newest, version < r.floor.Load()
}

// catchUp brings the replica up to c, which the caller has just read, and
// returns it with the record to go on with. That is c, unless c has gone out of
// date: then a newer one, whose bans the replica has as well.
func (p *partition) catchUp(ctx context.Context, client rueidis.Client, c control) (*replica, control, error) {
	if r := p.known.Load(); r.reaches(c) {
		return r, c, nil
	}
	select {
	case p.syncing <- struct{}{}:
		defer func() { <-p.syncing }()
	case <-ctx.Done():
		return nil, c, ctx.Err()
	}
	// Another sync may have done it. What counts is how far it got, not when it
	// began: it knows all that c speaks of exactly if it has reached that far.
	if r := p.known.Load(); r.reaches(c) {
		return r, c, nil
	}
	return p.sync(ctx, client, c.banVersion)
}

// sync fetches what the replica lacks, starting a new incarnation where history
// has been lost. seen is a version whose bans were in place before the call.
// The caller holds the token of p.syncing.
//
// Nothing is learnt from a server that has not been vouched for: one that has
// lost the ban seen would make the replica believe it complete without it.
func (p *partition) sync(ctx context.Context, client rueidis.Client, seen uint64) (*replica, control, error) {
	r, use := p.known.Load(), p.vouchedFor.Load()
	reply, err := p.history(ctx, client, r)
	if err != nil {
		return nil, control{}, err
	}
	if p.uses.Load() != use {
		return nil, control{}, errUnvouched
	}
	if len(reply) != 2 {
		return nil, control{}, errReply
	}
	text, _ := reply[0].ToString()
	c, ok := parseControl(text)
	members, err := reply[1].AsStrSlice()
	if !ok || err != nil || len(members)%2 != 0 {
		return nil, control{}, errReply
	}
	if r.incarnation != c.incarnation {
		r, seen = &replica{incarnation: c.incarnation}, 0
	}
	r.add(members, c.version)
	// The floor goes first, see since. Bans below it cover nothing that the
	// floor itself does not.
	if r.floor.Swap(c.banFloor) != c.banFloor {
		r.bans.TrimBefore(c.banFloor)
		r.fences.TrimBefore(c.banFloor)
		r.soft.TrimBefore(c.banFloor)
	}
	p.birth.fenced(int64(c.longestFence))
	r.synced.Store(max(r.synced.Load(), c.banVersion, seen))
	p.known.Store(r)
	return r, c, nil
}

// history fetches what r lacks. That writes nothing, so a master that refuses
// writes can be read by a process that starts now; only lost history is begun anew.
func (p *partition) history(ctx context.Context, client rueidis.Client, r *replica) ([]rueidis.RedisMessage, error) {
	call := invocation{part: p, args: append(p.birth.args(),
		hex16(r.incarnation), strconv.FormatUint(r.synced.Load(), 10),
	)}
	reply, err := syncScript.run(ctx, client, call).ToArray()
	if rueidis.IsRedisNil(err) {
		reply, err = repairScript.run(ctx, client, call).ToArray()
	}
	return reply, err
}

var errReply = errors.New("a script of freshet gave an unexpected reply")

// add takes over members and their versions, one after the other. No version is
// newer than newest.
func (r *replica) add(members []string, newest uint64) {
	for i := 0; i < len(members); i += 2 {
		member, score := members[i], members[i+1]
		version, err := strconv.ParseUint(score, 10, 64)
		if strings.HasPrefix(member, "!") {
			if member == turnedMember && err == nil {
				r.turned.Store(version)
			}
			continue // the other one names the incarnation
		}
		bans := &r.bans
		if covered, isFence := strings.CutPrefix(member, "~"); isFence {
			bans, member = &r.fences, covered
		} else if covered, isSoft := ban.CutSoft(member); isSoft {
			bans, member = &r.soft, covered
		}
		if err == nil {
			err = bans.Add(strings.Clone(member), version)
		}
		if err != nil {
			// Whatever it means, it may cover anything.
			_ = r.bans.Add(ban.All, newest)
		}
	}
}

// repair makes sure that the history is whole, where a script has found that it
// is not.
func (p *partition) repair(ctx context.Context, client rueidis.Client) error {
	select {
	case p.syncing <- struct{}{}:
		defer func() { <-p.syncing }()
	case <-ctx.Done():
		return ctx.Err()
	}
	_, _, err := p.sync(ctx, client, 0)
	return err
}

// birth is what all partitions need to know to begin an incarnation.
type birth struct {
	// deadline is that of intents: those that are lost with the old incarnation
	// are made up for after it.
	deadline time.Duration
	// turn is how long processes may take to turn to another master.
	turn time.Duration
	// fence is the longest fence that this process has seen, in microseconds: one
	// like it makes up for those that are lost.
	fence atomic.Int64
}

// fenced learns of a fence.
func (b *birth) fenced(micros int64) {
	for {
		longest := b.fence.Load()
		if micros <= longest || b.fence.CompareAndSwap(longest, micros) {
			return
		}
	}
}

// args returns the arguments that ensure takes, in control.lua.
func (b *birth) args() []string {
	return []string{hex16(newIncarnation()), micros(b.deadline), strconv.FormatInt(b.fence.Load(), 10), micros(b.turn)}
}

// newIncarnation returns a name that no incarnation had before; it is not 0.
func newIncarnation() uint64 { return rand.Uint64() | 1 }
