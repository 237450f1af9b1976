package freshet_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/freshet-dev/freshet"
)

// fakeIntents is a store that keeps records of what is about to be invalidated, and
// a journal of what it was asked to.
type fakeIntents struct {
	*fakeStore

	mu      sync.Mutex
	journal []string
	records []*fakeIntent
}

// fakeIntent is one record.
type fakeIntent struct {
	store   *fakeIntents
	targets []freshet.Target
	busy    sync.Mutex
}

func newIntents(t testing.TB) *fakeIntents { return &fakeIntents{fakeStore: newFake(t)} }

func (s *fakeIntents) note(what string, targets []freshet.Target) {
	s.mu.Lock()
	defer s.mu.Unlock()
	line := what
	for _, t := range targets {
		line += " " + strings.ReplaceAll(t.String(), " ", ":")
	}
	s.journal = append(s.journal, line)
}

// onRecord returns what is on record.
func (s *fakeIntents) onRecord() (all []freshet.Target) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.records {
		all = append(all, r.targets...)
	}
	return all
}

// carryOut is what another process does with the records of one that has died.
func (s *fakeIntents) carryOut(t testing.TB) {
	for _, target := range s.onRecord() {
		if _, err := s.Store.Invalidate(t.Context(), []freshet.Target{target}); err != nil {
			t.Fatal(err)
		}
	}
}

func (s *fakeIntents) wantJournal(t *testing.T, want ...string) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if diff := cmp.Diff(want, s.journal); diff != "" {
		t.Errorf("what the store was asked for (-want +got):\n%s", diff)
	}
	if len(s.records) > 0 {
		t.Errorf("still on record: %v", s.records[0].targets)
	}
}

func (s *fakeIntents) Invalidate(ctx context.Context, targets []freshet.Target) (freshet.Version, error) {
	s.note("invalidate", targets)
	return s.fakeStore.Invalidate(ctx, targets)
}

func (s *fakeIntents) Intend(ctx context.Context, targets []freshet.Target) (freshet.Intent, error) {
	s.note("intend", targets)
	if err := errors.Join(ctx.Err(), s.begin(ctx, "Intend")); err != nil {
		return nil, err
	}
	i := &fakeIntent{store: s, targets: slices.Clone(targets)}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.records = append(s.records, i)
	return i, nil
}

// lock makes sure of what the contract says: one call at a time.
func (i *fakeIntent) lock() func() {
	if !i.busy.TryLock() {
		panic("two calls of one intent at a time")
	}
	return i.busy.Unlock
}

func (i *fakeIntent) Add(ctx context.Context, targets []freshet.Target) error {
	defer i.lock()()
	i.store.note("add", targets)
	if err := errors.Join(ctx.Err(), i.store.begin(ctx, "Add")); err != nil {
		return err
	}
	i.store.mu.Lock()
	defer i.store.mu.Unlock()
	i.targets = append(i.targets, targets...)
	return nil
}

// end takes the record away; a second end is a breach of the contract.
func (i *fakeIntent) end() {
	i.store.mu.Lock()
	defer i.store.mu.Unlock()
	n := slices.Index(i.store.records, i)
	if n < 0 {
		panic("an intent has been ended twice")
	}
	i.store.records = slices.Delete(i.store.records, n, n+1)
}

func (i *fakeIntent) Invalidate(ctx context.Context, targets []freshet.Target) (freshet.Version, error) {
	defer i.lock()()
	i.end()
	if err := ctx.Err(); err != nil {
		i.store.note("lapse", nil)
		return 0, err
	}
	i.store.note("carry out", targets)
	return i.store.fakeStore.Invalidate(ctx, targets)
}

func (i *fakeIntent) Withdraw(ctx context.Context) {
	defer i.lock()()
	i.end()
	if ctx.Err() != nil {
		i.store.note("lapse", nil)
		return
	}
	i.store.note("withdraw", nil)
}

// list is a rule whose writes drop a list too.
var list = freshet.Rule{Pattern: "/items/{id}", Key: "item:{id}", Invalidate: []string{"list"}}

