package redisstore

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/freshet-dev/freshet"
	"github.com/freshet-dev/freshet/internal/redistest"
)

// cachedRow is a row of a database that is read through the cache.
type cachedRow struct {
	key, tag  string
	write     sync.Mutex   // held from the commit until the invalidation has returned
	committed atomic.Int64 // what a load reads
	returned  atomic.Int64 // the newest version whose invalidation has returned
}

// pressed is a database with readers and writers, in several processes, while
// something happens to Redis.
type pressed struct {
	open                           func() *Store
	rows                           []*cachedRow
	body                           string
	gets, hits, stale, bans, fails atomic.Int64
}

// run lets four readers and two writers work, and calls harm again and again.
// Each reader is a process of its own that starts anew now and then.
func (p *pressed) run(t *testing.T, span time.Duration, harm func()) {
	for i := range 300 {
		p.rows = append(p.rows, &cachedRow{key: fmt.Sprint("row:", i), tag: fmt.Sprint("group:", i%40)})
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var all sync.WaitGroup
	for i := range 6 {
		all.Go(func() {
			s := p.open()
			for n := 1; ctx.Err() == nil; n++ {
				row := p.rows[rand.IntN(len(p.rows))]
				if i < 2 {
					p.put(s, row)
					continue
				}
				p.get(s, row)
				if n%500 == 0 {
					s.Close()
					s = p.open()
				}
			}
		})
	}
	// On a busy machine it takes longer until there are hits between the harms.
	shown := func() bool { return p.hits.Load() > 0 && p.bans.Load() > 0 }
	for begun := time.Now(); time.Since(begun) < span || !shown() && time.Since(begun) < 10*span; {
		harm()
		time.Sleep(20 * time.Millisecond) // the rate of the harm, not an order
	}
	stop()
	all.Wait()
	t.Logf("%d stale of %d reads, %d of them hits, over %d invalidations; %d calls failed",
		p.stale.Load(), p.gets.Load(), p.hits.Load(), p.bans.Load(), p.fails.Load())
	if p.stale.Load() > 0 || !shown() {
		t.Error("stale, or nothing was shown")
	}
}

func (p *pressed) get(s *Store, row *cachedRow) {
	due := row.returned.Load()
	ref := freshet.Ref{Key: row.key}
	found, err := s.Lookup(context.Background(), ref)
	if err != nil {
		p.fails.Add(1)
		return
	}
	p.gets.Add(1)
	if found.Entry != nil {
		p.hits.Add(1)
		version, _, _ := strings.Cut(found.Entry.Body, " ")
		if n, err := strconv.ParseInt(version, 10, 64); err != nil || n < due {
			p.stale.Add(1)
		}
		return
	}
	e := &freshet.Entry{Loaded: time.Now(), TTL: time.Hour, Tags: []string{row.tag}}
	e.Body = strconv.FormatInt(row.committed.Load(), 10) + " " + p.body
	time.Sleep(rand.N(2 * time.Millisecond)) // the load
	if _, err := s.Fill(context.Background(), ref, found.Stamp, e); err != nil {
		p.fails.Add(1)
	}
}

func (p *pressed) put(s *Store, row *cachedRow) {
	row.write.Lock()
	defer row.write.Unlock()
	version := row.committed.Add(1)
	target := freshet.Key(row.key)
	if version%2 == 0 {
		target = freshet.Tag(row.tag)
	}
	if _, err := s.Invalidate(context.Background(), []freshet.Target{target}); err != nil {
		p.fails.Add(1)
		return
	}
	row.returned.Store(version)
	p.bans.Add(1)
	time.Sleep(rand.N(5 * time.Millisecond))
}

// TestLossUnderLoad: whatever Redis loses, and whenever, nothing stale is served.
func TestLossUnderLoad(t *testing.T) {
	redis := func(args ...string) func(*redistest.Server) {
		return func(server *redistest.Server) {
			if _, err := server.Do(args...); err != nil {
				t.Errorf("%q: %v", args, err)
			}
		}
	}
	tests := []struct {
		name string
		args []string
		most int // bans that are kept
		harm func(*redistest.Server)
	}{
		{"FLUSHDB", nil, mostBans, redis("FLUSHDB")},
		{"FLUSHALL", nil, mostBans, redis("FLUSHALL", "ASYNC")},
		{"SWAPDB", nil, mostBans, func(s *redistest.Server) {
			redis("SWAPDB", "0", "1")(s)
			// What is put back later was put back by somebody.
			_, _ = s.Do("EVAL", "redis.call('SELECT', 1) return redis.call('FLUSHDB')", "0")
		}},
		{"few bans", nil, 5, func(*redistest.Server) {}},
		{"allkeys-lru", []string{"--maxmemory-policy", "allkeys-lru"}, mostBans, nil},
		{"allkeys-lfu", []string{"--maxmemory-policy", "allkeys-lfu"}, mostBans, nil},
		{"allkeys-random", []string{"--maxmemory-policy", "allkeys-random"}, mostBans, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			server := redistest.Start(t, tt.args...)
			p := &pressed{open: func() *Store {
				s := openQuiet(t, &Options{Port: server.Port})
				s.settings.mostBans = tt.most
				return s
			}}
			if tt.harm != nil {
				p.run(t, 3*time.Second, func() { tt.harm(server) })
				return
			}
			// Others fill the memory over and over: something has to go all the time.
			p.body = strings.Repeat("what takes space ", 100)
			press(t, server)
			n := 0
			p.run(t, 3*time.Second, func() {
				n++
				redis("EVAL", "for i = 1, 10 do redis.call('SET', ARGV[1] .. i, string.rep('x', 20000), 'PX', 60000) end",
					"0", fmt.Sprint("filler:", n, ":"))(server)
			})
			evicted(t, server)
		})
	}
}

// press leaves the server two MiB more than it has in use when it is empty.
func press(t *testing.T, server *redistest.Server) {
	t.Helper()
	used, err := strconv.Atoi(infoOf(t, server, "used_memory"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := server.Do("CONFIG", "SET", "maxmemory", strconv.Itoa(used+(2<<20))); err != nil {
		t.Fatal(err)
	}
}

func evicted(t *testing.T, server *redistest.Server) {
	t.Helper()
	n, _ := strconv.Atoi(infoOf(t, server, "evicted_keys"))
	t.Logf("%d keys were evicted", n)
	if n == 0 {
		t.Error("there was no pressure")
	}
}

func infoOf(t *testing.T, server *redistest.Server, field string) string {
	t.Helper()
	info, err := server.Do("INFO")
	if err != nil {
		t.Fatal(err)
	}
	_, text, _ := strings.Cut(fmt.Sprint(info), "\n"+field+":")
	value, _, _ := strings.Cut(text, "\r")
	return value
}
