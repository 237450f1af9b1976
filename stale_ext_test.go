package freshet_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/freshet-dev/freshet"
)

const (
	second = time.Second
	minute = time.Minute
)

// swr and sie are rules under which answers are fresh for ten seconds, and then for a
// minute stale.
var (
	swr = freshet.Rule{TTL: 10 * second, StaleWhileRevalidate: minute}
	sie = freshet.Rule{TTL: 10 * second, StaleIfError: minute}
)

// TestStaleWhileRevalidate is RFC 5861, section 3: past its lifetime an answer is
// served at once, while it is loaded again once, and then the new one is.
func TestStaleWhileRevalidate(t *testing.T) {
	for name, tt := range map[string]struct {
		rule   freshet.Rule
		header []string
	}{
		"the rule":   {swr, nil},
		"the answer": {freshet.Rule{}, []string{"Cache-Control", "max-age=10, stale-while-revalidate=60"}},
	} {
		in(t, name, func(t *testing.T) {
			s := newStage(t, tt.rule, tt.header...)
			s.want(s.get(), stored, "0")
			s.version.Add(1)
			s.direct(func(w http.ResponseWriter, _ *http.Request) {
				time.Sleep(second)
				s.answer(w)
			})
			time.Sleep(15 * second)
			start := time.Now()
			for range 20 {
				s.want(s.get(), revalidating, "0")
			}
			if took := time.Since(start); took != 0 {
				t.Errorf("it took %v", took)
			}
			time.Sleep(second)
			synctest.Wait()
			s.wantRuns(2)
			s.want(s.get(), hit, "1")
			// And not for ever.
			time.Sleep(71 * second)
			s.version.Add(1)
			s.want(s.get(), stored, "2")
			if stale, refreshes := s.diary.reasons(freshet.EventStale), s.diary.reasons(freshet.EventRefresh); len(stale) != 20 || len(refreshes) != 1 {
				t.Errorf("events: %q and %q", stale, refreshes)
			}
		})
	}
}

// TestStaleForbidden is RFC 9111, section 4.2.4: an answer can forbid to be served
// stale, whatever the rule says.
func TestStaleForbidden(t *testing.T) {
	for _, says := range []string{"max-age=10, must-revalidate", "max-age=10, proxy-revalidate", "s-maxage=10"} {
		for name, rule := range map[string]freshet.Rule{"while revalidated": swr, "on errors": sie} {
			in(t, says+" "+name, func(t *testing.T) {
				s := newStage(t, rule, "Cache-Control", says, "Etag", `"a"`)
				s.get()
				s.direct(fail503)
				time.Sleep(15 * second)
				if w := s.get(); w.Code != http.StatusServiceUnavailable {
					t.Errorf("answer %d %v", w.Code, w.Header())
				}
			})
		}
	}
}

// failures are ways in which a handler fails.
var failures = map[string]http.HandlerFunc{
	"503":           fail503,
	"503, streamed": func(w http.ResponseWriter, r *http.Request) { fail503(w, r); time.Sleep(second) },
	"panic":         func(http.ResponseWriter, *http.Request) { panic("boom") },
	"half and abort": func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte("half"))
		panic(http.ErrAbortHandler)
	},
}

// TestStaleIfError is RFC 5861, section 4: what is stale takes the place of an error,
// and a handler that fails is not asked for each request.
func TestStaleIfError(t *testing.T) {
	for name, act := range failures {
		in(t, name, func(t *testing.T) {
			s := newStage(t, sie)
			s.want(s.get(), stored, "0")
			s.direct(act)
			time.Sleep(15 * second)
			first := s.get()
			if first.Code != http.StatusOK || first.Body.String() != "0" {
				t.Errorf("answer %d %q %v", first.Code, first.Body, first.Header())
			}
			if name == "503" {
				s.want(first, onError, "0")
			}
			for range 10 {
				s.want(s.get(), failing, "0")
			}
			s.wantRuns(2)
			time.Sleep(3 * second)
			s.get()
			s.wantRuns(3)
			// It works again, and that shows.
			s.direct(nil)
			s.version.Add(1)
			time.Sleep(3 * second)
			s.want(s.get(), staleStored, "1")
			s.want(s.get(), hit, "1")
			if got := len(s.diary.lines("has panicked")); name == "panic" && got != 2 {
				t.Errorf("%d panics are logged, want 2", got)
			}
		})
	}
}