// TestIntent is the record of a write, by what its handler does.
func TestIntent(t *testing.T) {
	const intend, carry = "intend key:item:1 key:list", "carry out key:item:1 key:list"
	tests := []struct {
		name    string
		rule    freshet.Rule
		handler http.HandlerFunc
		want    []string
	}{
		{"nothing written", list, func(http.ResponseWriter, *http.Request) {}, []string{intend, carry}},
		{"written", list, text("x"), []string{intend, carry}},
		{"500", list, status(500), []string{intend, carry}},
		{"refused", list, status(409), []string{intend, "withdraw"}},
		{"refused after joining", list, func(w http.ResponseWriter, r *http.Request) {
			_ = freshet.FromContext(r.Context()).Invalidate(freshet.Key("a"))
			w.WriteHeader(400)
		}, []string{intend, "add key:a", "withdraw"}},
		{"joined", list, func(_ http.ResponseWriter, r *http.Request) {
			_ = freshet.FromContext(r.Context()).Invalidate(freshet.Key("a"), freshet.Key(""), freshet.Key("list"))
			_ = freshet.FromContext(r.Context()).Invalidate(freshet.Tag("b"))
		}, []string{intend, "add key:a key:list", "add tag:b", "carry out key:item:1 key:list key:a tag:b"}},
		{"nothing known before", freshet.Rule{Pattern: "PUT /items/{id}"}, func(_ http.ResponseWriter, r *http.Request) {
			_ = freshet.FromContext(r.Context()).Invalidate()
			_ = freshet.FromContext(r.Context()).Invalidate(freshet.Key("a"))
			_ = freshet.FromContext(r.Context()).Invalidate(freshet.Key("b"))
		}, []string{"intend key:a", "add key:b", "carry out key:a key:b"}},
		{"nothing to invalidate", freshet.Rule{Pattern: "PUT /items/{id}"}, text("x"), nil},
		{"streamed", list, func(w http.ResponseWriter, r *http.Request) {
			w.(http.Flusher).Flush()
			_ = freshet.FromContext(r.Context()).Invalidate(freshet.Key("a"))
		}, []string{intend, "invalidate key:item:1 key:list", "add key:a", "carry out key:item:1 key:list key:a"}},
		{"refused and streamed", list, func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(400)
			w.(http.Flusher).Flush()
		}, []string{intend, "withdraw"}},
		{"panic", list, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, []string{intend, carry}},
		{"panic after a flush", list, func(w http.ResponseWriter, _ *http.Request) {
			w.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		}, []string{intend, "invalidate key:item:1 key:list", carry}},
		{"hijacked", list, func(w http.ResponseWriter, _ *http.Request) {
			conn, _, err := http.NewResponseController(w).Hijack()
			if err != nil {
				panic(err)
			}
			conn.Close()
		}, []string{intend, "invalidate key:item:1 key:list", carry}},
		{"NoIntent", freshet.Rule{Pattern: list.Pattern, Key: list.Key, NoIntent: true}, func(_ http.ResponseWriter, r *http.Request) {
			_ = freshet.FromContext(r.Context()).Invalidate(freshet.Key("a"))
		}, []string{"invalidate key:item:1 key:a"}},
		{"fenced", freshet.Rule{Pattern: list.Pattern, Key: list.Key, FenceFor: 2 * time.Second}, func(_ http.ResponseWriter, r *http.Request) {
			_ = freshet.FromContext(r.Context()).Invalidate(freshet.Key("a"), freshet.Tag("b").FenceFor(time.Minute), freshet.Key("item:1"))
		}, []string{
			"intend key:item:1:(fence:2s)",
			"add key:a:(fence:2s) tag:b:(fence:1m0s) key:item:1:(fence:2s)",
			"carry out key:item:1:(fence:2s) key:a:(fence:2s) tag:b:(fence:1m0s)",
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newIntents(t)
			c, _ := open(t, s)
			done := make(chan struct{})
			h := c.Handler(tt.rule, tt.handler)
			server := httptest.NewServer(routed(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				defer close(done)
				h.ServeHTTP(w, r)
			})))
			defer server.Close()
			r, _ := http.NewRequest("PUT", server.URL+"/items/1", nil)
			if answer, err := server.Client().Do(r); err == nil {
				_, _ = io.Copy(io.Discard, answer.Body)
				answer.Body.Close()
			}
			<-done
			s.wantJournal(t, tt.want...)
		})
	}
}

