package freshet_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/freshet-dev/freshet"
)

// audited returns a cache that audits every hit, its diary, and the violations that
// it reports.
func audited(t testing.TB, store freshet.Store, grace time.Duration) (*freshet.Cache, *diary, <-chan freshet.Violation) {
	t.Helper()
	d, found := new(diary), make(chan freshet.Violation, 1000)
	c, err := freshet.New(store, &freshet.Options{
		Logger: slog.New(slog.NewTextHandler(d, nil)), Observe: d.observe,
		Audit: freshet.Audit{Fraction: 1, Grace: grace, Report: func(v freshet.Violation) { found <- v }},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close(context.Background()) })
	return c, d, found
}

// auditedStores are those that an auditor has to work with: of one process in
// memory, of at most n on Redis.
func auditedStores(n int) map[string]func(t *testing.T) []freshet.Store {
	return map[string]func(t *testing.T) []freshet.Store{
		"memory": func(t *testing.T) []freshet.Store { return []freshet.Store{newFake(t).Store} },
		"redis":  func(t *testing.T) []freshet.Store { s, _ := redisProcesses(t, n); return s },
	}
}

// TestAuditCatches: a change without an invalidation is found, with its key, what
// is different, and what has been invalidated before.
func TestAuditCatches(t *testing.T) {
	for name, stores := range auditedStores(1) {
		t.Run(name, func(t *testing.T) {
			noLeak(t)
			c, _, found := audited(t, stores(t)[0], time.Millisecond)
			var row atomic.Int64
			h := routed(c.Handler(item, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, row.Load()) })))
			var want []freshet.Ban
			for _, target := range []freshet.Target{freshet.Key("item:1"), freshet.Tag("other"), freshet.Tag("items"), freshet.Match("item:?")} {
				v, err := c.Invalidate(t.Context(), target)
				if err != nil {
					t.Fatal(err)
				}
				if target.Value != "other" {
					want = slices.Insert(want, 0, freshet.Ban{Member: target.Member(), Version: uint64(v)})
				}
			}
			get(t, h)
			row.Store(1)
			if got := get(t, h); got != "0" {
				t.Fatalf("answer %q, want the stale 0", got)
			}
			v := <-found
			if v.Rule != "/items/{id}" || v.Ref != (freshet.Ref{Key: "item:1"}) || v.Entry.Body != "0" || !slices.Contains(v.Differs, "body") {
				t.Errorf("violation %+v of %+v", v, v.Entry)
			}
			if !slices.Equal(v.History.Bans, want) || v.History.Stamp != v.Entry.Stamp {
				t.Errorf("history %+v, want the bans %v and the entry's stamp %v", v.History, want, v.Entry.Stamp)
			}
			if a := c.Audited(); a.Violations != 1 || a.Nines() != 0 {
				t.Errorf("audited: %v", a)
			}
		})
	}
}

// TestAuditLog: without a Report, the log names what an operator needs.
func TestAuditLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := new(diary)
		c, err := freshet.New(newFake(t).Store, &freshet.Options{
			Logger: slog.New(slog.NewTextHandler(d, nil)), Observe: d.observe, Audit: freshet.Audit{Fraction: 1},
		})
		if err != nil {
			t.Fatal(err)
		}
		answer := "old"
		h := routed(c.Handler(item, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, answer) })))
		_, _ = c.Invalidate(t.Context(), freshet.Tag("items"))
		get(t, h)
		answer = "new"
		get(t, h)
		time.Sleep(calm)
		wantLines(t, d, "level=ERROR", 1)
		for _, part := range []string{"rule=/items/{id}", "key=item:1", "tags=[items]", "body]", "bans=\"[t:items@", "error=<nil>"} {
			wantLines(t, d, part, 1)
		}
		if got := d.reasons(freshet.EventAudit); !slices.Equal(got, []string{"violation"}) {
			t.Errorf("events %v", got)
		}
		_ = c.Close(t.Context())
	})
}

// TestAuditNeverWrong: writers that invalidate what they change, readers of every
// kind of answer, and not one violation.
func TestAuditNeverWrong(t *testing.T) {
	for name, stores := range auditedStores(2) {
		t.Run(name, func(t *testing.T) {
			noLeak(t)
			r := &auditRace{t: t}
			for _, s := range stores(t) {
				c, _, _ := audited(t, s, 10*time.Second)
				r.add(c)
			}
			r.run(time.Second)
			var sum freshet.Audited
			for _, c := range r.caches {
				a := c.Audited()
				sum.Fresh, sum.Overtaken, sum.Unsteady, sum.Violations = sum.Fresh+a.Fresh, sum.Overtaken+a.Overtaken, sum.Unsteady+a.Unsteady, sum.Violations+a.Violations
			}
			t.Log(sum)
			if sum.Violations > 0 || sum.Fresh == 0 || sum.Overtaken == 0 {
				t.Errorf("%v; want no violation, and some of the others", sum)
			}
		})
	}
}

// auditRace is readers and writers of a few rows.
type auditRace struct {
	t        *testing.T
	caches   []*freshet.Cache
	handlers []http.Handler
	rows     [4]atomic.Int64
}

