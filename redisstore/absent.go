package redisstore

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/redis/rueidis"

	"github.com/freshet-dev/freshet"
)

// absences knows which partitions of a Cluster do not answer. Calls for those fail
// at once, so that a node that is frozen or down costs the requests for its own
// partitions their hits, and all others nothing. A goroutine that lives only as
// long as one is missing asks whether they are back; no request does.
//
// Where there is one partition, whoever uses the store sees all that there is to
// see, and nothing is done here.
type absences struct {
	store *Store
	count atomic.Int32 // of the partitions that are left alone

	mu     sync.Mutex
	asking bool
}

// errAbsent is why a call for a partition that is left alone has failed.
var errAbsent = errors.New("the node of the Cluster does not answer, and is left alone until it does")

// check returns an error if p is left alone.
func (a *absences) check(p *partition) error {
	if !p.absent.Load() {
		return nil
	}
	return a.wrap(failed("partition "+p.prefix, errAbsent))
}

// heard takes note of err, with which a call for p within ctx has ended, and
// returns it in the form in which the store's user gets it.
//
// The first call to fail makes all partitions be asked at once: a node has many,
// and each would cost somebody the whole time limit.
func (a *absences) heard(ctx context.Context, p *partition, err error) error {
	if len(a.store.layout.parts) == 1 || err == nil || answered(err) {
		return err
	}
	if _, ours := ctx.(*limit); !ours && ctx.Err() != nil {
		a.ask() // its caller has given up, which says nothing of the node
		return err
	}
	a.note(p, err)
	a.ask()
	return a.wrap(err)
}

// answered reports whether err shows that a node is there and in use. One that is
// still reading its data is not, nor one whose part of the Cluster is closed.
func answered(err error) bool {
	reply := new(rueidis.RedisError)
	if !errors.As(err, &reply) {
		return err == nil || errors.Is(err, errReplicas) || errors.Is(err, errCrowded) || errors.Is(err, errTurning)
	}
	return !reply.IsLoading() && !reply.IsClusterDown()
}

// note says whether p is to be left alone: if err shows that its node is absent.
func (a *absences) note(p *partition, err error) {
	absent := !answered(err)
	if !p.absent.CompareAndSwap(!absent, absent) {
		return
	}
	switch {
	case absent && a.count.Add(1) == 1:
		a.store.log.Warn("freshet: a node of the Cluster does not answer; what it keeps is left to the handlers",
			"store", a.store.String(), "error", err)
	case !absent && a.count.Add(-1) == 0:
		a.store.log.Info("freshet: all nodes of the Cluster answer again", "store", a.store.String())
	}
}

// ask starts the goroutine that asks, unless there is one.
func (a *absences) ask() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.asking || a.store.life.Err() != nil {
		return
	}
	a.asking = true
	a.store.tasks.Go(a.run)
}

func (a *absences) run() {
	for pause := newBackoff(); ; pause.wait(a.store.life) {
		a.round()
		if a.done() {
			return
		}
	}
}

// done ends the asking, unless there is something to ask again. Whoever notes an
// absence calls ask after it: that finds either asking ended, or it is counted.
func (a *absences) done() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.asking = a.count.Load() > 0 && a.store.life.Err() == nil
	return !a.asking
}

// round asks each partition by itself, so that none waits for another's node.
func (a *absences) round() {
	ctx, client, err := a.store.begin(a.store.life)
	if err != nil {
		return
	}
	var all sync.WaitGroup
	for _, p := range a.store.layout.parts {
		all.Go(func() {
			err := client.Do(ctx, client.B().Mget().Key(p.control).Build()).Error()
			if a.store.life.Err() == nil {
				a.note(p, err)
			}
		})
	}
	all.Wait()
}

// wrap returns err as one of a part of the store, as long as there are others.
func (a *absences) wrap(err error) error {
	return &partError{err: err, partial: int(a.count.Load()) < len(a.store.layout.parts)}
}

// partError is the error of a call that a node of a Cluster has not answered.
type partError struct {
	err     error
	partial bool
	left    []freshet.Target
}

// Error returns what has failed.
func (e *partError) Error() string { return e.err.Error() }

// Unwrap returns the error of the node.
func (e *partError) Unwrap() error { return e.err }

// Partial reports whether other nodes answer: then the store as a whole does not
// fail, and it leaves those alone that do not answer by itself.
func (e *partError) Partial() bool { return e.partial }

// Left returns the targets that have not been invalidated everywhere.
func (e *partError) Left() []freshet.Target { return e.left }

// left is wrap for an invalidation of targets that missing have not taken. Keys
// belong to one partition, everything else to all.
func (a *absences) left(err error, targets []freshet.Target, missing []*partition) error {
	if len(a.store.layout.parts) == 1 {
		return err
	}
	e := &partError{err: err, partial: int(a.count.Load()) < len(a.store.layout.parts)}
	for _, t := range targets {
		if t.Kind != freshet.TargetKey || slices.Contains(missing, a.store.layout.of(t.Value)) {
			e.left = append(e.left, t)
		}
	}
	return e
}