// TestOnRecordInTime: the targets are on record when the handler begins, and those
// that it adds when Invalidate returns: before it goes on to commit its change.
func TestOnRecordInTime(t *testing.T) {
	s := newIntents(t)
	c, _ := open(t, s)
	h := routed(c.Handler(list, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		want := []freshet.Target{freshet.Key("item:1"), freshet.Key("list")}
		if diff := cmp.Diff(want, s.onRecord()); diff != "" {
			t.Errorf("on record when the handler begins (-want +got):\n%s", diff)
		}
		if err := freshet.FromContext(r.Context()).Invalidate(freshet.Tag("a")); err != nil {
			t.Error(err)
		}
		if diff := cmp.Diff(append(want, freshet.Tag("a")), s.onRecord()); diff != "" {
			t.Errorf("on record when Invalidate has returned (-want +got):\n%s", diff)
		}
	})))
	send(t.Context(), h, "PUT", "/items/1")
	if left := s.onRecord(); left != nil {
		t.Errorf("on record after the write: %v", left)
	}
}

// TestProcessDiesDuringAWrite: a process dies between its commit and its
// invalidation, and another carries out what is on record. The control is the same
// without intents, which leaves the entry from before for ever.
func TestProcessDiesDuringAWrite(t *testing.T) {
	for name, silent := range map[string]bool{"with intents": false, "control: NoIntent": true} {
		t.Run(name, func(t *testing.T) {
			s := newIntents(t)
			row := "old"
			read := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, row) })
			c, _ := open(t, s)
			h := routed(c.Handler(item, read))
			get(t, h)
			rule := freshet.Rule{Pattern: list.Pattern, Key: list.Key, NoIntent: silent}
			send(t.Context(), routed(c.Handler(rule, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
				row = "new"
				// From here on this process does nothing more: what another one
				// finds now is what there is to be carried out.
				s.carryOut(t)
				if got, stale := get(t, h), silent; (got == "old") != stale {
					t.Errorf("after the death of the writer: %s", got)
				}
			}))), "PUT", "/items/1")
		})
	}
}

// TestIntentOutlivesItsClient: the end of the request stops none of the calls.
func TestIntentOutlivesItsClient(t *testing.T) {
	s := newIntents(t)
	c, _ := open(t, s)
	ctx, leave := context.WithCancel(t.Context())
	leave()
	h := routed(c.Handler(list, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if r.Context().Err() == nil {
			t.Error("the handler does not see that its client has gone")
		}
		_ = freshet.FromContext(r.Context()).Invalidate(freshet.Key("a"))
	})))
	send(ctx, h, "PUT", "/items/1")
	s.wantJournal(t, "intend key:item:1 key:list", "add key:a", "carry out key:item:1 key:list key:a")
	send(ctx, routed(c.Handler(list, status(400))), "PUT", "/items/1")
	if last := s.journal[len(s.journal)-1]; last != "withdraw" {
		t.Errorf("the last call was %s", last)
	}
}

// TestConcurrentJoins: a handler may add targets from several goroutines, and the
// store is still called once at a time.
func TestConcurrentJoins(t *testing.T) {
	s := newIntents(t)
	for _, method := range []string{"Intend", "Add"} {
		s.on(method, func(context.Context) error {
			time.Sleep(time.Millisecond) // so that calls would meet
			return nil
		})
	}
	c, _ := open(t, s)
	h := routed(c.Handler(freshet.Rule{Pattern: "PUT /items/{id}"}, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var all sync.WaitGroup
		for i := range 20 {
			all.Go(func() { _ = freshet.FromContext(r.Context()).Invalidate(freshet.Key(fmt.Sprint("k", i))) })
		}
		all.Wait()
		for i := range 20 {
			if !slices.Contains(s.onRecord(), freshet.Key(fmt.Sprint("k", i))) {
				t.Errorf("k%d is not on record", i)
			}
		}
	})))
	send(t.Context(), h, "PUT", "/items/1")
	if left := s.onRecord(); left != nil {
		t.Errorf("more than one record was made: %v", left)
	}
}

