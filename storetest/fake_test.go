package storetest

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/freshet-dev/freshet"
	"github.com/freshet-dev/freshet/internal/ban"
)

// fakeStore is one process on the data of fakeData: the protocol in its
// simplest form, one lock around everything, with leases and with data that can
// be lost. The suite passes on it as it is, and fails for each of its defects.
type fakeStore struct {
	*fakeData
	dead chan struct{} // closed by Kill
}

// fakeData is what the processes share.
type fakeData struct {
	defect string // what is wrong on purpose; see controls

	mu      sync.Mutex
	stamp   freshet.Stamp
	entries map[freshet.Ref]*freshet.Entry
	bans    ban.Map
	soft    ban.Map
	leases  map[freshet.Ref]*fakeLease
	fences  map[freshet.Target]fakeFence
	longest time.Duration // of all fences
	intents []*fakeIntent
}

func fakeHarness(defect string) Harness {
	open := func(testing.TB) freshet.Store {
		d := &fakeData{defect: defect, stamp: freshet.Stamp{Incarnation: 1}, fences: make(map[freshet.Target]fakeFence)}
		d.clear()
		return &fakeStore{d, make(chan struct{})}
	}
	return Harness{
		Open: open, OpenBrief: open,
		Peer: func(_ testing.TB, first freshet.Store) freshet.Store {
			return &fakeStore{first.(*fakeStore).fakeData, make(chan struct{})}
		},
		Flush: func(_ testing.TB, s freshet.Store) { s.(*fakeStore).lose(true) },
		Forget: map[string]func(testing.TB, freshet.Store){
			"bans": func(_ testing.TB, s freshet.Store) { s.(*fakeStore).lose(false) },
		},
		Corrupt: func(_ testing.TB, s freshet.Store, ref freshet.Ref) { s.(*fakeStore).corrupt(ref) },
		Kill:    func(_ testing.TB, s freshet.Store) { close(s.(*fakeStore).dead) },
	}
}

func (d *fakeData) clear() {
	d.entries, d.leases = make(map[freshet.Ref]*freshet.Entry), make(map[freshet.Ref]*fakeLease)
}

func (d *fakeData) lose(entries bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if entries {
		d.clear()
	}
	d.bans.Reset()
	d.soft.Reset()
	if d.defect != "keeps its incarnation" {
		d.stamp.Incarnation++
	}
	clear(d.fences)
	if d.longest > 0 && d.defect != "loses fences" {
		d.fence(freshet.All().FenceFor(d.longest))
	}
}

// A corrupt entry is one without a time to live; entries are immutable.
func (d *fakeData) corrupt(ref freshet.Ref) {
	d.mu.Lock()
	defer d.mu.Unlock()
	e := *d.entries[ref]
	e.TTL = 0
	d.entries[ref] = &e
}

func (s *fakeStore) Lookup(ctx context.Context, ref freshet.Ref) (freshet.Found, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.carryOut()
	s.endFences()
	e := s.entries[ref]
	found := freshet.Found{Stamp: s.stamp}
	switch {
	case e == nil:
	case e.TTL == 0 && s.defect == "fails on damage":
		return found, context.DeadlineExceeded
	case e.TTL == 0 && s.defect != "serves damage":
		found.Reason = freshet.Unreadable
	case e.Stamp.Incarnation != s.stamp.Incarnation:
		found.Reason = freshet.Outdated
	case e.TTL > 0 && time.Since(e.Loaded) >= max(e.TTL, time.Millisecond):
	default:
		found.Reason = s.covered(ref.Key, e.Tags, e.Stamp)
		softly := s.softened(ref.Key, e.Tags, e.Stamp)
		if found.Reason == freshet.Absent || softly != freshet.Absent && s.defect == "lets soft bans win" {
			found.Entry, found.Reason = e, softly
		}
	}
	return found, ctx.Err()
}

// covered returns why what was loaded under stamp is banned, Absent if it is not.
func (d *fakeData) covered(key string, tags []string, stamp freshet.Stamp) freshet.Reason {
	return reasonIn(&d.bans, key, tags, stamp)
}

// softened is covered for soft bans.
func (d *fakeData) softened(key string, tags []string, stamp freshet.Stamp) freshet.Reason {
	return reasonIn(&d.soft, key, tags, stamp)
}

func reasonIn(bans *ban.Map, key string, tags []string, stamp freshet.Stamp) freshet.Reason {
	member, _ := bans.Since(key, tags, uint64(stamp.Version))
	if member == "" {
		return freshet.Absent
	}
	return map[byte]freshet.Reason{
		'k': freshet.BannedKey, 't': freshet.BannedTag, 'p': freshet.BannedMatch, '*': freshet.BannedAll,
	}[member[0]]
}

func (s *fakeStore) Fill(ctx context.Context, ref freshet.Ref, stamp freshet.Stamp, e *freshet.Entry) (freshet.Outcome, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	old := s.entries[ref]
	switch {
	case ctx.Err() != nil:
		return 0, ctx.Err()
	case stamp.Incarnation != s.stamp.Incarnation:
		return freshet.Expired, nil
	case s.covered(ref.Key, e.Tags, stamp) != freshet.Absent:
		return freshet.Fenced, nil
	case old != nil && old.Stamp.Incarnation == stamp.Incarnation && old.Stamp.Version > stamp.Version:
		return freshet.Newer, nil
	}
	if ref.Variant != "" && old == nil && s.variants(ref.Key) >= 100 {
		return freshet.Crowded, nil
	}
	if old != nil && old.TTL == 0 && s.defect == "does not heal" {
		return freshet.Stored, nil
	}
	if s.fenced(ref.Key, e.Tags, stamp) {
		return freshet.Fenced, nil
	}
	e.Stamp = stamp
	s.entries[ref] = e
	return freshet.Stored, nil
}

