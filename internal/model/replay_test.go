package model

import (
	"context"
	"flag"
	"log/slog"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/freshet-dev/freshet"
	"github.com/freshet-dev/freshet/internal/redistest"
	"github.com/freshet-dev/freshet/memstore"
	"github.com/freshet-dev/freshet/redisstore"
)

// replay is a random walk through the model that a real store takes along. Each
// of its steps is one call of the store, so all the steps of the model that one
// call takes; the interleavings inside of calls are the model's alone.
type replay struct {
	reads  *model // its actors are one reader of each key in each process
	writes *model // its actors are one writer for each kind of invalidation
	s      state

	stores  [maxProcesses]freshet.Store
	intents [maxActors]freshet.Intent
	stamps  [maxActors]freshet.Stamp
	lost    bool   // something has been lost: the store may miss where the model need not
	soft    bool   // something has been softly invalidated
	real    string // the incarnation of the store
	begun   uint8  // that of the model
	server  *redistest.Server
	hits    int
	stored  int
}

var replayKeys = [maxKeys]string{"item:a", "item:b"}

var targets = [3]freshet.Target{freshet.Key(replayKeys[0]), freshet.Key(replayKeys[1]), freshet.Tag("items")}

func newReplay(process func(i int) int, stores [maxProcesses]freshet.Store) *replay {
	r := &replay{stores: stores}
	c := Config{Intents: true}
	for i := range maxActors {
		c.Actors = append(c.Actors, Actor{Process: process(i / 2), Role: Reader, Key: i % 2})
	}
	r.reads = &model{Config: c}
	c.Actors = []Actor{{0, KeyWriter, 0, 0}, {0, KeyWriter, 1, 0}, {0, TagWriter, 0, 0}}
	r.writes = &model{Config: c}
	r.s = r.reads.begin()
	return r
}

// drawLoaded returns one of the readers that have loaded, with its process and its
// key.
func (r *replay) drawLoaded(t *rapid.T) (i int, s freshet.Store, ref freshet.Ref, ok bool) {
	var with []int
	for i, a := range r.s.actor {
		if a.phase == loaded {
			with = append(with, i)
		}
	}
	if len(with) == 0 {
		return 0, nil, ref, false
	}
	i = rapid.SampledFrom(with).Draw(t, "reader")
	s, ref = r.at(i)
	return i, s, ref, true
}

// at returns the process and the key of reader i.
func (r *replay) at(i int) (freshet.Store, freshet.Ref) {
	a := r.reads.Actors[i]
	return r.stores[a.Process], freshet.Ref{Key: replayKeys[a.Key]}
}

// lookup is a look-up. What the model may hit the store has to hit, unless
// something was lost, and the other way round in any case. An entry that is marked as
// softly invalidated is what the model misses.
func (r *replay) lookup(t *rapid.T) {
	i := rapid.IntRange(0, maxActors-1).Draw(t, "reader")
	store, ref := r.at(i)
	var found freshet.Found
	r.try(t, "Lookup", func() (err error) { found, err = store.Lookup(context.Background(), ref); return })
	r.s.data++
	if found.Reason != freshet.Absent {
		found.Entry = nil
	}
	want, hit := r.look(i)
	switch {
	case found.Entry == nil && hit && !r.lost:
		t.Fatalf("Lookup of %s: a miss, %v; the model hits %d", ref.Key, found.Reason, want)
	case found.Entry != nil && !hit:
		t.Fatalf("Lookup of %s: a hit, %s; the model misses", ref.Key, found.Entry.Body)
	case found.Entry != nil && found.Entry.Body != strconv.Itoa(int(want)):
		t.Fatalf("Lookup of %s: %s; the model hits %d", ref.Key, found.Entry.Body, want)
	case found.Entry != nil:
		r.hits++
	}
	r.stamps[i] = found.Stamp
}

// look takes the steps of a look-up until it hits or loads. In either case the
// reader has a stamp, as it has from Lookup.
func (r *replay) look(i int) (data uint8, hit bool) {
	r.s.actor[i] = actor{phase: again}
	for r.s.actor[i].phase != loaded {
		now := r.s
		r.reads.readerSteps(&now, i, func(did step, next state) {
			if did.does == hits {
				data, hit = did.data, true
				return
			}
			r.s = next
		})
	}
	return data, hit
}