// TestJoinsTooLate: what is added when the write is over is not put on record, where
// nobody would ever take it away.
func TestJoinsTooLate(t *testing.T) {
	s := newIntents(t)
	c, _ := open(t, s)
	// The second would make the first's writes drop the key of its reads.
	for _, rule := range []freshet.Rule{{Pattern: "PUT /items/{id}"}, list} {
		var control *freshet.Control
		send(t.Context(), routed(c.Handler(rule, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			control = freshet.FromContext(r.Context())
		}))), "PUT", "/items/1")
		if err := control.Invalidate(freshet.Key("a")); err != nil {
			t.Error(err)
		}
	}
	s.wantJournal(t, "intend key:item:1 key:list", "carry out key:item:1 key:list")
}

// TestIntendFails: that a write cannot be put on record is no reason to fail it. It
// is tried again with all that is known by then.
func TestIntendFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newIntents(t)
		c, d := open(t, s)
		s.fail(errDown, "Intend")
		h := routed(c.Handler(list, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			s.heal()
			if err := freshet.FromContext(r.Context()).Invalidate(freshet.Key("a")); err != nil {
				t.Error(err)
			}
		})))
		for range 2 {
			if w := send(t.Context(), h, "PUT", "/items/1"); w.Code != 200 || w.Header().Get("Cache-Status") != "freshet; "+writeDone {
				t.Errorf("%d, %s", w.Code, w.Header().Get("Cache-Status"))
			}
			time.Sleep(time.Minute)
		}
		s.wantJournal(t,
			"intend key:item:1 key:list", "intend key:item:1 key:list key:a", "carry out key:item:1 key:list key:a",
			"intend key:item:1 key:list", "add key:a", "carry out key:item:1 key:list key:a")
		wantLines(t, d, "cannot be put on record", 1)
		wantLines(t, d, "put on record again", 1)
	})
}

// TestIntendTimesOut: one call that runs into its limit is enough, as with all.
func TestIntendTimesOut(t *testing.T) {
	for _, method := range []string{"Intend", "Add"} {
		t.Run(method, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newIntents(t)
				c, d := open(t, s)
				h := routed(c.Handler(list, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
					_ = freshet.FromContext(r.Context()).Invalidate(freshet.Key("a"))
				})))
				s.freeze(limit, method, "Lookup", "Invalidate")
				for i, want := range []time.Duration{limit, 0, 0} {
					start := time.Now()
					if w := send(t.Context(), h, "PUT", "/items/1"); w.Code != 200 {
						t.Errorf("write %d: %d", i, w.Code)
					}
					if took := time.Since(start); took != want {
						t.Errorf("write %d took %v, want %v", i, took, want)
					}
				}
				wantLines(t, d, "the store fails", 1)
			})
		})
	}
}

// TestFailsDuringTheWrite: a record of before the store began to fail must not be
// kept alive for ever, though the store is not asked any more.
func TestFailsDuringTheWrite(t *testing.T) {
	for _, code := range []int{200, 400} {
		synctest.Test(t, func(t *testing.T) {
			s := newIntents(t)
			c, _ := open(t, s)
			h := routed(c.Handler(list, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				s.freeze(limit, "Lookup", "Invalidate")
				send(context.WithoutCancel(r.Context()), routed(c.Handler(item, text("x"))), "GET", "/items/1")
				w.WriteHeader(code)
			})))
			start := time.Now()
			w := send(t.Context(), h, "PUT", "/items/1")
			if took := time.Since(start); took != limit {
				t.Errorf("it took %v, want that of the one lookup", took)
			}
			pending := strings.Contains(w.Header().Get("Cache-Status"), "invalidation-pending")
			if pending != (code == 200) {
				t.Errorf("Cache-Status %s", w.Header().Get("Cache-Status"))
			}
			s.wantJournal(t, "intend key:item:1 key:list", "lapse")
			s.heal()
			time.Sleep(calm)
			if got := s.called("Invalidate"); (got > 0) != pending {
				t.Errorf("%d invalidations were delivered afterwards", got)
			}
		})
	}
}

// careful returns a cache that refuses writes, and its handler by list.
func careful(t *testing.T, store freshet.Store, h http.HandlerFunc) (*freshet.Cache, http.Handler) {
	t.Helper()
	d := new(diary)
	c, err := freshet.New(store, &freshet.Options{RefuseWrites: true, Logger: d.logger(), Observe: d.observe})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close(context.Background()) })
	return c, routed(c.Handler(list, h))
}

