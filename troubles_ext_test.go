package freshet_test

import (
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/freshet-dev/freshet/internal/redistest"
	"github.com/freshet-dev/freshet/redisstore"
)

const (
	lookupLimit = 250 * time.Millisecond
	socketLimit = 500 * time.Millisecond
)

// fault is one way in which Redis can be in trouble. Both functions return when
// the trouble has begun, or ended.
type fault struct {
	name       string
	begin, end func(*outage)
	hits       bool // that are still served meanwhile
}

// troubles has every trouble that we can make. Where Redis keeps its data over it,
// the entries from before are still there afterwards, and only the invalidations
// that are owed can tell that they have become wrong.
var troubles = []fault{
	{"stopped", func(o *outage) { o.server.Stop() }, func(o *outage) { o.server.Start() }, false},
	{"frozen", func(o *outage) { o.server.Freeze() }, func(o *outage) { o.server.Thaw() }, false},
	{"read-only", func(o *outage) { o.do("REPLICAOF", "127.0.0.1", "1") }, func(o *outage) { o.do("REPLICAOF", "NO", "ONE") }, true},
	{"full", func(o *outage) { o.do("CONFIG", "SET", "maxmemory", "1") }, func(o *outage) { o.do("CONFIG", "SET", "maxmemory", "0") }, true},
	{"loading", (*outage).reload, func(o *outage) { o.do("CONFIG", "SET", "key-load-delay", "0") }, false},
	{"slow", func(o *outage) { o.proxy.Delay(lookupLimit / 5) }, func(o *outage) { o.proxy.Pass() }, true},
	{"slower than the limit", func(o *outage) { o.proxy.Delay(lookupLimit * 6 / 5) }, func(o *outage) { o.proxy.Pass() }, false},
	{"half-open connections", func(o *outage) { o.proxy.BlackHole() }, func(o *outage) { o.proxy.Pass() }, false},
	{"connections refused", func(o *outage) { o.proxy.Refuse(); o.proxy.Cut() }, func(o *outage) { o.proxy.Pass() }, false},
	{"the name is gone", func(o *outage) { o.names.gone.Store(true); o.proxy.Cut() }, func(o *outage) { o.names.gone.Store(false) }, false},
	{"resets", func(o *outage) { o.proxy.Reset(0.01) }, func(o *outage) { o.proxy.Pass() }, true},
}

// TestRedisInTrouble: in every trouble of Redis all requests are answered, by their
// handlers or freshly from the cache; few wait for it; no invalidation is lost;
// and hits return by themselves.
func TestRedisInTrouble(t *testing.T) {
	noLeak(t)
	names := serveNames(t)
	// In a group of their own, so that all have ended before what they share.
	t.Run("all", func(t *testing.T) {
		for _, f := range troubles {
			t.Run(f.name, func(t *testing.T) {
				t.Parallel()
				o := newOutage(t, names)
				for p := range o.apis {
					o.wantHits(p)
				}
				before, asked, late := o.hits.Load(), o.requests.Load(), o.waited.Load()
				f.begin(o)
				o.traffic()
				hits, all := o.hits.Load()-before, o.requests.Load()-asked
				if some := hits > all/10; some != f.hits {
					t.Errorf("%d of %d requests were hits", hits, all)
				}
				// Seven at most are under way when it begins; others may have
				// waited for the machine.
				if n := o.waited.Load() - late; !f.hits && n > all/4 {
					t.Errorf("%d of %d requests have waited", n, all)
				}
				f.end(o)
				o.settle()
				for p := range o.apis {
					o.wantHits(p)
				}
			})
		}
	})
}

// items is how many rows there are; those up to written are changed in an outage.
const (
	items   = 5
	written = 3
)

// outage is two processes of an API on one Redis, behind a proxy.
type outage struct {
	*testing.T
	server *redistest.Server
	proxy  *redistest.Proxy
	names  *nameServer
	apis   []http.Handler
	diary  *diary // of the first process, which makes all writes

	rows [items]atomic.Int64
	// least is what a process may answer at least: a change counts for the
	// process that has made it once it is answered, for others when its
	// invalidation has been carried out.
	least [2][items]atomic.Int64

	requests, hits, waited atomic.Int64
}