func (r *replay) fill(t *rapid.T) {
	i, store, ref, ok := r.drawLoaded(t)
	if !ok {
		return
	}
	e := &freshet.Entry{
		Loaded: time.Now(), TTL: time.Hour, Tags: []string{"items"}, Body: strconv.Itoa(int(r.s.actor[i].data)),
	}
	var outcome freshet.Outcome
	r.try(t, "Fill", func() (err error) {
		outcome, err = store.Fill(context.Background(), ref, r.stamps[i], e)
		return
	})
	now, want, marked := r.s, false, r.marked(i)
	r.reads.fill(now, i, func(did step, next state) { r.s, want = next, did.does == fills })
	switch {
	case marked:
	case outcome == freshet.Stored && !want:
		t.Fatalf("Fill of %s with %s: stored; the model refuses it", ref.Key, e.Body)
	case outcome == freshet.Stored:
		r.stored++
	case want && !r.lost && outcome != freshet.Fenced:
		t.Fatalf("Fill of %s with %s: %v; the model stores it", ref.Key, e.Body, outcome)
	}
}

// marked reports whether what reader i has loaded would be stored under a soft ban. The
// model stores it where it has not heard of the ban, and the store in any case: either
// way the look-ups that follow miss.
func (r *replay) marked(i int) bool {
	a, bans := r.s.actor[i], r.s.redis.tagBans
	return r.soft && a.incarnation == r.s.redis.control.incarnation && a.stamp < max(bans.tag, bans.all)
}

func (r *replay) valid(t *rapid.T) {
	i, store, ref, ok := r.drawLoaded(t)
	if !ok {
		return
	}
	a := r.s.actor[i]
	var got bool
	r.try(t, "Valid", func() (err error) {
		got, err = store.Valid(context.Background(), ref, []string{"items"}, r.stamps[i])
		return
	})
	p := &r.s.process[r.reads.Actors[i].Process]
	if connect(&r.s, p); p.vouched != p.connection {
		r.reads.ask(&r.s, p)
	}
	want := r.reads.valid(&r.s, p, r.reads.Actors[i].Key, flight{incarnation: a.incarnation, stamp: a.stamp})
	if got && !want || want && !got && !r.lost {
		t.Fatalf("Valid of %s: %v; the model says %v", ref.Key, got, want)
	}
}

// invalidate is an invalidation. That of the tag, or of everything, may be soft: to the
// model it is the same.
func (r *replay) invalidate(t *rapid.T) {
	n := rapid.IntRange(0, len(targets)).Draw(t, "target")
	store := r.stores[rapid.IntRange(0, maxProcesses-1).Draw(t, "process")]
	drop := []freshet.Target{append(targets[:], freshet.All())[n]}
	drop[0].Soft = drop[0].Kind != freshet.TargetKey && rapid.Bool().Draw(t, "soft")
	r.soft = r.soft || drop[0].Soft
	if n == len(targets) {
		r.try(t, "Invalidate", func() error {
			_, err := store.Invalidate(context.Background(), drop)
			return err
		})
		r.writes.clear(&r.s)
		return
	}
	r.try(t, "Invalidate", func() (err error) {
		if r.intents[n] != nil {
			_, err = r.intents[n].Invalidate(context.Background(), drop)
			r.intents[n] = nil // on an error, too: the record is left to fall due
			return err
		}
		_, err = store.Invalidate(context.Background(), drop)
		return err
	})
	r.writes.invalidate(&r.s, n, false)
}

// intend puts on record what a later invalidate carries out.
func (r *replay) intend(t *rapid.T) {
	n := rapid.IntRange(0, len(targets)-1).Draw(t, "target")
	store, ok := r.stores[0].(freshet.Intender)
	if !ok || r.intents[n] != nil {
		return
	}
	r.try(t, "Intend", func() (err error) {
		r.intents[n], err = store.Intend(context.Background(), targets[n:n+1])
		return err
	})
	r.writes.ensure(&r.s, false)
}

// try repeats what fails while connections to a restarted server are replaced.
func (r *replay) try(t *rapid.T, name string, f func() error) {
	for began := time.Now(); ; time.Sleep(time.Millisecond) {
		err := f()
		if err == nil {
			break
		}
		if !r.lost || time.Since(began) > time.Minute {
			t.Fatalf("%s: %v", name, err)
		}
	}
}

// lose deletes control keys, or everything.
func (r *replay) lose(t *rapid.T) {
	losses := map[string]func(*redis){
		"ctl": func(b *redis) { b.control = control{} },
		"tb":  func(b *redis) { b.tagBans.incarnation, b.tagBans.tag, b.tagBans.all = 0, 0, 0 },
		"kb":  func(b *redis) { b.keyBans.incarnation, b.keyBans.key = 0, [maxKeys]uint8{} },
		"wi":  func(b *redis) { b.intents.incarnation = 0 },
		"all": func(b *redis) { *b = redis{} },
	}
	what := rapid.SampledFrom([]string{"ctl", "tb", "kb", "wi", "all"}).Draw(t, "what")
	if what == "all" {
		r.flush(t)
	} else {
		r.do(t, "DEL", "freshet#"+what)
	}
	losses[what](&r.s.redis)
	r.lost = true
}

