package storetest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/freshet-dev/freshet"
)

func raceChecks() []check {
	return []check{{"race/fresh", checkFresh}, {"race/whole", checkWhole}}
}

// The race: readers and writers of rows in groups, half of them in each process.
const (
	raceTime    = 2 * time.Second
	raceReaders = 6
	raceWriters = 2
	raceRows    = 60
	raceGroups  = 20
)

// row is a row of the database that the race caches. All that happens to it is
// counted in versions of its own.
type row struct {
	ref   freshet.Ref
	group int
	// write is held by the writer from its commit until its invalidation has
	// returned, as a row lock would be.
	write     sync.Mutex
	committed atomic.Int64
	// returned is the newest version whose invalidation has returned, dropped the
	// newest whose was not soft.
	returned, dropped atomic.Int64
}

type race struct {
	*lab
	rows                               []*row
	gets, hits, soft, stale, bans, err atomic.Int64
}

// checkFresh is a linearisability check on the one property that matters: a GET
// is stale when it answers with a version older than one whose invalidation had
// returned before the GET began. An answer that is marked as softly invalidated may
// be as old as the last invalidation that was not soft.
func checkFresh(t testing.TB, h Harness) {
	r := &race{lab: newLab(t, h)}
	for i := range raceRows {
		row := &row{ref: ref(fmt.Sprintf("group_%d_row:%d", i%raceGroups, i)), group: i % raceGroups}
		if i%3 == 0 {
			row.ref.Variant = "0a"
		}
		r.rows = append(r.rows, row)
	}
	ctx, stop := context.WithTimeout(t.Context(), raceTime)
	defer stop()
	var all sync.WaitGroup
	for i := range raceReaders + raceWriters {
		s, work := []freshet.Store{r.a, r.b}[i%2], r.get
		if i >= raceReaders {
			work = r.put
		}
		all.Go(func() {
			for ctx.Err() == nil {
				work(s, r.rows[rand.IntN(len(r.rows))])
			}
		})
	}
	all.Wait()
	r.report()
}

func (r *race) report() {
	r.Helper()
	r.Logf("%d stale of %d GETs, %d of them hits and %d soft, over %d invalidations",
		r.stale.Load(), r.gets.Load(), r.hits.Load(), r.soft.Load(), r.bans.Load())
	if n := r.stale.Load(); n > 0 {
		r.Errorf("%d of %d GETs were stale", n, r.gets.Load())
	}
	if n := r.err.Load(); n > 0 {
		r.Errorf("%d calls failed", n)
	}
	if r.hits.Load() == 0 || r.soft.Load() == 0 || r.bans.Load() == 0 {
		r.Errorf("%d hits, %d soft, and %d invalidations: the race has shown nothing", r.hits.Load(), r.soft.Load(), r.bans.Load())
	}
}

// get reads row through the cache. One load in twenty is slow.
func (r *race) get(s freshet.Store, row *row) {
	ctx := context.Background()
	dropped, due := row.dropped.Load(), row.returned.Load()
	found, err := s.Lookup(ctx, row.ref)
	if err != nil {
		r.err.Add(1)
		return
	}
	r.gets.Add(1)
	if found.Entry != nil {
		count := &r.hits
		if found.Reason != freshet.Absent {
			count, due = &r.soft, dropped
		}
		count.Add(1)
		if got, err := strconv.ParseInt(found.Entry.Body, 10, 64); err != nil || got < due {
			r.stale.Add(1)
		}
	}
	if found.Entry != nil && found.Reason == freshet.Absent {
		pause(100 * time.Microsecond)
		return
	}
	body := strconv.FormatInt(row.committed.Load(), 10)
	load := 3 * time.Millisecond
	if rand.IntN(20) == 0 {
		load = 60 * time.Millisecond
	}
	pause(load)
	if _, err := s.Fill(ctx, row.ref, found.Stamp, entry(body, "group:"+strconv.Itoa(row.group))); err != nil {
		r.err.Add(1)
	}
}

