package ledger

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

const bound = 10 * time.Second

func kinds(found []Finding) (all []Kind) {
	for _, f := range found {
		all = append(all, f.Kind)
	}
	return all
}

// watch observes row 1 at version every 100 ms for d.
func watch(l *Ledger, now *time.Time, d time.Duration, quiet bool, version uint64) {
	for end := now.Add(d); now.Before(end); *now = now.Add(100 * time.Millisecond) {
		l.Observe(*now, quiet, map[int]uint64{1: version})
	}
}

func TestStale(t *testing.T) {
	l, own := New(2, bound), NewMarks(2)
	before := l.Expect([]int{1, 2}, own)
	l.Everywhere.Raise(1, 5)
	l.Everywhere.Raise(1, 4) // came late: the mark stays
	own.Raise(2, 3)
	after := l.Expect([]int{1, 2}, own)
	elsewhere := l.Expect([]int{2}, NewMarks(2))

	tests := []struct {
		name string
		e    Expectation
		got  map[int]uint64
		want []Kind
	}{
		{"began before the invalidation returned", before, map[int]uint64{1: 1, 2: 1}, nil},
		{"as new as promised", after, map[int]uint64{1: 5, 2: 3}, nil},
		{"newer than promised", after, map[int]uint64{1: 9, 2: 9}, nil},
		{"older than promised to all", after, map[int]uint64{1: 4, 2: 3}, []Kind{Stale}},
		{"older than the process has promised", after, map[int]uint64{1: 5, 2: 2}, []Kind{Stale}},
		{"what another process has promised for itself", elsewhere, map[int]uint64{2: 2}, nil},
		{"a row is missing", after, map[int]uint64{1: 5}, []Kind{Broken}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, kinds(l.Judge(tt.e, tt.got))); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
		})
	}
}

func TestOverdue(t *testing.T) {
	tests := []struct {
		name          string
		quiet, outage time.Duration // after the change was seen
		want          []Kind
	}{
		{"within the bound", bound - time.Second, 0, nil},
		{"beyond the bound", bound + time.Second, 0, []Kind{Overdue}},
		{"an outage does not count", bound - time.Second, time.Minute, nil},
		{"but the time around it does", bound + time.Second, time.Minute, []Kind{Overdue}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			l, now := New(1, bound), time.Now()
			watch(l, &now, time.Second, true, 1)
			watch(l, &now, tt.quiet/2, true, 2)
			watch(l, &now, tt.outage, false, 2)
			watch(l, &now, tt.quiet-tt.quiet/2, true, 2)
			found := l.Judge(l.Expect([]int{1}, NewMarks(1)), map[int]uint64{1: 1})
			if diff := cmp.Diff(tt.want, kinds(found)); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
		})
	}
}

// TestBusyMachine: when nothing was observed for a while, the machine was busy,
// and whatever is late may be late for that.
func TestBusyMachine(t *testing.T) {
	l, now := New(1, bound), time.Now()
	watch(l, &now, time.Second, true, 2)
	l.Observe(now.Add(time.Hour), true, map[int]uint64{1: 2})
	if found := l.Judge(l.Expect([]int{1}, NewMarks(1)), map[int]uint64{1: 1}); found != nil {
		t.Errorf("found %v", found)
	}
}

func TestLags(t *testing.T) {
	l := New(1, bound)
	now := time.Now().Add(-3 * time.Second)
	l.Observe(now, true, map[int]uint64{1: 1})
	l.Observe(now.Add(time.Second), true, map[int]uint64{1: 2})
	l.Judge(l.Expect([]int{1}, NewMarks(1)), map[int]uint64{1: 2})
	if got := l.Longest(); got != (Lags{}) {
		t.Errorf("an answer that shows everything lags by %v", got)
	}
	l.Orphaned(1, now.Add(1500*time.Millisecond))
	l.Judge(l.Expect([]int{1}, NewMarks(1)), map[int]uint64{1: 1})
	got := l.Longest()
	if got.Any < 2*time.Second || got.Any > 20*time.Second || got.Killed != got.Any-500*time.Millisecond {
		t.Errorf("lags %v", got)
	}
}

// TestHistoryIsBounded: however often a row changes, and whatever it takes from
// the history, a version is due only when it was there for longer than the bound,
// and at most a step of merging later.
func TestHistoryIsBounded(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		type seen struct {
			version uint64
			at      time.Duration
		}
		var h history
		var all []seen
		version, healthy, now := uint64(0), time.Duration(0), time.Now()
		for range rapid.IntRange(1, 400).Draw(t, "observations") {
			step := time.Duration(rapid.IntRange(0, 200).Draw(t, "ms")) * time.Millisecond
			healthy, now = healthy+step, now.Add(step)
			version += uint64(rapid.IntRange(0, 2).Draw(t, "changes"))
			h.see(version, now, healthy, bound)
			all = append(all, seen{version, healthy})
			if most := int(bound/together) + 3; len(h.entries) > most {
				t.Fatalf("%d entries, want at most %d", len(h.entries), most)
			}
			due := h.by(healthy - bound)
			earliest, latest := uint64(0), uint64(0)
			for _, s := range all {
				if s.at <= healthy-bound-together {
					earliest = s.version
				}
				if s.at <= healthy-bound {
					latest = s.version
				}
			}
			if due < earliest || due > latest {
				t.Fatalf("due %d, want %d to %d", due, earliest, latest)
			}
		}
	})
}

func ExampleFinding() {
	fmt.Println(Finding{Kind: Stale, Row: 7, Want: 3, Got: 2, Since: 1500 * time.Millisecond})
	// Output: row 7: got version 2, want at least 3 (committed 1.5s before)
}
