// Package ahead has answers loaded again before their lifetime ends, as long as
// somebody asks for them.
package ahead

import (
	"container/heap"
	"context"
	"math/rand/v2"
	"sync"
	"time"
)

const (
	// Limit is how many answers are waited for at a time. Another one is left to
	// expire: it then costs the miss that it would have cost anyway.
	Limit = 10_000
	// atOnce is how many loads there are at a time. It bounds what they take from
	// the handlers; what is due meanwhile waits.
	atOnce = 8
	// closeLimit is for loads that do not end with their context.
	closeLimit = time.Second
)

// Ahead knows which answers have been asked for since they were loaded, and when
// they are due. It holds only those: an answer that nobody asks for costs nothing,
// and is not loaded again. A load takes its answer out, and the next one who asks
// for what has been loaded puts it in again. So it stops by itself one load after
// the last request.
//
// It does not need to hear of invalidations: a load has to find out by itself
// whether its answer is still there and due. One that has been invalidated is not to
// be loaded then. Nobody has asked for it since, whoever does loads it, and what was
// invalidated has often been deleted.
//
// All methods may run concurrently. No goroutine waits for anything; there is one
// for each load under way.
type Ahead struct {
	busy chan struct{}
	life context.Context // ends with Close
	end  context.CancelFunc

	mu    sync.RWMutex
	known map[[32]byte]*answer
	queue queue
	timer *time.Timer // calls advance when the first of queue is due; changed under mu
}

// answer is one that has been asked for.
type answer struct {
	id     [32]byte
	due    time.Time // as the caller knows it
	at     time.Time // when it is loaded
	place  int       // in queue
	reload func(context.Context)
}

// New returns an Ahead that waits for nothing.
func New() *Ahead {
	a := &Ahead{busy: make(chan struct{}, atOnce), known: make(map[[32]byte]*answer)}
	a.life, a.end = context.WithCancel(context.Background())
	a.timer = time.AfterFunc(time.Hour, a.advance)
	a.timer.Stop()
	return a
}

// Wants is called for every request that is answered with id, which is to be loaded
// again at due. It reports whether Expect is to be called: the answer is not known
// yet, or with an earlier due time, which was that of an earlier load. It is not
// wanted once it is due: it has been loaded since, here or by another process, or
// that has failed and would fail for every request.
func (a *Ahead) Wants(id [32]byte, due time.Time) bool {
	if !time.Now().Before(due) {
		return false
	}
	a.mu.RLock()
	defer a.mu.RUnlock()
	return a.wants(id, due)
}

func (a *Ahead) wants(id [32]byte, due time.Time) bool {
	if k := a.known[id]; k != nil {
		return k.due.Before(due)
	}
	return len(a.known) < Limit && a.life.Err() == nil
}

// Expect has reload called in background when id is due, or up to spread later, so
// that of many processes which wait for the same answer the first has loaded it when
// the others look. reload has to look first: see [Ahead]. Its context ends with
// Close. It must not panic. It does nothing if [Ahead.Wants] is false by now.
func (a *Ahead) Expect(id [32]byte, due time.Time, spread time.Duration, reload func(context.Context)) {
	at := due
	if spread > 0 {
		at = at.Add(rand.N(spread))
	}
	a.mu.Lock()
	if !a.wants(id, due) {
		a.mu.Unlock()
		return
	}
	if k := a.known[id]; k != nil {
		k.due, k.at, k.reload = due, at, reload
		heap.Fix(&a.queue, k.place)
	} else {
		k = &answer{id: id, due: due, at: at, reload: reload}
		a.known[id] = k
		heap.Push(&a.queue, k)
	}
	a.mu.Unlock()
	a.advance()
}

// advance begins the loads that are due, and has itself called for the next.
func (a *Ahead) advance() {
	a.mu.Lock()
	defer a.mu.Unlock()
	for len(a.queue) > 0 && a.life.Err() == nil {
		first := a.queue[0]
		if wait := time.Until(first.at); wait > 0 {
			a.timer.Reset(wait)
			return
		}
		select {
		case a.busy <- struct{}{}:
		default:
			return // the load that ends first calls again
		}
		heap.Pop(&a.queue)
		delete(a.known, first.id)
		go a.load(first.reload)
	}
}

func (a *Ahead) load(reload func(context.Context)) {
	defer a.advance()
	defer func() { <-a.busy }()
	reload(a.life)
}

// Close ends the loads that are under way, begins no other and forgets all that was
// waited for. It does not wait long for a load that goes on nevertheless. A second
// Close does nothing.
func (a *Ahead) Close() {
	if a.life.Err() != nil {
		return
	}
	a.end()
	a.mu.Lock()
	a.timer.Stop()
	clear(a.known)
	a.queue = nil
	a.mu.Unlock()
	late := time.After(closeLimit)
	for range atOnce { // who has all of them is alone, and stays so
		select {
		case a.busy <- struct{}{}:
		case <-late:
			return
		}
	}
}