// put commits a new version of row and invalidates it in one of three ways, half of the
// time softly.
func (r *race) put(s freshet.Store, row *row) {
	row.write.Lock()
	defer row.write.Unlock()
	version := row.committed.Add(1)
	target := []freshet.Target{
		freshet.Key(row.ref.Key),
		freshet.Tag("group:" + strconv.Itoa(row.group)),
		freshet.Match(fmt.Sprintf("group_%d_*", row.group)),
	}[rand.IntN(3)]
	target.Soft = rand.IntN(2) == 0
	if _, err := s.Invalidate(context.Background(), []freshet.Target{target}); err != nil {
		r.err.Add(1)
		return
	}
	row.returned.Store(version)
	if !target.Soft {
		row.dropped.Store(version)
	}
	r.bans.Add(1)
	pause(2 * time.Millisecond)
}

// pause takes up to most. It is not there to order anything: it varies the
// interleavings and stands for the work that a load is.
func pause(most time.Duration) { time.Sleep(rand.N(most)) }

// checkWhole checks that an invalidation of several targets is one step for
// readers: who has seen one target's entry go does not see the other's stay.
// The writer fills right before left, so whoever finds left of a generation must
// find right of that generation or a later one, or nothing.
func checkWhole(t testing.TB, h Harness) {
	if h.Partitioned {
		t.Log("several targets are several steps in a partitioned store")
		return
	}
	l := newLab(t, h)
	for _, targets := range [][]freshet.Target{
		{freshet.Key("left:1"), freshet.Key("right:1")},
		{freshet.Tag("of:left"), freshet.Match("right:*")},
		{freshet.Key("left:1"), freshet.Tag("of:right")},
		{freshet.Match("left:*"), freshet.Key("right:1")},
		{freshet.Key("left:1").Softly(), freshet.Tag("of:right").Softly()},
		{freshet.Match("left:*"), freshet.Key("right:1").Softly()},
	} {
		halves, looks := raceWhole(l, targets, 400*time.Millisecond)
		l.Logf("%v: %d halves seen of %d looks", targets, halves, looks)
		if halves > 0 {
			l.Errorf("%d of %d looks have seen half of an invalidation of %v", halves, looks, targets)
		}
	}
}

func raceWhole(l *lab, targets []freshet.Target, span time.Duration) (halves, looks int64) {
	ctx, stop := context.WithTimeout(l.Context(), span)
	defer stop()
	var seen, total atomic.Int64
	var all sync.WaitGroup
	for _, s := range []freshet.Store{l.a, l.b, l.a} {
		all.Go(func() {
			for last := int64(-1); ctx.Err() == nil; total.Add(1) {
				left, right := generation(l, s, "left:1"), generation(l, s, "right:1")
				// With left absent, what was left's last generation is over, and
				// so is right's of that number.
				if right >= 0 && (right < left || left < 0 && right <= last) {
					seen.Add(1)
				}
				last = max(last, left)
			}
		})
	}
	for n := int64(0); ctx.Err() == nil; n++ {
		fillBoth(l, n)
		pause(200 * time.Microsecond)
		if _, err := l.a.Invalidate(context.Background(), targets); err != nil {
			l.Errorf("Invalidate: %v", err)
			stop()
		}
	}
	all.Wait()
	l.invalidate(l.a, freshet.All())
	return seen.Load(), total.Load()
}

func fillBoth(l *lab, n int64) {
	for _, side := range []string{"right", "left"} {
		r := ref(side + ":1")
		found, err := l.a.Lookup(context.Background(), r)
		if err == nil {
			_, err = l.a.Fill(context.Background(), r, found.Stamp, entry(strconv.FormatInt(n, 10), "of:"+side))
		}
		if err != nil {
			l.Errorf("filling %s: %v", show(r), err)
		}
	}
}

// generation returns the number in the entry of key, -1 if there is none that nothing
// covers.
func generation(l *lab, s freshet.Store, key string) int64 {
	found, err := s.Lookup(context.Background(), ref(key))
	if err != nil {
		l.Errorf("Lookup of %s: %v", key, err)
	}
	if found.Entry == nil || found.Reason != freshet.Absent {
		return -1
	}
	n, err := strconv.ParseInt(found.Entry.Body, 10, 64)
	if err != nil {
		l.Errorf("Lookup of %s: %v", key, err)
	}
	return n
}
