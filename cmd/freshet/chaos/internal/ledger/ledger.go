package ledger

import (
	"fmt"
	"sync"
	"time"
)

// Kind is what is wrong with an answer.
type Kind string

// The kinds of finding.
const (
	Stale   Kind = "stale"   // older than an invalidation that had returned before
	Overdue Kind = "overdue" // older than a change that should be visible by now
	Broken  Kind = "broken"  // a row is missing
)

// Finding is one row of an answer that breaks a rule.
type Finding struct {
	Kind      Kind
	Row       int
	Want, Got uint64 // versions
	// Since says for how long the wanted version had been in the database.
	Since time.Duration
}

// String returns the finding in one line.
func (f Finding) String() string {
	return fmt.Sprintf("row %d: got version %d, want at least %d (committed %v before)", f.Row, f.Got, f.Want, f.Since.Round(time.Millisecond))
}

// Ledger judges answers. Its methods may be called concurrently.
//
// The rule about stale answers needs no history of operations and no search: each
// row is a register whose writes are known by number, in their order, and the
// order of an answer and an invalidation is that of two atomic operations on a
// mark. So every answer is judged when it arrives, at the cost of its rows, and
// nothing is kept.
//
// The rule about overdue answers is for changes whose invalidation was never
// heard of: the process was killed, or could not reach the store. Each has to be
// visible a bound after it was seen in the database. Time in which the store was
// under attack does not count: an invalidation may be late by an outage.
type Ledger struct {
	// Everywhere is the newest version of each row of which an invalidation has
	// returned.
	Everywhere *Marks
	bound      time.Duration

	mu      sync.Mutex
	rows    []history
	seen    time.Time // of the last observation
	healthy time.Duration
	longest Lags
}

// Lags are the longest times for which a change had been in the database when a
// request began that was answered without it.
type Lags struct {
	Any    time.Duration // any change, those in outages included
	Killed time.Duration // since the process that had made the change was killed
}

// New returns a ledger of rows 1 to rows. An invalidation may be late by bound,
// outages not counted.
func New(rows int, bound time.Duration) *Ledger {
	return &Ledger{Everywhere: NewMarks(rows), bound: bound, rows: make([]history, rows+1)}
}

// longestStep is the most that one observation lets pass of healthy time: where
// they are further apart the machine was busy with something else.
const longestStep = 200 * time.Millisecond

// Observe records what is in the database now: versions by row. quiet says that
// nothing has kept an invalidation from being carried out since the last call.
func (l *Ledger) Observe(now time.Time, quiet bool, versions map[int]uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if quiet && !l.seen.IsZero() {
		l.healthy += min(now.Sub(l.seen), longestStep)
	}
	l.seen = now
	for row, version := range versions {
		l.rows[row].see(version, now, l.healthy, l.bound)
	}
}

// Orphaned records that the process which was changing row was killed at a time.
func (l *Ledger) Orphaned(row int, at time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.rows[row].orphaned = at
}

// Longest returns the longest lags so far.
func (l *Ledger) Longest() Lags {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.longest
}

// Expectation is what the answer to a request has to show.
type Expectation struct {
	Begun time.Time
	rows  []int
	stale []uint64 // below this it is stale
	due   []uint64 // below this it is overdue
}

// Expect returns what an answer made from rows has to show if its request begins
// now. own are the marks of the process that is asked: what it has promised for
// itself.
func (l *Ledger) Expect(rows []int, own *Marks) Expectation {
	e := Expectation{Begun: time.Now(), rows: rows, stale: make([]uint64, len(rows)), due: make([]uint64, len(rows))}
	l.mu.Lock()
	for i, row := range rows {
		e.due[i] = l.rows[row].by(l.healthy - l.bound)
	}
	l.mu.Unlock()
	for i, row := range rows {
		e.stale[i] = max(l.Everywhere.Of(row), own.Of(row))
	}
	return e
}

// Judge compares an answer, as versions by row, with what was expected of it.
func (l *Ledger) Judge(e Expectation, got map[int]uint64) (found []Finding) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i, row := range e.rows {
		version, there := got[row]
		f := Finding{Row: row, Got: version, Since: l.lag(row, version, e.Begun)}
		switch {
		case !there:
			f.Kind = Broken
		case version < e.stale[i]:
			f.Kind, f.Want = Stale, e.stale[i]
		case version < e.due[i]:
			f.Kind, f.Want = Overdue, e.due[i]
		default:
			continue
		}
		found = append(found, f)
	}
	return found
}

// lag returns for how long something newer than version had been in the database
// at a time, and remembers the longest.
func (l *Ledger) lag(row int, version uint64, begun time.Time) time.Duration {
	h := &l.rows[row]
	newer, ok := h.after(version)
	if !ok || version == 0 {
		return 0
	}
	lag := begun.Sub(newer.first)
	l.longest.Any = max(l.longest.Any, lag)
	if since := begun.Sub(h.orphaned); !h.orphaned.IsZero() && since < lag+time.Second {
		l.longest.Killed = max(l.longest.Killed, since)
	}
	return max(0, lag)
}
