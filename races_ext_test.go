package freshet_test

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/freshet-dev/freshet"
)

// The tests below are races that have been reported against other caches, each as
// its report has it, with gates instead of luck. A control next to them shows the
// same race on a store that works as the one in the report.

// contest is an API with one row, in one process or two.
type contest struct {
	t     *testing.T
	row   atomic.Int64
	hold  atomic.Bool   // the next load waits after it has read
	read  chan struct{} // it has read
	leave chan struct{} // it may go on
	here  http.Handler  // the process that loads
	there http.Handler  // the one that writes, and that reads afterwards
	cache *freshet.Cache
}

// newContest serves the row under rule from the first and the last of stores.
func newContest(t *testing.T, rule freshet.Rule, stores ...freshet.Store) *contest {
	c := &contest{t: t, read: make(chan struct{}), leave: make(chan struct{})}
	for i, s := range stores {
		cache, _ := open(t, s)
		h := routed(cache.Handler(rule, c))
		if i == 0 {
			c.here = h
		}
		c.there, c.cache = h, cache
	}
	return c
}

// ServeHTTP is the load. It tells a tag of its own only when it is done, as a
// handler does that learns it from its result.
func (c *contest) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	row := c.row.Load()
	if c.hold.CompareAndSwap(true, false) {
		c.read <- struct{}{}
		<-c.leave
	}
	freshet.FromContext(r.Context()).Tag("row:1")
	w.Header().Set("Etag", fmt.Sprintf(`"%d"`, row))
	fmt.Fprint(w, row)
}

// around runs change while a load has read the row and not stored it yet.
func (c *contest) around(change func()) {
	c.t.Helper()
	c.hold.Store(true)
	var load sync.WaitGroup
	load.Go(func() { get(c.t, c.here) })
	<-c.read
	change()
	c.leave <- struct{}{}
	load.Wait()
}

// write changes the row and returns when targets are invalidated.
func (c *contest) write(targets ...freshet.Target) {
	c.t.Helper()
	c.row.Add(1)
	if _, err := c.cache.Invalidate(c.t.Context(), targets...); err != nil {
		c.t.Error(err)
	}
}

// stale counts the processes that answer with something else than the row.
func (c *contest) stale() (n int) {
	c.t.Helper()
	want := fmt.Sprint(c.row.Load())
	for _, h := range []http.Handler{c.here, c.there} {
		if get(c.t, h) != want {
			n++
		}
	}
	return n
}

// onEachStore runs f with the stores of one process in memory and of two on Redis.
func onEachStore(t *testing.T, f func(t *testing.T, stores []freshet.Store)) {
	t.Run("in memory", func(t *testing.T) {
		noLeak(t)
		f(t, []freshet.Store{newFake(t)})
	})
	t.Run("on Redis", func(t *testing.T) {
		noLeak(t)
		stores, _ := redisProcesses(t, 2)
		f(t, stores)
	})
}

// control runs f on a store that lacks what the race is lost without.
func control(t *testing.T, broken func(freshet.Store) freshet.Store, f func(t *testing.T, store freshet.Store) (stale int)) {
	t.Run("control", func(t *testing.T) {
		noLeak(t)
		if f(t, broken(newFake(t))) == 0 {
			t.Error("nothing is stale without the guard: the test shows nothing")
		}
	})
}

func restamping(s freshet.Store) freshet.Store { return restamped{s} }

// TestGuava1881 is google/guava#1881: a key is invalidated while the first load of
// it is under way, and the value from before stays in the cache.
//
//  1. a get misses, and its loader reads the row
//  2. the row is changed, and its key invalidated
//  3. the loader returns the old row, which is stored
//  4. a get finds it
func TestGuava1881(t *testing.T) {
	race := func(t *testing.T, stores ...freshet.Store) int {
		c := newContest(t, item, stores...)
		c.around(func() { c.write(freshet.Key("item:1")) })
		return c.stale()
	}
	onEachStore(t, func(t *testing.T, stores []freshet.Store) {
		if n := race(t, stores...); n > 0 {
			t.Errorf("%d answers are stale", n)
		}
	})
	control(t, restamping, func(t *testing.T, s freshet.Store) int { return race(t, s) })
}

// credulous is a store that never knows of an invalidation since a stamp.
type credulous struct{ freshet.Store }

func (credulous) Valid(context.Context, freshet.Ref, []string, freshet.Stamp) (bool, error) {
	return true, nil
}