func (r *auditRace) add(c *freshet.Cache) {
	mux := http.NewServeMux()
	row := func(q *http.Request) *atomic.Int64 { return &r.rows[q.PathValue("id")[0]-'0'] }
	mux.Handle("GET /items/{id}", c.Handler(item, http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		fmt.Fprint(w, row(q).Load())
		time.Sleep(time.Millisecond) // a load, in which writers come
	})))
	for path, rule := range map[string]freshet.Rule{
		"key":   {Key: "item:{id}"},
		"tag":   {Key: "write:{id}", InvalidateTags: []string{"items"}},
		"match": {Key: "write:{id}", InvalidateMatch: []string{"*:{id}"}},
	} {
		mux.Handle("PUT /"+path+"/{id}", c.Handler(rule, http.HandlerFunc(func(_ http.ResponseWriter, q *http.Request) {
			row(q).Add(1)
			time.Sleep(3 * time.Millisecond) // until the invalidation
		})))
	}
	r.caches, r.handlers = append(r.caches, c), append(r.handlers, mux)
}

func (r *auditRace) run(span time.Duration) {
	ctx, stop := context.WithTimeout(r.t.Context(), span)
	defer stop()
	var all sync.WaitGroup
	for i, h := range append(r.handlers, r.handlers...) {
		all.Go(func() {
			for n := i; ctx.Err() == nil; n++ {
				send(r.t.Context(), h, "GET", fmt.Sprintf("/items/%d", n%len(r.rows)))
			}
		})
	}
	all.Go(func() {
		for n := 0; ctx.Err() == nil; n++ {
			path := []string{"key", "tag", "match"}[n%3]
			send(r.t.Context(), r.handlers[n%len(r.handlers)], "PUT", fmt.Sprintf("/%s/%d", path, n%len(r.rows)))
			time.Sleep(3 * time.Millisecond) // some hits
		}
	})
	all.Wait()
}

// TestAuditFindsBrokenStore is the control: the auditor sees that a store serves
// what it should not, and not only what the application does.
func TestAuditFindsBrokenStore(t *testing.T) {
	noLeak(t)
	c, _, found := audited(t, restamped{newFake(t)}, time.Millisecond)
	var row atomic.Int64
	reads, release := make(chan bool), make(chan bool)
	h := routed(c.Handler(item, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n := row.Load()
		if r.Header.Get("Slow") != "" {
			reads <- true
			<-release
		}
		fmt.Fprint(w, n)
	})))
	var slow sync.WaitGroup
	slow.Go(func() {
		r := httptest.NewRequest("GET", "/items/1", nil)
		r.Header.Set("Slow", "1")
		h.ServeHTTP(httptest.NewRecorder(), r)
	})
	<-reads
	row.Store(1)
	if _, err := c.Invalidate(t.Context(), freshet.Key("item:1")); err != nil {
		t.Fatal(err)
	}
	release <- true
	slow.Wait()
	get(t, h)
	if v := <-found; v.Entry.Body != "0" {
		t.Errorf("violation %+v", v)
	}
}

// TestAuditRunsAnew: what a handler loads through the cache, it loads anew in an
// audit; and what it tells its Control there has no effect.
func TestAuditRunsAnew(t *testing.T) {
	for name, nested := range map[string]func(c *freshet.Cache, row *atomic.Int64) http.Handler{
		"Load": func(c *freshet.Cache, row *atomic.Int64) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				n, err := freshet.Load(r.Context(), c, "row", 0, func(context.Context) (int64, error) { return row.Load(), nil })
				fmt.Fprint(w, n, err)
			})
		},
		"handler": func(c *freshet.Cache, row *atomic.Int64) http.Handler {
			return c.Handler(freshet.Rule{Key: "inner:{id}"}, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, row.Load()) }))
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newFake(t)
			c, _, found := audited(t, s, time.Millisecond)
			var row, runs atomic.Int64
			inner := nested(c, &row)
			h := routed(c.Handler(item, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if runs.Add(1) > 1 {
					_ = freshet.FromContext(r.Context()).Invalidate(freshet.All())
				}
				inner.ServeHTTP(w, r)
			})))
			get(t, h)
			row.Store(1)
			get(t, h)
			<-found
			if runs.Load() != 4 || s.called("Invalidate") != 0 {
				t.Errorf("%d runs, want 4; %d invalidations", runs.Load(), s.called("Invalidate"))
			}
		})
	}
}

// TestAuditOfReplaced: an entry that has been invalidated and loaded again is not
// the one that was served.
func TestAuditOfReplaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, d, _ := audited(t, newFake(t).Store, 0)
		row, runs := 0, 0
		var h http.Handler
		h = routed(c.Handler(item, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			if runs++; runs == 2 { // in the audit
				row++
				if _, err := c.Invalidate(t.Context(), freshet.Key("item:1")); err != nil || get(t, h) != "1" {
					t.Errorf("invalidation: %v", err)
				}
			}
			fmt.Fprint(w, row)
		})))
		get(t, h)
		get(t, h)
		time.Sleep(calm)
		if got := strings.Join(d.reasons(freshet.EventAudit), " "); got != "overtaken" {
			t.Errorf("audits: %s", got)
		}
		_ = c.Close(t.Context())
	})
}

