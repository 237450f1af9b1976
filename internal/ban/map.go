package ban

import (
	"container/heap"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
)

// All is the member that covers everything.
const All = "*"

// Key returns the member that covers one key.
func Key(key string) string { return "k:" + key }

// Tag returns the member that covers everything that carries tag.
func Tag(tag string) string { return "t:" + tag }

// Glob returns the member that covers every key that [Match] finds to match
// pattern.
func Glob(pattern string) string { return "p:" + pattern }

// kind is the form of a member; each kind has a map of its own, by the
// member's name without the prefix, so that a search builds no strings.
type kind uint8

const (
	keyKind kind = iota
	tagKind
	globKind
	allKind
	kinds // how many there are
)

// split returns the kind and the name of a member.
func split(member string) (k kind, name string, ok bool) {
	if member == All {
		return allKind, "", true
	}
	prefix, name, ok := strings.Cut(member, ":")
	if !ok {
		return 0, "", false
	}
	switch prefix {
	case "k":
		return keyKind, name, true
	case "t":
		return tagKind, name, true
	case "p":
		return globKind, name, true
	}
	return 0, "", false
}

// ban is one member with its newest version.
type ban struct {
	member  string
	kind    kind
	version uint64
	place   int     // in the queue
	bucket  *bucket // of the glob index; nil for the other kinds
}

// name returns the member without its prefix.
func (b *ban) name() string {
	if b.kind == allKind {
		return ""
	}
	return b.member[2:]
}

// Map knows of every key, tag and pattern which version banned it last. The
// zero Map is empty and ready. Its methods may be called concurrently; none
// holds a lock over anything that could block.
type Map struct {
	newest atomic.Uint64
	floor  atomic.Uint64

	mu    sync.RWMutex
	named [kinds]map[string]*ban
	queue queue
	globs index
}