// TestRefuseWrites: a write that cannot be put on record is not made.
func TestRefuseWrites(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, runs := newIntents(t), 0
		_, h := careful(t, s, func(_ http.ResponseWriter, r *http.Request) {
			if runs++; r.Method == http.MethodGet {
				return
			}
			s.fail(errDown, "Add")
			err := freshet.FromContext(r.Context()).Invalidate(freshet.Key("a"))
			if !errors.Is(err, freshet.ErrUnrecorded) || !errors.Is(err, errDown) {
				t.Errorf("Invalidate in a write: %v, want %v", err, freshet.ErrUnrecorded)
			}
		})
		s.fail(errDown, "Intend")
		w := send(t.Context(), h, "PUT", "/items/1")
		if runs != 0 || w.Code != http.StatusServiceUnavailable {
			t.Errorf("the handler ran %d times, the status is %d", runs, w.Code)
		}
		for name, want := range map[string]string{"Retry-After": "2", "Cache-Status": `freshet; fwd=method; detail="refused"`} {
			if got := w.Header().Get(name); got != want {
				t.Errorf("%s: %s, want %s", name, got, want)
			}
		}
		if got := get(t, h); runs != 1 || got != "" {
			t.Errorf("a read ran the handler %d times and got %q", runs, got)
		}
		s.heal()
		if w = send(t.Context(), h, "PUT", "/items/1"); w.Code != 200 || runs != 2 {
			t.Errorf("after recovery: %d, %d runs", w.Code, runs)
		}
		if last := s.journal[len(s.journal)-1]; last != "carry out key:item:1 key:list key:a" {
			t.Errorf("the last call was %s: what could not be put on record is invalidated all the same", last)
		}
	})
}

// TestRefusesWhileOpen: a store that is left alone cannot record anything.
func TestRefusesWhileOpen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newIntents(t)
		c, h := careful(t, s, text("x"))
		s.freeze(limit, "Lookup")
		get(t, h)
		if w := send(t.Context(), h, "PUT", "/items/1"); w.Code != http.StatusServiceUnavailable || s.called("Intend") != 0 {
			t.Errorf("%d after %d calls of Intend", w.Code, s.called("Intend"))
		}
		if _, err := c.Update(t.Context(), func(context.Context) error { t.Error("it ran"); return nil }, freshet.Key("a")); !errors.Is(err, freshet.ErrUnrecorded) {
			t.Errorf("Update: %v, want %v", err, freshet.ErrUnrecorded)
		}
		s.heal()
		time.Sleep(calm)
		if w := send(t.Context(), h, "PUT", "/items/1"); w.Code != 200 {
			t.Errorf("after recovery: %d", w.Code)
		}
	})
}

// TestNothingToRefuse: a store that dies with its process keeps no records, and
// none are missed.
func TestNothingToRefuse(t *testing.T) {
	s := newFake(t)
	s.fail(errDown, "Lookup", "Invalidate")
	_, h := careful(t, s, func(_ http.ResponseWriter, r *http.Request) {
		if err := freshet.FromContext(r.Context()).Invalidate(freshet.Key("a")); err != nil {
			t.Error(err)
		}
	})
	if w := send(t.Context(), h, "PUT", "/items/1"); w.Code != 200 {
		t.Errorf("status %d", w.Code)
	}
}

func TestNoIntentAndRefuseWrites(t *testing.T) {
	c, _ := careful(t, newIntents(t), text("x"))
	rule := freshet.Rule{Name: "mine", Key: "x", NoIntent: true}
	check := func(what string, err any) {
		var problem *freshet.RuleError
		if e, ok := err.(error); !ok || !errors.As(e, &problem) || problem.Field != "NoIntent" || problem.Rule != "mine" {
			t.Errorf("%s: %v", what, err)
		}
	}
	check("Handle", c.Handle(http.NewServeMux(), "PUT /x", rule, text("x")))
	for what, register := range map[string]func(){
		"Handler":    func() { c.Handler(rule, text("x")) },
		"Middleware": func() { c.Middleware(rule) },
	} {
		func() {
			defer func() { check(what, recover()) }()
			register()
		}()
	}
	if err := rule.Validate(); err != nil {
		t.Errorf("without a cache there is nothing wrong with it: %v", err)
	}
}