// forget replaces a process by a new one, without a replica.
func (r *replay) forget(t *rapid.T) {
	i := rapid.IntRange(0, maxProcesses-1).Draw(t, "process")
	store, err := openRedis(r.server)
	if err != nil {
		t.Fatal(err)
	}
	_ = r.stores[i].Close()
	if i == 0 {
		r.intents = [maxActors]freshet.Intent{}
	}
	r.stores[i] = store
	r.s.process[i] = process{connection: r.s.life} // nobody has vouched for it
}

func (r *replay) do(t *rapid.T, args ...string) any {
	v, err := r.server.Do(args...)
	if err != nil {
		t.Fatalf("%q: %v", args, err)
	}
	return v
}

// flush loses everything. The lock of those who reclaim memory is taken, so that
// nobody looks at the bans unasked, which the model would not know of.
func (r *replay) flush(t *rapid.T) {
	r.do(t, "EVAL", "redis.call('FLUSHALL') redis.call('SET', 'freshet#sweep', 'nobody')", "0")
}

// snapshot is what a later restart goes back to.
func (r *replay) snapshot(t *rapid.T) {
	r.do(t, "SAVE")
	r.s.copied, r.s.hasCopy = r.s.redis, true
}

func (r *replay) restart(t *rapid.T) {
	if !r.s.hasCopy {
		return
	}
	r.server.Stop()
	r.server.Start()
	r.lost = true
	r.s.redis = r.s.copied
	r.s.lives++
	r.s.life = r.s.lives
}

// observe comes after each step. The store's watch begins a new life when it
// likes; whoever loads then does so for nothing. But without a loss the store begins
// none, and goes on where the model does.
func (r *replay) observe(t *rapid.T) {
	r.reads.renumber(&r.s)
	if r.server == nil {
		return
	}
	text, _ := r.do(t, "GET", "freshet#ctl").(string)
	parts := strings.Split(text, ":")
	if len(parts) < 2 {
		return
	}
	begun := r.s.redis.control.incarnation
	switch {
	case parts[1] == r.real && begun != r.begun && !r.lost:
		t.Fatalf("the model has begun a new life, and the store goes on with %s", r.real)
	case parts[1] == r.real && begun != r.begun:
		// The store has not looked where the model has found the loss: what its
		// replica refuses it does not ask Redis about. Both are led to look.
		r.do(t, "DEL", "freshet#ctl")
		r.s.redis.control = control{}
		r.real, r.begun = "", 0
		return
	case parts[1] != r.real && (begun == r.begun || begun == 0):
		r.s.redis.control = control{}
		r.reads.ensure(&r.s, false)
		r.s.redis.entry = [maxKeys]entry{}
		r.s.actor = [maxActors]actor{}
		r.lost = r.lost || r.real != "" // the first life ends no other
	}
	r.real, r.begun = parts[1], r.s.redis.control.incarnation
}

func (r *replay) actions(more map[string]func(*rapid.T)) map[string]func(*rapid.T) {
	all := map[string]func(*rapid.T){
		"": r.observe, "lookup": r.lookup, "look up again": r.lookup, "fill": r.fill, "fill more": r.fill,
		"valid": r.valid, "invalidate": r.invalidate,
	}
	for name, f := range more {
		all[name] = f
	}
	return all
}

func openRedis(server *redistest.Server) (freshet.Store, error) {
	return redisstore.New(context.Background(), &redisstore.Options{
		Host: "127.0.0.1", Port: server.Port, Logger: slog.New(slog.DiscardHandler),
		// Longer than a walk: what falls due is the model's alone.
		IntentDeadline: 10 * time.Minute,
	})
}

// onRedis returns a replay on two stores of an empty server.
func onRedis(t *rapid.T, server *redistest.Server) *replay {
	var stores [maxProcesses]freshet.Store
	for i := range stores {
		var err error
		if stores[i], err = openRedis(server); err != nil {
			t.Fatal(err)
		}
	}
	r := newReplay(func(process int) int { return process }, stores)
	r.server = server
	r.flush(t)
	// The first look-up begins a life in the store as in the model. Nobody has a
	// replica before.
	r.s.redis.control = control{}
	for i := range r.s.process {
		r.s.process[i].incarnation, r.s.process[i].vouched = 0, 0
	}
	r.s.incarnations, r.begun = 0, 0
	return r
}

func (r *replay) close() {
	for _, s := range r.stores {
		_ = s.Close()
	}
}

// tally is what walks have come across.
type tally struct{ walks, stored, hits int }

func (s *tally) add(r *replay) {
	s.walks, s.stored, s.hits = s.walks+1, s.stored+r.stored, s.hits+r.hits
}