func (s *fakeStore) variants(key string) (n int) {
	for ref, e := range s.entries {
		if ref.Key == key && ref.Variant != "" && s.covered(key, e.Tags, e.Stamp) == freshet.Absent {
			n++
		}
	}
	return n
}

func (s *fakeStore) Invalidate(ctx context.Context, targets []freshet.Target) (freshet.Version, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if ctx.Err() != nil {
		return 0, ctx.Err()
	}
	return s.ban(targets)
}

func (d *fakeData) ban(targets []freshet.Target) (freshet.Version, error) {
	d.stamp.Version++
	for _, t := range targets {
		bans, member := &d.bans, t.Member()
		if t.Soft && d.defect != "hardens everything" {
			bans = &d.soft
		}
		if t.Soft && d.defect == "softens everything" {
			member = ban.All
		}
		if err := bans.Add(member, uint64(d.stamp.Version)); err != nil {
			return 0, err
		}
		if t.Fence > 0 {
			d.fence(t)
		}
	}
	return d.stamp.Version, nil
}

func (s *fakeStore) Valid(ctx context.Context, ref freshet.Ref, tags []string, stamp freshet.Stamp) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	softly := s.softened(ref.Key, tags, stamp) != freshet.Absent && s.defect != "shares what is soft"
	return stamp.Incarnation == s.stamp.Incarnation && s.covered(ref.Key, tags, stamp) == freshet.Absent && !softly &&
		!s.behind(ref.Key, tags, stamp), ctx.Err()
}

func (s *fakeStore) History(_ context.Context, ref freshet.Ref, tags []string) (freshet.History, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	h := freshet.History{Stamp: s.stamp, Bans: s.soft.Covering(ref.Key, tags)}
	if s.defect != "tells soft bans as others" {
		ban.Softened(h.Bans)
	}
	h.Bans = ban.Sorted(append(h.Bans, s.bans.Covering(ref.Key, tags)...))
	switch s.defect {
	case "forgets the oldest ban":
		h.Bans = h.Bans[:max(0, len(h.Bans)-1)]
	case "tells the oldest ban first":
		slices.Reverse(h.Bans)
	case "tells of an older stamp":
		h.Stamp.Version--
	case "tells of everything":
		h.Bans = nil
		for member, version := range s.bans.Members {
			h.Bans = append(h.Bans, freshet.Ban{Member: member, Version: version})
		}
		ban.Sorted(h.Bans)
	}
	return h, nil
}

func (s *fakeStore) Close() error { return nil }

// fakeHolding is a load that is under way.
type fakeHolding struct {
	by     *fakeStore
	stamp  freshet.Stamp
	over   chan struct{} // closed when it ends
	shared bool          // set before
}

// fakeLease is the part of one caller in a holding: its own or another's.
type fakeLease struct {
	s    *fakeStore
	ref  freshet.Ref
	held bool
	*fakeHolding
}

func (s *fakeStore) Lease(_ context.Context, ref freshet.Ref, tags []string, stamp freshet.Stamp) (freshet.Lease, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.defect == "one lease for all refs" {
		ref = freshet.Ref{}
	}
	if now := s.leases[ref]; now != nil {
		if !s.free(now, ref.Key, tags) {
			held := s.defect == "everybody holds"
			return &fakeLease{s, ref, held, now.fakeHolding}, nil
		}
		s.end(now, true)
	}
	l := &fakeLease{s, ref, true, &fakeHolding{by: s, stamp: stamp, over: make(chan struct{})}}
	s.leases[ref] = l
	return l, nil
}

func (s *fakeStore) free(l *fakeLease, key string, tags []string) bool {
	select {
	case <-l.by.dead:
		return s.defect != "the dead hold on"
	default:
	}
	switch s.defect {
	case "no lease is taken over":
		return false
	case "any invalidation takes leases":
		return s.stamp.Version > l.stamp.Version
	}
	softly := s.softened(key, tags, l.stamp) != freshet.Absent && s.defect != "soft bans take no leases"
	return s.covered(key, tags, l.stamp) != freshet.Absent || softly
}

// end needs mu.
func (d *fakeData) end(l *fakeLease, shared bool) {
	if d.leases[l.ref] == nil {
		return
	}
	delete(d.leases, l.ref)
	l.shared = shared || d.defect == "always shared"
	if d.defect != "wakes nobody" {
		close(l.over)
	}
}

func (l *fakeLease) Held() bool { return l.held }

func (l *fakeLease) Wait(ctx context.Context) (bool, error) {
	done := ctx.Done()
	switch l.s.defect {
	case "waits beyond its context":
		done = nil
	case "does not wait":
		return true, nil
	}
	select {
	case <-l.over:
		return l.shared, nil
	case <-l.by.dead:
		return true, nil
	case <-done:
		return false, ctx.Err()
	}
}

func (l *fakeLease) Release(_ context.Context, shared bool) {
	l.s.mu.Lock()
	defer l.s.mu.Unlock()
	now := l.s.leases[l.ref]
	if now == l || now != nil && slices.Contains([]string{"anybody releases", "everybody holds"}, l.s.defect) {
		l.s.end(now, shared)
	}
}
