package redisstore_test

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"path"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/freshet-dev/freshet"
	"github.com/freshet-dev/freshet/internal/redistest"
	"github.com/freshet-dev/freshet/redisstore"
	"github.com/freshet-dev/freshet/storetest"
)

func TestMain(m *testing.M) {
	// What these tests do is wait: for servers, and for time to pass. The default, a
	// test for each processor, would have them wait one after the other.
	if err := flag.Set("test.parallel", "8"); err != nil {
		panic(err)
	}
	// After a change of a cluster's topology the client keeps the connections to
	// nodes that have gone for five more seconds, closed or not, and may look at the
	// topology once more within one.
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/redis/rueidis.(*clusterClient)._refresh.func2"),
		goleak.IgnoreAnyFunction("github.com/redis/rueidis.(*call).DelayDo.func1"))
}

// discard is for stores that are meant to be in trouble.
var discard = slog.New(slog.DiscardHandler)

// patience is for what has to happen some time; only a failing test waits so long.
const patience = 30 * time.Second

// open opens a store on server, with further options.
func open(t testing.TB, server *redistest.Server, change ...func(*redisstore.Options)) *redisstore.Store {
	t.Helper()
	return openWith(t, append([]func(*redisstore.Options){func(o *redisstore.Options) {
		o.Host, o.Port = "127.0.0.1", server.Port
	}}, change...)...)
}

func openWith(t testing.TB, change ...func(*redisstore.Options)) *redisstore.Store {
	t.Helper()
	o := &redisstore.Options{Logger: discard}
	for _, f := range change {
		f(o)
	}
	// Tests that expect hits may not depend on how busy the machine is.
	o.LookupTimeout = cmp.Or(o.LookupTimeout, o.SocketTimeout, 5*time.Second)
	s, err := redisstore.New(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func namespace(name string) func(*redisstore.Options) {
	return func(o *redisstore.Options) { o.Namespace = name }
}

// do is Do for commands that have to succeed.
func do(t testing.TB, server *redistest.Server, args ...string) any {
	t.Helper()
	v, err := server.Do(args...)
	if err != nil {
		t.Fatalf("%q: %v", args, err)
	}
	return v
}

// keys returns the keys of servers that match glob, sorted.
func keys(t testing.TB, glob string, servers ...*redistest.Server) []string {
	t.Helper()
	var all []string
	for _, server := range servers {
		for _, key := range do(t, server, "KEYS", glob).([]any) {
			all = append(all, key.(string))
		}
	}
	slices.Sort(all)
	return all
}

// userKeys returns the keys of server but the control keys.
func userKeys(t testing.TB, server *redistest.Server) []string {
	t.Helper()
	return slices.DeleteFunc(keys(t, "*", server), func(key string) bool { return strings.Contains(key, "freshet#") })
}

// await polls until ok returns true.
func await(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited too long for %s", what)
		}
	}
}

func lookup(t testing.TB, s freshet.Store, ref freshet.Ref) freshet.Found {
	t.Helper()
	found, err := s.Lookup(t.Context(), ref)
	if err != nil {
		t.Fatalf("Lookup of %v: %v", ref, err)
	}
	return found
}

// fill stores an answer with body under ref, as a request would.
func fill(t testing.TB, s freshet.Store, ref freshet.Ref, ttl time.Duration, body string, tags ...string) {
	t.Helper()
	e := &freshet.Entry{Loaded: time.Now(), TTL: ttl, Tags: tags, Status: 200, Body: body}
	outcome, err := s.Fill(t.Context(), ref, lookup(t, s, ref).Stamp, e)
	if err != nil || outcome != freshet.Stored {
		t.Fatalf("Fill of %v: %v, %v", ref, outcome, err)
	}
}

func invalidate(t testing.TB, s freshet.Store, targets ...freshet.Target) {
	t.Helper()
	if _, err := s.Invalidate(t.Context(), targets); err != nil {
		t.Fatalf("Invalidate %v: %v", targets, err)
	}
}