// Add bans member at version. Of several versions of one member the largest
// stays, so that repeating and reordering calls changes nothing. The error
// names a member of unknown form: nothing has been added then, and since it is
// unknown what the member covers, it has to be taken for [All].
func (m *Map) Add(member string, version uint64) error {
	k, name, ok := split(member)
	if !ok {
		return fmt.Errorf("freshet: ban of unknown form %q", member)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	b := m.named[k][name]
	switch {
	case b == nil:
		m.insert(&ban{member: member, kind: k, version: version})
	case b.version < version:
		m.raise(b, version)
	}
	m.newest.Store(max(m.newest.Load(), version))
	return nil
}

func (m *Map) insert(b *ban) {
	if m.named[b.kind] == nil {
		m.named[b.kind] = make(map[string]*ban)
	}
	m.named[b.kind][b.name()] = b
	heap.Push(&m.queue, b)
	if b.kind == globKind {
		m.globs.insert(b)
	}
}

func (m *Map) raise(b *ban, version uint64) {
	b.version = version
	heap.Fix(&m.queue, b.place)
	if b.kind == globKind {
		m.globs.remove(b)
		m.globs.insert(b)
	}
}

// drop forgets b, which is no longer in the queue.
func (m *Map) drop(b *ban) {
	delete(m.named[b.kind], b.name())
	if b.kind == globKind {
		m.globs.remove(b)
	}
}

// Since returns the newest ban whose version is larger than stamp and that
// covers key, by its name or by a pattern, or one of tags, or everything; "" and
// 0 when there is none.
//
// Bans that have been trimmed are not found. A caller that trims asks [Map.Floor]
// too, after Since: see there.
func (m *Map) Since(key string, tags []string, stamp uint64) (member string, version uint64) {
	// Nearly every hit ends here: nothing at all has been banned since. An Add
	// that has not stored newest yet has not returned either, so nobody can
	// have been promised that it is seen.
	if m.newest.Load() <= stamp {
		return "", 0
	}
	m.mu.RLock()
	defer m.mu.RUnlock()
	best := &ban{version: stamp}
	best = newer(best, m.named[keyKind][key])
	best = newer(best, m.named[allKind][""])
	for _, tag := range tags {
		best = newer(best, m.named[tagKind][tag])
	}
	best = m.globs.newest(key, best)
	if best.member == "" {
		return "", 0
	}
	return best.member, best.version
}

func newer(best, b *ban) *ban {
	if b != nil && b.version > best.version {
		return b
	}
	return best
}

// Newest returns the largest version ever added; 0 for an empty Map. It does
// not say that every ban of that version is there already: bans that share a
// version are added one by one.
func (m *Map) Newest() uint64 { return m.newest.Load() }

// Floor returns the largest version that Trim or TrimBefore has ever dropped.
// What was loaded under a smaller stamp may be covered by a ban that is
// gone and must not be served.
//
// It has to be asked after [Map.Since], never before:
//
//  1. a reader reads Floor, below the entry's stamp;
//  2. Trim drops the ban that covers the entry and raises Floor above the stamp;
//  3. the reader asks Since, which knows nothing, and serves the dead entry.
//
// The other way round, a Since that comes after the drop is followed by a
// Floor that comes after the rise.
func (m *Map) Floor() uint64 { return m.floor.Load() }

// Len returns the number of members.
func (m *Map) Len() int {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return len(m.queue)
}

// Remove forgets member unless its version is larger than version: a newer ban
// than the one the caller has dealt with stays.
func (m *Map) Remove(member string, version uint64) {
	k, name, ok := split(member)
	if !ok {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if b := m.named[k][name]; b != nil && b.version <= version {
		heap.Remove(&m.queue, b.place)
		m.drop(b)
	}
}

// Trim drops the oldest members until at most atMost are left, raises
// [Map.Floor] accordingly, and returns the largest version dropped; 0 if none.
func (m *Map) Trim(atMost int) (floor uint64) {
	return m.trim(func(*ban) bool { return len(m.queue) > atMost })
}

// TrimBefore drops the members whose version is smaller than version, raises
// [Map.Floor] accordingly, and returns the largest version dropped; 0 if none.
func (m *Map) TrimBefore(version uint64) (floor uint64) {
	return m.trim(func(oldest *ban) bool { return oldest.version < version })
}

// trim drops the oldest member for as long as old says so of it, some at a time:
// a hundred thousand at once would keep readers waiting for 20 ms.
func (m *Map) trim(old func(oldest *ban) bool) (floor uint64) {
	for {
		dropped, more := m.trimSome(old)
		floor = max(floor, dropped)
		if !more {
			return floor
		}
	}
}

// trimSome raises the floor before it gives the lock back, so that no reader
// sees a ban gone and the floor still low.
func (m *Map) trimSome(old func(oldest *ban) bool) (floor uint64, more bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	const some = 1000
	for range some {
		if len(m.queue) == 0 || !old(m.queue[0]) {
			return floor, false
		}
		b := heap.Pop(&m.queue).(*ban)
		m.drop(b)
		floor = b.version
		m.floor.Store(max(m.floor.Load(), floor))
	}
	return floor, true
}

// Members yields every member with its version, in no order, as they were when
// the iteration began. The loop may call any method of the Map.
func (m *Map) Members(yield func(member string, version uint64) bool) {
	m.mu.RLock()
	bans := make([]ban, 0, len(m.queue))
	for _, b := range m.queue {
		bans = append(bans, *b)
	}
	m.mu.RUnlock()
	for _, b := range bans {
		if !yield(b.member, b.version) {
			return
		}
	}
}

// Reset makes the Map empty again, Newest and Floor included. A reader that is
// under way then finds nothing where there was a ban, so a Map whose readers
// cannot be stopped is replaced by another rather than reset.
func (m *Map) Reset() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.named, m.queue, m.globs = [kinds]map[string]*ban{}, nil, index{}
	m.newest.Store(0)
	m.floor.Store(0)
}

// queue is a heap of bans, the oldest first. A heap and not a list in order of
// arrival, since bans arrive out of order when several processes invalidate,
// and a member that is banned again moves.
type queue []*ban

func (q queue) Len() int           { return len(q) }
func (q queue) Less(i, j int) bool { return q[i].version < q[j].version }

func (q queue) Swap(i, j int) {
	q[i], q[j] = q[j], q[i]
	q[i].place, q[j].place = i, j
}

func (q *queue) Push(x any) {
	b := x.(*ban)
	b.place = len(*q)
	*q = append(*q, b)
}

func (q *queue) Pop() any {
	last := len(*q) - 1
	b := (*q)[last]
	(*q)[last] = nil
	*q = (*q)[:last]
	return b
}