// TestStaleIfErrorEnds: there is a limit to it, and without leave there is none.
func TestStaleIfErrorEnds(t *testing.T) {
	for name, rule := range map[string]freshet.Rule{"too late": sie, "without leave": {TTL: 10 * second}} {
		in(t, name, func(t *testing.T) {
			s := newStage(t, rule, "Last-Modified", "Fri, 31 Dec 1999 23:43:20 GMT")
			s.get()
			s.direct(fail503)
			time.Sleep(15 * second)
			if name == "too late" {
				time.Sleep(minute)
			}
			if w := s.get(); w.Code != http.StatusServiceUnavailable {
				t.Errorf("answer %d %v", w.Code, w.Header())
			}
		})
	}
}

// TestWaitersGetStale: those who wait for a load that fails get what is stale like
// the one that leads, and do not all run the handler.
func TestWaitersGetStale(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, sie)
		s.get()
		s.direct(func(w http.ResponseWriter, r *http.Request) { time.Sleep(second); fail503(w, r) })
		time.Sleep(15 * second)
		wantAll(t, crowd(t.Context(), 50, s.h), "0")
		s.wantRuns(2)
	})
}

// TestSoftInvalidation: what a soft target covers counts as stale at once, and is
// served as that; a hard one takes it away.
func TestSoftInvalidation(t *testing.T) {
	for _, target := range []freshet.Target{freshet.Key("item:1"), freshet.Tag("items"), freshet.Match("item:*"), freshet.All()} {
		in(t, target.String(), func(t *testing.T) {
			s := newStage(t, swr)
			s.get()
			s.version.Add(1)
			s.invalidate(target.Softly())
			s.want(s.get(), revalidating, "0")
			synctest.Wait()
			s.want(s.get(), hit, "1")
			s.version.Add(1)
			s.invalidate(target.Softly(), target)
			if got := s.get().Body.String(); got != "2" {
				t.Errorf("after a hard invalidation: %q", got)
			}
		})
		in(t, target.String()+" without leave", func(t *testing.T) {
			s := newStage(t, freshet.Rule{})
			s.get()
			s.version.Add(1)
			s.invalidate(target.Softly())
			if got := s.get().Body.String(); got != "1" {
				t.Errorf("a rule without stale answers: %q", got)
			}
		})
	}
}

// TestHardInvalidationWhileStale: what is stale is not served any more once it has
// been invalidated, neither while it is revalidated nor when that fails.
func TestHardInvalidationWhileStale(t *testing.T) {
	for name, rule := range map[string]freshet.Rule{"while revalidated": swr, "on errors": sie} {
		in(t, name, func(t *testing.T) {
			s := newStage(t, rule)
			s.get()
			s.direct(fail503)
			time.Sleep(15 * second)
			s.want(s.get(), map[string]string{"while revalidated": revalidating, "on errors": onError}[name], "0")
			s.invalidate(freshet.Tag("items"))
			if w := s.get(); w.Code != http.StatusServiceUnavailable {
				t.Errorf("answer %d %q", w.Code, w.Body)
			}
		})
	}
}

// TestInvalidatedWhileItFails: between the look-up that finds the stale answer and
// the failure that it would make good for, it is invalidated.
func TestInvalidatedWhileItFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, sie)
		s.get()
		s.direct(func(w http.ResponseWriter, r *http.Request) {
			s.invalidate(freshet.Key("item:1"))
			fail503(w, r)
		})
		time.Sleep(15 * second)
		if w := s.get(); w.Code != http.StatusServiceUnavailable {
			t.Errorf("answer %d %q: it had been invalidated", w.Code, w.Body)
		}
	})
}

// overtaken is the race that every late fill can lose: a load has read its data, which
// then is changed and invalidated, and the load ends. It returns what is served
// afterwards.
func overtaken(t *testing.T, store freshet.Store, rule freshet.Rule, answer http.HandlerFunc, begin func(s *stage)) string {
	s := newStageOn(t, store, rule, "Etag", `"a"`)
	s.get()
	time.Sleep(15 * second)
	read, leave := make(chan struct{}), make(chan struct{})
	var once sync.Once
	s.direct(func(w http.ResponseWriter, r *http.Request) {
		old := s.version.Load()
		once.Do(func() {
			close(read)
			<-leave
		})
		if answer != nil && old == 0 {
			answer(w, r)
			return
		}
		fmt.Fprint(w, old)
	})
	var all sync.WaitGroup
	all.Go(func() { begin(s) })
	<-read
	s.version.Add(1)
	s.invalidate(freshet.Tag("items"))
	close(leave)
	all.Wait()
	synctest.Wait()
	return s.get().Body.String()
}