func wantHit(t testing.TB, s freshet.Store, ref freshet.Ref, body string) {
	t.Helper()
	found := lookup(t, s, ref)
	if found.Entry == nil {
		t.Fatalf("Lookup of %v: a miss, %v", ref, found.Reason)
	}
	if found.Entry.Body != body {
		t.Fatalf("Lookup of %v: body %q, want %q", ref, found.Entry.Body, body)
	}
}

func wantMiss(t testing.TB, s freshet.Store, ref freshet.Ref, reason freshet.Reason) {
	t.Helper()
	if found := lookup(t, s, ref); found.Entry != nil || found.Reason != reason {
		t.Fatalf("Lookup of %v: entry %v, reason %v; want a miss, %v", ref, found.Entry, found.Reason, reason)
	}
}

func key(k string) freshet.Ref { return freshet.Ref{Key: k} }

// harness lets the conformance suite play with the stores of one topology.
type harness struct {
	// start returns options for a new, empty Redis, and its masters.
	start func(t testing.TB) (func(*redisstore.Options), []*redistest.Server)
	known map[freshet.Store]started
}

type started struct {
	options func(*redisstore.Options)
	servers []*redistest.Server
}

func (h *harness) suite(partitioned bool) storetest.Harness {
	h.known = make(map[freshet.Store]started)
	return storetest.Harness{
		Open: func(t testing.TB) freshet.Store {
			options, servers := h.start(t)
			// What is lost is cleared once more after the deadline. A check that takes
			// longer would meet that.
			patient := func(o *redisstore.Options) { options(o); o.IntentDeadline = time.Hour }
			s := openWith(t, patient)
			h.known[s] = started{patient, servers}
			return s
		},
		OpenBrief: h.openBrief,
		Peer: func(t testing.TB, first freshet.Store) freshet.Store {
			s := openWith(t, h.known[first].options)
			h.known[s] = h.known[first]
			return s
		},
		Partitioned: partitioned,
		Flush: func(t testing.TB, s freshet.Store) {
			for _, server := range h.known[s].servers {
				do(t, server, "FLUSHALL")
			}
		},
		Forget: map[string]func(testing.TB, freshet.Store){
			"control record":   func(t testing.TB, s freshet.Store) { h.forget(t, s, "*freshet#ctl") },
			"bans":             func(t testing.TB, s freshet.Store) { h.forget(t, s, "*freshet#tb") },
			"bans of keys":     func(t testing.TB, s freshet.Store) { h.forget(t, s, "*freshet#kb") },
			"records":          func(t testing.TB, s freshet.Store) { h.forget(t, s, "*freshet#wi") },
			"all control keys": func(t testing.TB, s freshet.Store) { h.forget(t, s, "*freshet#*") },
		},
		Corrupt: h.corrupt,
		Kill:    func(_ testing.TB, s freshet.Store) { s.Close() },
	}
}

// openBrief opens a store whose intents, and those of its peers, fall due soon. A
// new incarnation clears itself after that time; nothing of it is left on record.
func (h *harness) openBrief(t testing.TB) freshet.Store {
	options, servers := h.start(t)
	brief := func(o *redisstore.Options) { options(o); o.IntentDeadline = 3 * time.Second }
	s := openWith(t, brief)
	invalidate(t, s, freshet.All())
	client, err := s.Client()
	if err != nil {
		t.Fatal(err)
	}
	prefixes := []string{"", "shop:"}
	if len(servers) > 1 {
		prefixes = nil
		for i := range 64 {
			prefixes = append(prefixes, fmt.Sprintf("{%d}:", i), fmt.Sprintf("{shop:%d}:", i))
		}
	}
	for _, prefix := range prefixes {
		remove := client.B().Zremrangebyscore().Key(prefix + "freshet#wi").Min("-inf").Max("(inf").Build()
		// A user with few rights may touch the namespace only.
		if err := client.Do(t.Context(), remove).Error(); err != nil && !strings.Contains(err.Error(), "NOPERM") {
			t.Fatal(err)
		}
	}
	h.known[s] = started{brief, servers}
	return s
}