// TestFusionCache625 is ZiggyCreatures/FusionCache#625: a key is removed while its
// factory is running, and who asks for it then waits for that factory, and gets
// what it had read before.
//
//  1. a get starts the factory, which reads the row
//  2. the row is changed, and its key removed
//  3. another get begins while the factory of 1 is still running
//  4. the factory ends: 3 must not be answered by it, nor anybody after
func TestFusionCache625(t *testing.T) {
	race := func(t *testing.T, stores ...freshet.Store) (stale int) {
		c := newContest(t, item, stores...)
		answers := make(chan string, 1)
		c.around(func() {
			c.write(freshet.Key("item:1"))
			// In the process of the factory. It has to load for itself, which
			// ends; the broken store makes it wait for 4.
			go func() { answers <- get(t, c.here) }()
			select {
			case got := <-answers:
				answers <- got
			case <-time.After(patience(stores)):
			}
		})
		if <-answers != "1" {
			stale++
		}
		return stale + c.stale()
	}
	onEachStore(t, func(t *testing.T, stores []freshet.Store) {
		if n := race(t, stores...); n > 0 {
			t.Errorf("%d answers are stale", n)
		}
	})
	control(t, func(s freshet.Store) freshet.Store { return credulous{s} },
		func(t *testing.T, s freshet.Store) int { return race(t, s) })
}

// patience is how long to wait for who should not have to wait: with a broken
// store, which makes him, not for long.
func patience(stores []freshet.Store) time.Duration {
	if _, broken := stores[0].(credulous); broken {
		return 50 * time.Millisecond
	}
	return time.Minute
}

// TestFusionCache628 is ZiggyCreatures/FusionCache#628: a tag is removed while an
// entry that is there already is loaded anew, and since the new one is stamped
// when its factory has ended, it outlives the removal. The tag is one that only
// the handler knows, and only at its end.
//
//  1. an entry is stored, and then out of date
//  2. it is loaded anew: the factory reads the row
//  3. the row is changed, and the tag removed
//  4. the factory ends, and its entry is younger than the removal
func TestFusionCache628(t *testing.T) {
	race := func(t *testing.T, stores ...freshet.Store) int {
		c := newContest(t, item, stores...)
		get(t, c.here)
		c.write(freshet.Tag("row:1"))
		c.around(func() { c.write(freshet.Tag("row:1")) })
		return c.stale()
	}
	onEachStore(t, func(t *testing.T, stores []freshet.Store) {
		if n := race(t, stores...); n > 0 {
			t.Errorf("%d answers are stale", n)
		}
	})
	control(t, restamping, func(t *testing.T, s freshet.Store) int { return race(t, s) })
}

// TestVarnish1420 is varnishcache/varnish-cache#1420, the race of a ban with a
// fetch: an object that is being fetched while a ban comes in counts as newer than
// the ban, so it is never tested against it. The ban is a pattern.
func TestVarnish1420(t *testing.T) {
	race := func(t *testing.T, stores ...freshet.Store) int {
		c := newContest(t, item, stores...)
		c.around(func() { c.write(freshet.Match("item:*")) })
		return c.stale()
	}
	onEachStore(t, func(t *testing.T, stores []freshet.Store) {
		if n := race(t, stores...); n > 0 {
			t.Errorf("%d answers are stale", n)
		}
	})
	control(t, restamping, func(t *testing.T, s freshet.Store) int { return race(t, s) })
}

// indexed is a store with a set of keys for each tag: a fill enters its key first
// and is stored then; an invalidation of a tag removes what the set names, and
// empties it.
type indexed struct {
	*fakeStore
	mu   *sync.Mutex
	sets map[string]map[string]bool
	// between runs once, after the next fill has entered its key.
	between *func()
}

func newIndexed(s freshet.Store) indexed {
	return indexed{wrap(s), new(sync.Mutex), map[string]map[string]bool{}, new(func())}
}

func (s indexed) Fill(ctx context.Context, ref freshet.Ref, _ freshet.Stamp, e *freshet.Entry) (freshet.Outcome, error) {
	s.mu.Lock()
	for _, tag := range e.Tags {
		if s.sets[tag] == nil {
			s.sets[tag] = map[string]bool{}
		}
		s.sets[tag][ref.Key] = true
	}
	s.mu.Unlock()
	if do := *s.between; do != nil {
		*s.between = nil
		do()
	}
	plain := *e
	plain.Tags = nil
	return restamped{s.Store}.Fill(ctx, ref, freshet.Stamp{}, &plain)
}

func (s indexed) Invalidate(ctx context.Context, targets []freshet.Target) (freshet.Version, error) {
	var keys []freshet.Target
	s.mu.Lock()
	for _, t := range targets {
		for key := range maps.Keys(s.sets[t.Value]) {
			keys = append(keys, freshet.Key(key))
		}
		delete(s.sets, t.Value)
	}
	s.mu.Unlock()
	return s.Store.Invalidate(ctx, keys)
}

