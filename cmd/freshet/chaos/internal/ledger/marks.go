// Package ledger knows what every answer has to show at least. It judges answers
// by three rules: none is older than what had been invalidated before its request
// began; none is older than what was committed longer ago than an invalidation
// may be late; and each is the answer to its own request. It knows nothing of
// HTTP, Redis or processes.
package ledger

import "sync/atomic"

// Marks holds a version for each row, which only rises. Its methods may be
// called concurrently.
type Marks struct{ versions []atomic.Uint64 }

// NewMarks returns marks at 0 for rows 1 to rows.
func NewMarks(rows int) *Marks { return &Marks{make([]atomic.Uint64, rows+1)} }

// Raise raises the mark of row to version, unless it is there already.
func (m *Marks) Raise(row int, version uint64) {
	at := &m.versions[row]
	for old := at.Load(); old < version; old = at.Load() {
		if at.CompareAndSwap(old, version) {
			return
		}
	}
}

// Of returns the mark of row.
func (m *Marks) Of(row int) uint64 { return m.versions[row].Load() }