func newOutage(t *testing.T, names *nameServer) *outage {
	o := &outage{T: t, names: names, server: redistest.Start(t, "--maxmemory-policy", "noeviction",
		"--key-load-delay", "2000", "--loading-process-events-interval-bytes", "1024", "--rdbcompression", "no")}
	o.proxy = redistest.StartProxy(t, o.server.Addr)
	for range o.least {
		store, err := redisstore.New(t.Context(), &redisstore.Options{
			Host: "redis.test", Port: o.proxy.Port, SocketTimeout: socketLimit, LookupTimeout: lookupLimit,
			ConnectTimeout: socketLimit, Logger: slog.New(slog.DiscardHandler),
		})
		if err != nil {
			t.Fatal(err)
		}
		c, d := open(t, store)
		o.apis = append(o.apis, routed(c.Handler(item, http.HandlerFunc(o.serve))))
		if o.diary == nil {
			o.diary = d
		}
	}
	return o
}

// serve is the handler: it reads, or changes and reads, one row.
func (o *outage) serve(w http.ResponseWriter, r *http.Request) {
	id, _ := strconv.Atoi(r.PathValue("id"))
	if r.Method == http.MethodPut {
		o.rows[id].Add(1)
	}
	fmt.Fprint(w, o.rows[id].Load())
}

func (o *outage) do(args ...string) {
	o.Helper()
	if _, err := o.server.Do(args...); err != nil {
		o.Fatalf("%q: %v", args, err)
	}
}

// reload makes the server start from a snapshot that takes it ten seconds to read,
// unless it is told to hurry.
func (o *outage) reload() {
	o.do("EVAL", "for i = 1, 5000 do redis.call('SET', 'x' .. i, string.rep('x', 1024)) end", "0")
	o.do("SAVE")
	o.server.Stop()
	o.server.Start()
}

// traffic sends reads to both processes and writes to the first.
func (o *outage) traffic() {
	var all sync.WaitGroup
	for p := range o.apis {
		for range 3 {
			all.Go(func() {
				for i := range 50 {
					o.get(p, i%items)
					time.Sleep(5 * time.Millisecond)
				}
			})
		}
	}
	all.Go(func() {
		for i := range 4 * written {
			o.put(i % written)
			time.Sleep(20 * time.Millisecond)
		}
	})
	all.Wait()
}

// ask sends a request and returns its answer, and how the cache had a part in it.
func (o *outage) ask(p int, method string, id int) (row int64, status string) {
	begun := time.Now()
	w := send(o.Context(), o.apis[p], method, "/items/"+strconv.Itoa(id))
	if time.Since(begun) > lookupLimit*4/5 {
		o.waited.Add(1)
	}
	o.requests.Add(1)
	row, err := strconv.ParseInt(w.Body.String(), 10, 64)
	if err != nil || w.Code != http.StatusOK {
		o.Errorf("%s of item %d is answered %d, %q", method, id, w.Code, w.Body)
	}
	return row, w.Header().Get("Cache-Status")
}

func (o *outage) get(p, id int) (row int64, hit bool) {
	least := o.least[p][id].Load()
	row, status := o.ask(p, http.MethodGet, id)
	if row < least {
		o.Errorf("process %d answers item %d with row %d, want %d at least: %s", p, id, row, least, status)
	}
	if hit = isHit(status); hit {
		o.hits.Add(1)
	}
	return row, hit
}

func (o *outage) put(id int) {
	row, status := o.ask(0, http.MethodPut, id)
	o.least[0][id].Store(row)
	if strings.Contains(status, "invalidated") {
		o.least[1][id].Store(row)
	}
}

// settle waits until the first process owes nothing any more. What it has owed is
// not served by it meanwhile, and by nobody afterwards.
func (o *outage) settle() {
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) {
		for id := range items {
			o.get(0, id)
		}
		if len(o.diary.lines("has taken all invalidations")) == len(o.diary.lines("does not take invalidations")) {
			break
		}
		if time.Now().After(deadline) {
			o.Fatal("the invalidations were not delivered within a minute")
		}
	}
	for id := range items {
		o.least[1][id].Store(o.rows[id].Load())
	}
}

// wantHits waits until a process answers all items from the cache, with what they
// are now.
func (o *outage) wantHits(p int) {
	o.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(5 * time.Millisecond) {
		all := true
		for id := range items {
			row, hit := o.get(p, id)
			all = all && hit && row == o.rows[id].Load()
		}
		if all {
			return
		}
		if time.Now().After(deadline) {
			o.Fatalf("process %d: not everything is a hit after a minute", p)
		}
	}
}