func (h *harness) forget(t testing.TB, s freshet.Store, glob string) {
	for _, server := range h.known[s].servers {
		for _, key := range keys(t, glob, server) {
			do(t, server, "DEL", key)
		}
	}
}

// corrupt flips a byte in the middle of the value.
func (h *harness) corrupt(t testing.TB, s freshet.Store, ref freshet.Ref) {
	suffix := ref.Key
	if ref.Variant != "" {
		suffix += "#v:" + ref.Variant
	}
	for _, server := range h.known[s].servers {
		for _, key := range keys(t, "*", server) {
			if key != suffix && !strings.HasSuffix(key, ":"+suffix) {
				continue
			}
			at := fmt.Sprint(do(t, server, "STRLEN", key).(int64) / 2)
			old := do(t, server, "GETRANGE", key, at, at).(string)
			do(t, server, "SETRANGE", key, at, string([]byte{old[0] ^ 1}))
		}
	}
}

func standalone(t testing.TB) (func(*redisstore.Options), []*redistest.Server) {
	server := redistest.Start(t)
	return func(o *redisstore.Options) { o.Host, o.Port = "127.0.0.1", server.Port }, []*redistest.Server{server}
}

// TestConformance runs the suite on every deployment: on a single server with all
// rights and without a namespace, and on the others with the rights that the
// documentation gives.
func TestConformance(t *testing.T) {
	t.Parallel()
	t.Run("standalone", func(t *testing.T) {
		t.Parallel()
		storetest.Run(t, (&harness{start: standalone}).suite(false))
	})
	t.Run("socket", func(t *testing.T) {
		t.Parallel()
		d := &deployment{name: "standalone"}
		line := append(d.documented(t), "+select")
		h := &harness{start: func(t testing.TB) (func(*redisstore.Options), []*redistest.Server) {
			socket := path.Join(t.TempDir(), "redis.sock")
			d.servers = []*redistest.Server{redistest.Start(t, "--unixsocket", socket)}
			d.allow(t, line)
			return func(o *redisstore.Options) { o.URL, o.Namespace = "unix://freshet:secret@"+socket+"?db=3", "shop" }, d.servers
		}}
		suite := h.suite(false)
		// These look into database 0.
		suite.Forget, suite.Corrupt = nil, nil
		storetest.Run(t, suite)
	})
	for _, start := range []func(*testing.T) *deployment{withSentinel, inCluster} {
		d := start(t)
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			d.allow(t, d.documented(t))
			// Forming a cluster takes seconds, so all checks share one.
			h := &harness{start: func(t testing.TB) (func(*redisstore.Options), []*redistest.Server) {
				for _, server := range d.masters {
					do(t, server, "FLUSHALL")
				}
				return d.asUser, d.masters
			}}
			storetest.Run(t, h.suite(d.name == "cluster"))
		})
	}
}

func TestClient(t *testing.T) {
	server := redistest.Start(t)
	s := open(t, server)
	client, err := redisstore.Client(s)
	if err != nil {
		t.Fatal(err)
	}
	if err := client.Do(t.Context(), client.B().Set().Key("k").Value("v").Build()).Error(); err != nil {
		t.Fatal(err)
	}
	if _, err := redisstore.Client(nil); !errors.Is(err, freshet.ErrNoRedis) {
		t.Fatalf("Client of no store: %v", err)
	}
	server.Stop()
	down := open(t, server)
	if _, err := redisstore.Client(down); !errors.Is(err, redisstore.ErrUnavailable) {
		t.Fatalf("Client without a connection: %v", err)
	}
	if _, err := down.Lookup(context.Background(), key("k")); !errors.Is(err, redisstore.ErrUnavailable) {
		t.Fatalf("Lookup without a connection: %v", err)
	}
	server.Start()
	await(t, "the connection", func() bool { _, err := down.Client(); return err == nil })
	fill(t, down, key("k2"), time.Minute, "v")
}
