// Package memo remembers for a while what has been found out about requests: that
// their answers cannot be stored, say, or that their handler fails.
package memo

import (
	"sync"
	"time"
)

// Kind is what is remembered.
type Kind uint8

// The kinds of verdict.
const (
	Uncacheable Kind = iota // the answer cannot be stored: nobody needs to wait for another's
	Failing                 // the handler has failed: not to be asked again at once
	Plain                   // the answer is best sent as it is: no coded form is worth a look
)

// Limit is how many verdicts a Memo holds. One more takes the place of one of those
// that were noted first.
const Limit = shardCount * perShard

const (
	shardCount = 16 // fewer requests meet in a lock
	perShard   = 625
)

// Memo holds verdicts by the identity of a request. To forget one costs work and is
// never wrong, so that it needs no more room than Limit, and no goroutine: what has
// run out is overwritten in its turn. The zero value is empty. All methods take
// constant time and may run concurrently.
type Memo struct {
	shards [shardCount]shard
}

// shard has the verdicts on identities that begin alike. They are digests, so that
// every shard gets its share.
type shard struct {
	mu    sync.RWMutex
	index map[name]int // of verdicts
	// verdicts is a ring once it is full: next is the oldest.
	verdicts []verdict
	next     int
}

type name struct {
	id   [32]byte
	kind Kind
}

type verdict struct {
	name
	until time.Time
}

// Note remembers a verdict of kind on id for d from now, in place of an earlier one.
// A d that is not positive takes that back.
func (m *Memo) Note(id [32]byte, kind Kind, d time.Duration) {
	m.of(id).note(verdict{name{id, kind}, time.Now().Add(d)})
}

// Has reports whether there is a verdict of kind on id that has not run out.
func (m *Memo) Has(id [32]byte, kind Kind) bool {
	s := m.of(id)
	s.mu.RLock()
	defer s.mu.RUnlock()
	i, ok := s.index[name{id, kind}]
	return ok && time.Now().Before(s.verdicts[i].until)
}

func (m *Memo) of(id [32]byte) *shard { return &m.shards[id[0]%shardCount] }

func (s *shard) note(v verdict) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i, known := s.index[v.name]
	switch {
	case known:
		s.verdicts[i] = v
		return
	case !time.Now().Before(v.until):
		return // nothing to take back, and not worth another's place
	case s.index == nil:
		s.index = make(map[name]int)
	}
	if len(s.verdicts) < perShard {
		s.verdicts = append(s.verdicts, v)
		s.index[v.name] = len(s.verdicts) - 1
		return
	}
	delete(s.index, s.verdicts[s.next].name)
	s.verdicts[s.next], s.index[v.name] = v, s.next
	s.next = (s.next + 1) % perShard
}