// TestOvertaken: a load that an invalidation has overtaken fills nothing that is
// served, whichever way it was begun. Each has a control on a store whose fills are
// stamped when they come.
func TestOvertaken(t *testing.T) {
	notModified := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Etag", `"a"`)
		w.WriteHeader(http.StatusNotModified)
	}
	limited := func(rule freshet.Rule) freshet.Rule {
		rule.HardTimeout, rule.SoftTimeout = second, 0
		return rule
	}
	for name, tt := range map[string]struct {
		rule   freshet.Rule
		answer http.HandlerFunc
	}{
		"background refresh":             {swr, nil},
		"background refresh by a 304":    {swr, notModified},
		"late fill after a time-out":     {limited(freshet.Rule{TTL: 10 * second}), nil},
		"revalidation by a 304":          {freshet.Rule{TTL: 10 * second}, notModified},
		"late revalidation after a stop": {limited(sie), notModified},
	} {
		begin := func(s *stage) { s.get() }
		in(t, name, func(t *testing.T) {
			if got := overtaken(t, newFake(t), tt.rule, tt.answer, begin); got != "1" {
				t.Errorf("served %q from before the invalidation", got)
			}
		})
		in(t, name+", control", func(t *testing.T) {
			if got := overtaken(t, restamped{newFake(t)}, tt.rule, tt.answer, begin); got != "0" {
				t.Errorf("served %q without the guard: the test shows nothing", got)
			}
		})
	}
}

// TestEarlyRefresh: an answer is loaded again before its lifetime ends, and never
// much before, compared to how long that takes.
func TestEarlyRefresh(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, freshet.Rule{TTL: 100 * second, EarlyRefresh: true})
		s.direct(func(w http.ResponseWriter, _ *http.Request) {
			time.Sleep(second)
			s.answer(w)
		})
		s.get()
		for range 1000 {
			s.want(s.get(), hit, "0")
		}
		s.wantRuns(1)
		s.version.Add(1)
		time.Sleep(99*second - 1)
		for range 50 { // each with a chance of about e⁻¹
			s.want(s.get(), hit, "0")
		}
		time.Sleep(2 * second)
		s.wantRuns(2)
		s.want(s.get(), hit, "1")
	})
}

// TestRefreshFails: what goes wrong behind the back of requests is logged and
// throttled, and harms nobody.
func TestRefreshFails(t *testing.T) {
	for name, act := range failures {
		in(t, name, func(t *testing.T) {
			s := newStage(t, swr)
			s.get()
			s.direct(act)
			time.Sleep(15 * second)
			for range 5 {
				s.want(s.get(), revalidating, "0")
				synctest.Wait()
			}
			time.Sleep(second)
			s.wantRuns(2)
			if got := s.diary.lines("has panicked"); name == "panic" && len(got) != 1 {
				t.Errorf("%d panics are logged", len(got))
			}
		})
	}
}

// TestCloseEndsRefreshes: a refresh does not outlive its cache.
func TestCloseEndsRefreshes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, swr)
		s.get()
		ended := make(chan struct{})
		s.direct(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done(); close(ended) })
		time.Sleep(15 * second)
		s.get()
		synctest.Wait()
		if err := s.cache.Close(t.Context()); err != nil {
			t.Error(err)
		}
		select {
		case <-ended:
		default:
			t.Error("the refresh goes on")
		}
		if got := s.diary.reasons(freshet.EventFill); !slices.Equal(got, []string{"stored", "abandoned"}) {
			t.Errorf("fills %q", got)
		}
	})
}

// TestRoutersThatReuse: a router that keeps what it knows of a request in something
// that it uses again has its handlers end before their requests do.
func TestRoutersThatReuse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rule := swr
		rule.Params = func(*http.Request, string) (string, bool) { return "", false }
		s := newStage(t, rule)
		s.get()
		s.direct(func(w http.ResponseWriter, _ *http.Request) {
			time.Sleep(second)
			s.answer(w)
		})
		time.Sleep(15 * second)
		start := time.Now()
		w := s.get()
		s.want(w, revalidating, "0")
		if took := time.Since(start); took != second || !w.Flushed {
			t.Errorf("the request took %v, flushed %v", took, w.Flushed)
		}
		s.wantRuns(2)
	})
}

// TestLoadIsNeverStale: a value of Load has nobody who could say that it may be.
func TestLoadIsNeverStale(t *testing.T) {
	c, _ := open(t, newFake(t))
	n := 0
	load := func() int {
		got, err := freshet.Load(t.Context(), c, "k", minute, func(context.Context) (int, error) { n++; return n, nil })
		if err != nil {
			t.Error(err)
		}
		return got
	}
	for range 2 {
		if load() != 1 {
			t.Error("no hit")
		}
	}
	if _, err := c.Invalidate(t.Context(), freshet.Key("k").Softly()); err != nil {
		t.Fatal(err)
	}
	if got := load(); got != 2 {
		t.Errorf("got %d after a soft invalidation", got)
	}
}
