package redisstore

import (
	"context"
	"errors"
	"maps"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/redis/rueidis"

	"github.com/freshet-dev/freshet"
)

// A process that dies between the change of its data and the invalidation would
// leave the old answers to their TTL. So what a write is about to invalidate is
// put on record before, with a time at which it falls due, and the time is put
// off while the process lives:
//
//  1. the record is made, due after the deadline
//  2. the data is changed
//  3. the invalidation takes the record away
//
// Without 1 there is no 2, and after 3 nothing is left to do. A process that dies
// in between no longer puts the time off: some other carries the record out, see
// due.go.
//
// Putting it off makes a record that is missing: the partition may have lost it.
// It can do so once too often, behind the back of 3; so whoever does it looks
// whether the intent is still the same when the answer is there, and takes back
// what he has made if not.
type keeper struct {
	store *Store
	start sync.Once
	mu    sync.Mutex
	open  map[*intent]string // the member on record of each
}

// intent implements [freshet.Intent].
type intent struct {
	keeper  *keeper
	part    *partition
	begun   string
	token   string
	targets []freshet.Target
	// stale are members that have been replaced, but perhaps not in Redis.
	stale []string
}

var errCrowded = errors.New("too many write intents are on record")

// Intend implements [freshet.Intender]. It costs one call. In a Cluster the record
// is in the partition of the first key among the targets, or another if that does
// not answer.
func (s *Store) Intend(ctx context.Context, targets []freshet.Target) (freshet.Intent, error) {
	i := &intent{keeper: &s.intents, part: s.layout.home(targets), token: hex16(rand.Uint64()), targets: targets}
	begun, before, err := s.record(ctx, i.part, records{added: []string{intentMember(notBegun, i.token, targets)}})
	if err != nil {
		return nil, err
	}
	i.begun = begun
	if before != "" {
		// Asked for twice, it is there twice, and nobody keeps the first alive.
		i.stale = append(i.stale, intentMember(before, i.token, targets))
	}
	s.intents.keep(i, i.member())
	return i, nil
}

// record changes what is on record in one partition, and returns the time of the
// server; and that of the time before, if it was done twice.
func (s *Store) record(ctx context.Context, p *partition, r records) (now, before string, err error) {
	if err := s.absent.check(p); err != nil {
		return "", "", err
	}
	ctx, client, err := s.begin(ctx)
	if err != nil {
		return "", "", err
	}
	a := s.deliver(ctx, client, recordScript, []invocation{p.record(r)})[0]
	now, err = a.text()
	if rueidis.IsRedisNil(err) {
		err = errCrowded
	}
	if err != nil {
		return "", "", s.absent.heard(ctx, p, failed("record", err))
	}
	if a.doubtful != nil {
		before, _ = a.doubtful.ToString()
	}
	return now, before, nil
}

// record builds the call of record.lua.
func (p *partition) record(r records) invocation {
	return invocation{part: p, args: append(p.birth.args(), r.args(p.birth.deadline)...)}
}

// home returns the partition in which targets are put on record: that of a key, so
// that one step can invalidate it and end the record, and any other where there is
// none or its node does not answer.
func (l layout) home(targets []freshet.Target) *partition {
	p := l.parts[rand.IntN(len(l.parts))]
	for _, t := range targets {
		if t.Kind == freshet.TargetKey {
			p = l.of(t.Value)
			break
		}
	}
	for range l.parts {
		if !p.absent.Load() {
			break
		}
		p = l.parts[rand.IntN(len(l.parts))]
	}
	return p
}

func (i *intent) member() string { return intentMember(i.begun, i.token, i.targets) }

// Add implements [freshet.Intent]. It costs one call, in which a longer record
// replaces the one that is there.
func (i *intent) Add(ctx context.Context, targets []freshet.Target) error {
	i.stale = append(i.stale, i.member())
	i.targets = append(i.targets[:len(i.targets):len(i.targets)], targets...)
	// Before the call: the keeper takes back the old record if it makes it again.
	i.keeper.keep(i, i.member())
	s := i.keeper.store
	_, _, err := s.record(ctx, i.part, records{ended: i.stale, added: []string{i.member()}})
	if err == nil {
		i.stale = nil
	}
	return err
}

// Invalidate implements [freshet.Intent]. It costs what [Store.Invalidate] does,
// and in a Cluster, where it concerns more than one partition, another call.
func (i *intent) Invalidate(ctx context.Context, targets []freshet.Target) (freshet.Version, error) {
	return i.keeper.store.invalidate(ctx, targets, i.part, records{ended: i.end()})
}

// Withdraw implements [freshet.Intent]. It costs one call, and none when ctx has
// ended: the record then falls due.
func (i *intent) Withdraw(ctx context.Context) {
	s := i.keeper.store
	if _, _, err := s.record(ctx, i.part, records{ended: i.end()}); err != nil {
		s.log.Debug("freshet: a write intent could not be withdrawn; it falls due", "error", err)
	}
}

// end stops keeping the record alive, and returns what may be in Redis of it.
func (i *intent) end() []string {
	i.keeper.mu.Lock()
	defer i.keeper.mu.Unlock()
	delete(i.keeper.open, i)
	return append(i.stale, i.member())
}

func (k *keeper) init(s *Store) { k.store, k.open = s, make(map[*intent]string) }

// keep keeps the record of i alive from now on.
func (k *keeper) keep(i *intent, member string) {
	k.mu.Lock()
	k.open[i] = member
	k.mu.Unlock()
	k.start.Do(func() { k.store.tasks.Go(k.run) })
}

// run puts off all open intents, three times in each deadline.
func (k *keeper) run() {
	ticker := time.NewTicker(k.store.settings.intentDeadline / 3)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			k.putOff()
		case <-k.store.life.Done():
			return
		}
	}
}

// putOff makes all open intents fall due one deadline from now. What fails is
// tried again before they do.
func (k *keeper) putOff() { k.send(k.copies()) }

// copies returns the open intents and their members.
func (k *keeper) copies() map[*intent]string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return maps.Clone(k.open)
}

// send puts off what is in open, and takes back what has ended meanwhile.
func (k *keeper) send(open map[*intent]string) {
	ctx, client, err := k.store.beginAmple(k.store.life)
	if err != nil {
		return
	}
	calls := make([]invocation, 0, len(open))
	for i, member := range open {
		calls = append(calls, i.part.record(records{added: []string{member}}))
	}
	for _, result := range recordScript.runAll(ctx, client, calls) {
		if err := result.Error(); err != nil {
			k.store.log.Debug("freshet: a write intent could not be kept alive; it is tried again", "error", err)
		}
	}
	calls = calls[:0]
	now := k.copies()
	for i, member := range open {
		if now[i] != member {
			calls = append(calls, i.part.record(records{ended: []string{member}}))
		}
	}
	recordScript.runAll(ctx, client, calls)
}