// TestAuditWithinALoad: an audited handler that is part of a load under way tells
// that load nothing.
func TestAuditWithinALoad(t *testing.T) {
	s := newFake(t)
	c, d, _ := audited(t, s, 0)
	ended := make(chan bool)
	d.follow(func(e freshet.Event) {
		if e.Kind == freshet.EventAudit {
			close(ended)
		}
	})
	runs := 0
	inner := c.Handler(freshet.Rule{Key: "inner:{id}"}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if runs++; runs > 1 {
			_ = freshet.FromContext(r.Context()).Invalidate(freshet.All())
		}
	}))
	send(t.Context(), routed(inner), "GET", "/items/1")
	outer := routed(c.Handler(item, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		inner.ServeHTTP(w, r)
		<-ended
	})))
	send(t.Context(), outer, "GET", "/items/1")
	if runs != 2 || s.called("Invalidate") != 0 {
		t.Errorf("%d runs, want 2; %d invalidations", runs, s.called("Invalidate"))
	}
}

// TestAuditOfEveryHit: a HEAD, a request that gets a 304, and an answer around which
// middleware sets fields of its own are audited as they should be.
func TestAuditOfEveryHit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, d, _ := audited(t, newFake(t).Store, 0)
		cached := routed(c.Handler(item, text("{}")))
		requests := 0
		h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			requests++
			w.Header().Set("Content-Type", "application/json")
			w.Header().Set("X-Request-Id", fmt.Sprint(requests))
			cached.ServeHTTP(w, r)
		})
		get(t, h)
		for _, change := range []func(*http.Request){
			func(*http.Request) {},
			func(r *http.Request) { r.Method = "HEAD" },
			func(r *http.Request) { r.Header.Set("If-None-Match", "*") },
		} {
			r := httptest.NewRequest("GET", "/items/1", nil)
			change(r)
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			if !isHit(w.Header().Get("Cache-Status")) {
				t.Errorf("no hit: %v", w.Header())
			}
			synctest.Wait()
		}
		if got := strings.Join(d.reasons(freshet.EventAudit), " "); got != "fresh fresh fresh" {
			t.Errorf("audits: %s", got)
		}
		_ = c.Close(t.Context())
	})
}

// TestAuditOfReusedContext: a router that uses a request's context again for the
// next one makes audits useless, not wrong.
func TestAuditOfReusedContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, d, _ := audited(t, newFake(t).Store, 0)
		type key struct{}
		id, runs := "1", 0 // as in a pool
		name := func(r *http.Request, _ string) (string, bool) { return *r.Context().Value(key{}).(*string), true }
		h := c.Handler(freshet.Rule{Key: "item:{id}", Params: name}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if runs++; runs > 1 {
				id = "2" // the next request comes
			}
			value, _ := name(r, "id")
			fmt.Fprint(w, value)
		}))
		for range 2 {
			send(context.WithValue(t.Context(), key{}, &id), h, "GET", "/")
		}
		time.Sleep(calm)
		if got := strings.Join(d.reasons(freshet.EventAudit), " "); got != "unsteady" {
			t.Errorf("audits: %s", got)
		}
		_ = c.Close(t.Context())
	})
}

// TestAuditSetting: what cannot be used is an error, and without it nothing is
// audited.
func TestAuditSetting(t *testing.T) {
	if _, err := freshet.New(newFake(t), &freshet.Options{Audit: freshet.Audit{Fraction: 2}}); err == nil ||
		err.Error() != "freshet: Audit.Fraction is 2: use more than 0 and at most 1" {
		t.Errorf("New: %v", err)
	}
	c, _ := open(t, newFake(t))
	if a := c.Audited(); a != (freshet.Audited{}) {
		t.Errorf("audited: %v", a)
	}
}

// TestAuditOfAQuery: a QUERY is audited with its content, as often as that takes.
func TestAuditOfAQuery(t *testing.T) {
	c, d, found := audited(t, newFake(t).Store, time.Millisecond)
	verdicts := make(chan string, 10)
	d.follow(func(e freshet.Event) {
		if e.Kind == freshet.EventAudit {
			verdicts <- e.Reason
		}
	})
	var row atomic.Int64
	h := c.Handler(freshet.Rule{Key: "x"}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		content, err := io.ReadAll(r.Body)
		fmt.Fprintf(w, "%s %s %v %d", r.Method, content, err, row.Load())
	}))
	ask := func() string {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest("QUERY", "/", strings.NewReader("a")))
		return w.Body.String()
	}
	ask()
	ask()
	if v := <-verdicts; v != "fresh" {
		t.Fatalf("verdict %s", v)
	}
	row.Store(1)
	ask()
	if v := <-found; v.Entry.Body != "QUERY a <nil> 0" || !slices.Contains(v.Differs, "body") {
		t.Errorf("violation %+v of %+v", v, v.Entry)
	}
}
