package ledger

import "time"

// history is when which version of a row was seen in the database: what was
// committed at the latest by then. Entries that are close together are merged,
// so that a row needs little memory however often it changes.
type history struct {
	entries []entry
	// orphaned is when the process that last changed the row was killed before
	// it answered.
	orphaned time.Time
}

type entry struct {
	version uint64
	first   time.Time     // when a version above that of the entry before was seen
	last    time.Duration // healthy time at which this version was seen
}

const (
	// together is how much time one entry may stand for.
	together = 250 * time.Millisecond
	// mostEntries bounds what an outage leaves, in which no healthy time passes.
	// Changes that are dropped early cannot become overdue.
	mostEntries = 2000
)

// see adds that version was there at a moment. What is older than keep is
// dropped, all but the newest of it.
func (h *history) see(version uint64, now time.Time, healthy, keep time.Duration) {
	n := len(h.entries)
	if n > 0 && h.entries[n-1].version >= version {
		return
	}
	if n > 0 && now.Sub(h.entries[n-1].first) < together {
		h.entries[n-1].version, h.entries[n-1].last = version, healthy
		return
	}
	old := max(0, n-mostEntries)
	for old+1 < n && healthy-h.entries[old+1].last > keep {
		old++
	}
	h.entries = append(h.entries[old:], entry{version: version, first: now, last: healthy})
}

// by returns the newest version that was there at a healthy time.
func (h *history) by(healthy time.Duration) (version uint64) {
	for _, e := range h.entries {
		if e.last > healthy {
			break
		}
		version = e.version
	}
	return version
}

// after returns the first entry above version.
func (h *history) after(version uint64) (entry, bool) {
	for _, e := range h.entries {
		if e.version > version {
			return e, true
		}
	}
	return entry{}, false
}
