package redisstore

import (
	"sync"
	"time"

	"github.com/redis/rueidis"
)

// hub passes the wake-ups of leases to those in this process who wait for them.
// One subscription, made when it is first needed, serves them all.
type hub struct {
	store *Store
	start sync.Once
	// denied is done when the log has said that the user lacks a right.
	denied sync.Once

	mu      sync.Mutex
	waiters map[string]map[*waiter]struct{} // by the key of the lease
}

// waiter waits for one lease.
type waiter struct {
	lease string
	wake  chan wake // holds the last of the wakes that have not been seen
}

// wake is what a waiter is told.
type wake uint8

const (
	askAgain  wake = iota // something may have been missed
	lookAgain             // the answer may be there
	goAlone               // the holder found the answer unfit for sharing
)

func (h *hub) init(s *Store) {
	h.store = s
	h.waiters = make(map[string]map[*waiter]struct{})
}

func (h *hub) add(lease string) *waiter {
	w := &waiter{lease: lease, wake: make(chan wake, 1)}
	h.mu.Lock()
	if h.waiters[lease] == nil {
		h.waiters[lease] = make(map[*waiter]struct{})
	}
	h.waiters[lease][w] = struct{}{}
	h.mu.Unlock()
	h.start.Do(func() { h.store.tasks.Go(h.run) })
	return w
}

func (h *hub) remove(w *waiter) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.waiters[w.lease], w)
	if len(h.waiters[w.lease]) == 0 {
		delete(h.waiters, w.lease)
	}
}

// tell passes what to those who wait for lease. Only the last wake counts, and
// all are sent under the lock, so taking out an older one makes room.
func (h *hub) tell(lease string, what wake) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for w := range h.waiters[lease] {
		w.send(what)
	}
}

func (h *hub) tellAll(what wake) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, waiters := range h.waiters {
		for w := range waiters {
			w.send(what)
		}
	}
}

func (w *waiter) send(what wake) {
	select {
	case old := <-w.wake:
		if what == askAgain {
			what = old // it says at least as much
		}
	default:
	}
	w.wake <- what
}

// run keeps the subscription up until the store is closed.
func (h *hub) run() {
	for pause := newBackoff(); h.store.life.Err() == nil; pause.wait(h.store.life) {
		client, err := h.store.Client()
		if err == nil && h.listen(client) {
			pause = newBackoff()
		}
	}
}

// listen subscribes on a connection of its own and returns when that breaks. It
// reports whether the subscription stood.
func (h *hub) listen(client rueidis.Client) bool {
	conn, done := client.Dedicate()
	defer done()
	broken := conn.SetPubSubHooks(rueidis.PubSubHooks{OnMessage: func(m rueidis.PubSubMessage) {
		if m.Message == "" {
			return
		}
		what := goAlone
		if m.Message[0] == '1' {
			what = lookAgain
		}
		h.tell(m.Message[1:], what)
	}})
	err := conn.Do(h.store.life, conn.B().Subscribe().Channel(h.store.layout.wake).Build()).Error()
	if lacksRight(err) {
		h.denied.Do(func() {
			h.store.log.Error("freshet: the user may not subscribe, so waiting for other processes takes longer", "error", err)
		})
	}
	if err != nil {
		return false
	}
	h.tellAll(askAgain)
	select {
	case <-broken:
	case <-h.store.life.Done():
	}
	return true
}

// A pause is never longer than longestPause, so that a Redis that is back is
// noticed soon.
const (
	firstPause   = 50 * time.Millisecond
	longestPause = 2 * time.Second
)