func (s *tally) want(t *testing.T) {
	t.Helper()
	t.Logf("in %d walks %d fills were stored and %d look-ups hit", s.walks, s.stored, s.hits)
	if s.stored == 0 || s.hits == 0 {
		t.Error("the walks show nothing")
	}
}

// TestReplayOnRedis: without losses the store does what the model does, to the
// hit.
func TestReplayOnRedis(t *testing.T) {
	server := redistest.Start(t)
	var sum tally
	rapid.Check(t, func(t *rapid.T) {
		r := onRedis(t, server)
		defer r.close()
		t.Repeat(r.actions(map[string]func(*rapid.T){"intend": r.intend, "new process": r.forget}))
		sum.add(r)
	})
	sum.want(t)
}

// TestReplayOfLosses: the store never hits, stores or calls valid what the model
// does not, whatever is lost.
func TestReplayOfLosses(t *testing.T) {
	server := redistest.Start(t)
	var sum tally
	rapid.Check(t, func(t *rapid.T) {
		_ = os.Remove(server.Path("dump.rdb"))
		r := onRedis(t, server)
		defer r.close()
		t.Repeat(r.actions(map[string]func(*rapid.T){
			"intend": r.intend, "new process": r.forget, "lose": r.lose, "snapshot": r.snapshot, "restart": r.restart,
		}))
		sum.add(r)
	})
	sum.want(t)
}

// inMemory is a walk with a store in memory.
func inMemory(t *rapid.T, breaks func(freshet.Store) freshet.Store) *replay {
	store, err := memstore.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	s := breaks(store)
	r := newReplay(func(int) int { return 0 }, [maxProcesses]freshet.Store{s, s})
	defer r.close()
	t.Repeat(r.actions(nil))
	return r
}

// TestReplayInMemory: the store in memory does what the model of one process does.
// It refuses some fills that Redis takes and never serves.
func TestReplayInMemory(t *testing.T) {
	var sum tally
	rapid.Check(t, func(t *rapid.T) {
		sum.add(inMemory(t, func(s freshet.Store) freshet.Store { return s }))
	})
	sum.want(t)
}

// restamped is a store with a guard removed: an entry gets a stamp from when it is
// stored.
type restamped struct{ freshet.Store }

func (s restamped) Fill(ctx context.Context, ref freshet.Ref, _ freshet.Stamp, e *freshet.Entry) (freshet.Outcome, error) {
	found, err := s.Lookup(ctx, ref)
	if err != nil {
		return 0, err
	}
	return s.Store.Fill(ctx, ref, found.Stamp, e)
}

// deaf is a store with a guard removed: it takes no invalidations of tags.
type deaf struct{ freshet.Store }

func (s deaf) Invalidate(ctx context.Context, targets []freshet.Target) (freshet.Version, error) {
	if targets[0].Kind == freshet.TargetTag {
		targets = nil
	}
	return s.Store.Invalidate(ctx, targets)
}

// unmarked is a store with a guard removed: it does not say what is softly banned.
type unmarked struct{ freshet.Store }

func (s unmarked) Lookup(ctx context.Context, ref freshet.Ref) (freshet.Found, error) {
	found, err := s.Store.Lookup(ctx, ref)
	if found.Entry != nil {
		found.Reason = freshet.Absent
	}
	return found, err
}

// expectant is a test that is expected to fail.
type expectant struct {
	*testing.T
	failed bool
}

func (e *expectant) Errorf(string, ...any) { e.failed = true }
func (e *expectant) Fail()                 { e.failed = true }
func (e *expectant) Failed() bool          { return e.failed }
func (e *expectant) FailNow()              { e.failed = true; runtime.Goexit() }

func (e *expectant) Fatalf(string, ...any) { e.FailNow() }

// TestReplayControls: a walk with a store that lacks a guard is found out.
func TestReplayControls(t *testing.T) {
	// What fails here is no news to be kept in a file.
	if err := flag.Set("rapid.nofailfile", "true"); err != nil {
		t.Fatal(err)
	}
	defer flag.Set("rapid.nofailfile", "false")
	for name, breaks := range map[string]func(freshet.Store) freshet.Store{
		"restamped": func(s freshet.Store) freshet.Store { return restamped{s} },
		"deaf":      func(s freshet.Store) freshet.Store { return deaf{s} },
		"unmarked":  func(s freshet.Store) freshet.Store { return unmarked{s} },
	} {
		t.Run(name, func(t *testing.T) {
			e := &expectant{T: t}
			var all sync.WaitGroup
			all.Go(func() { rapid.Check(e, func(t *rapid.T) { inMemory(t, breaks) }) })
			all.Wait()
			if !e.failed {
				t.Error("no walk has found it out: the walks show nothing")
			}
		})
	}
}