// TestLaravel61328 is laravel/framework#61328: a flush of a tag between a write's
// entry in the tag's set and the write itself leaves a value that no later flush
// can reach.
//
//  1. a value is loaded, and its key entered in the set of its tag
//  2. the tag is flushed: nothing is there to be deleted, and the set is emptied
//  3. the value of 1 is written
//  4. the tag is flushed again, and the value is still served
func TestLaravel61328(t *testing.T) {
	race := func(t *testing.T, between func(do func()), stores ...freshet.Store) int {
		c := newContest(t, item, stores...)
		between(func() { c.write(freshet.Tag("items")) })
		get(t, c.here)
		c.write(freshet.Tag("items"))
		return c.stale()
	}
	onEachStore(t, func(t *testing.T, stores []freshet.Store) {
		first := wrap(stores[0])
		stores[0] = first
		between := func(do func()) {
			var once sync.Once
			first.on("Fill", func(context.Context) error { once.Do(do); return nil })
		}
		if n := race(t, between, stores...); n > 0 {
			t.Errorf("%d answers are stale", n)
		}
	})
	t.Run("control", func(t *testing.T) {
		noLeak(t)
		s := newIndexed(newFake(t))
		if race(t, func(do func()) { *s.between = do }, s) == 0 {
			t.Error("nothing is stale with a set for each tag: the test shows nothing")
		}
	})
}

// listing is a store that clears by a list of the keys, and goes on removing what it
// has listed after the call has returned: when finish is called.
type listing struct {
	*fakeStore
	mu     *sync.Mutex
	keys   map[string]bool
	listed *[]freshet.Target
}

func (s listing) Fill(ctx context.Context, ref freshet.Ref, stamp freshet.Stamp, e *freshet.Entry) (freshet.Outcome, error) {
	s.mu.Lock()
	s.keys[ref.Key] = true
	s.mu.Unlock()
	return s.fakeStore.Fill(ctx, ref, stamp, e)
}

func (s listing) Invalidate(ctx context.Context, _ []freshet.Target) (freshet.Version, error) {
	s.mu.Lock()
	for key := range s.keys {
		*s.listed = append(*s.listed, freshet.Key(key))
	}
	s.mu.Unlock()
	return s.Store.Invalidate(ctx, *s.listed)
}

func (s listing) finish() { _, _ = s.Store.Invalidate(context.Background(), *s.listed) }

// refill stores n entries, clears, stores them again at once, waits until what was
// cleared is removed for good, and counts the new ones that are gone.
func refill(t *testing.T, store freshet.Store, finish func()) (gone int) {
	const n = 300
	cache, _ := open(t, store)
	load := func(i int, value string) string {
		got, err := freshet.Load(t.Context(), cache, fmt.Sprint("item:", i), 0, func(context.Context) (string, error) {
			return value, nil
		})
		if err != nil {
			t.Error(err)
		}
		return got
	}
	for i := range 2 * n {
		load(i, "old")
	}
	if _, err := cache.Invalidate(t.Context(), freshet.All()); err != nil {
		t.Error(err)
	}
	for i := range n {
		load(i, "new")
	}
	finish()
	for i := range n {
		if load(i, "newer") != "new" {
			gone++
		}
	}
	return gone
}

// TestSpring36806 is spring-projects/spring-framework#36806: clearing lists the
// keys first and unlinks what it has listed afterwards, so that entries that are
// stored in between are removed although they are newer.
func TestSpring36806(t *testing.T) {
	t.Run("in memory", func(t *testing.T) {
		noLeak(t)
		if gone := refill(t, newFake(t), func() {}); gone > 0 {
			t.Errorf("%d new entries are gone", gone)
		}
	})
	t.Run("on Redis", func(t *testing.T) {
		noLeak(t)
		stores, server := redisProcesses(t, 1)
		// The old entries that nobody has replaced go in background, and the
		// new ones, which were listed with them, do not.
		swept := func() {
			for end := time.Now().Add(time.Minute); ; time.Sleep(5 * time.Millisecond) {
				keys, err := server.Do("KEYS", "item:*")
				if err != nil || time.Now().After(end) {
					t.Fatalf("the old entries are still there: %v", err)
				}
				if len(keys.([]any)) <= 300 {
					return
				}
			}
		}
		if gone := refill(t, stores[0], swept); gone > 0 {
			t.Errorf("%d new entries are gone", gone)
		}
	})
	t.Run("control", func(t *testing.T) {
		noLeak(t)
		s := listing{newFake(t), new(sync.Mutex), map[string]bool{}, new([]freshet.Target)}
		if refill(t, s, s.finish) == 0 {
			t.Error("nothing is gone with a list of keys: the test shows nothing")
		}
	})
}

// counted is a store that has a number for each tag, and entries with the numbers
// of their tags. A number that is missing is zero.
type counted struct {
	freshet.Store
	numbers map[string]int
}

func (s counted) Invalidate(_ context.Context, targets []freshet.Target) (freshet.Version, error) {
	for _, t := range targets {
		s.numbers[t.Value]++
	}
	return 0, nil
}

func (s counted) Fill(ctx context.Context, ref freshet.Ref, stamp freshet.Stamp, e *freshet.Entry) (freshet.Outcome, error) {
	e.Header = append(e.Header, freshet.Field{Name: "Number", Value: fmt.Sprint(s.numbers["items"])})
	return s.Store.Fill(ctx, ref, stamp, e)
}

func (s counted) Lookup(ctx context.Context, ref freshet.Ref) (freshet.Found, error) {
	found, err := s.Store.Lookup(ctx, ref)
	if e := found.Entry; e != nil && e.Header[len(e.Header)-1].Value != fmt.Sprint(s.numbers["items"]) {
		found.Entry = nil
	}
	return found, err
}

// TestSymfony44015 is symfony/symfony#44015: tags have version numbers that count
// from zero. When the cache evicts the number of a tag, it is zero again, and
// entries from before the first invalidation are valid once more.
func TestSymfony44015(t *testing.T) {
	for _, evicted := range []string{"tb", "ctl", "kb", "tb ctl", "tb kb", "ctl kb", "tb ctl kb"} {
		t.Run(evicted, func(t *testing.T) {
			noLeak(t)
			stores, server := redisProcesses(t, 2)
			c := newContest(t, item, stores...)
			get(t, c.here)
			c.write(freshet.Tag("items"))
			for key := range strings.FieldsSeq(evicted) {
				if _, err := server.Do("DEL", "freshet#"+key); err != nil {
					t.Fatal(err)
				}
			}
			if n := c.stale(); n > 0 {
				t.Errorf("%d answers are stale", n)
			}
		})
	}
	t.Run("control", func(t *testing.T) {
		noLeak(t)
		s := counted{newFake(t), map[string]int{}}
		c := newContest(t, item, s)
		get(t, c.here)
		c.write(freshet.Tag("items"))
		clear(s.numbers)
		if c.stale() == 0 {
			t.Error("nothing is stale with a number for each tag: the test shows nothing")
		}
	})
}

// TestBentocache83 is Julien-R44/bentocache#83: a deployment gives an entry another
// tag, and what was stored without it is served on, and not reached by the new tag.
func TestBentocache83(t *testing.T) {
	race := func(t *testing.T, tags []string, stores []freshet.Store) int {
		older, newer := item, item
		older.Tags, newer.Tags = []string{"labels"}, tags
		get(t, newContest(t, older, unclosed{stores[0]}).here)
		after := newContest(t, newer, stores...)
		after.write(freshet.Tag("datasets"))
		return after.stale()
	}
	onEachStore(t, func(t *testing.T, stores []freshet.Store) {
		if n := race(t, []string{"labels", "datasets"}, stores); n > 0 {
			t.Errorf("%d answers are stale", n)
		}
		// The control: the same rule finds the entry, which the tag does not cover.
		if race(t, []string{"labels"}, []freshet.Store{unclosed{stores[0]}}) == 0 {
			t.Error("nothing is stale with the same tags: the test shows nothing")
		}
	})
}

// unclosed is a store that another cache closes.
type unclosed struct{ freshet.Store }

func (unclosed) Close() error { return nil }

// TestVarnish4082 is varnishcache/varnish-cache#4082: an old object is invalidated
// while it is being revalidated, and the "not modified" of that revalidation gives
// it a new life. Here it is the client that revalidates, with the tag of the old
// answer, while a load from before the invalidation is under way.
func TestVarnish4082(t *testing.T) {
	onEachStore(t, func(t *testing.T, stores []freshet.Store) {
		c := newContest(t, item, stores...)
		revalidate := func() *httptest.ResponseRecorder {
			r := httptest.NewRequestWithContext(t.Context(), "GET", "/items/1", nil)
			r.Header.Set("If-None-Match", `"0"`)
			w := httptest.NewRecorder()
			c.here.ServeHTTP(w, r)
			return w
		}
		c.around(func() {
			c.write(freshet.Key("item:1"))
			if w := revalidate(); w.Code != http.StatusOK || w.Body.String() != "1" {
				t.Errorf("during the load: %d %q, want the new row", w.Code, w.Body)
			}
		})
		if w := revalidate(); w.Code != http.StatusOK || w.Body.String() != "1" {
			t.Errorf("afterwards: %d %q, want the new row", w.Code, w.Body)
		}
	})
}
