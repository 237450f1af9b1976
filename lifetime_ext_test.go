package freshet_test

import (
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/freshet-dev/freshet"
)

// TestLifetimes: where the lifetime of an answer comes from. Fresh after is when a
// request is still a hit, stale at when it is not any more; -1 for never stored.
func TestLifetimes(t *testing.T) {
	const shorter, own, heuristic, rule = freshet.LifetimeShorter, freshet.LifetimeAnswer, freshet.LifetimeHeuristic, freshet.LifetimeRule
	const never = -1
	modified := "Fri, 31 Dec 1999 23:43:20 GMT" // 1,000 s before the bubbles' time begins
	for _, tt := range []struct {
		name     string
		header   []string
		shorter  int // seconds of freshness under each, with a TTL of 100 s
		answer   int
		heurist  int
		override int
	}{
		{"nothing", nil, 100, never, never, 100},
		{"max-age", []string{"Cache-Control", "max-age=50"}, 50, 50, 50, 100},
		{"longer max-age", []string{"Cache-Control", "max-age=500"}, 100, 500, 500, 100},
		{"s-maxage", []string{"Cache-Control", "s-maxage=50, max-age=70"}, 50, 50, 50, 100},
		{"Expires", []string{"Expires", "Sat, 01 Jan 2000 00:00:50 GMT"}, 50, 50, 50, 100},
		{"targeted", []string{"Cache-Control", "max-age=70", "Freshet-Cache-Control", "max-age=50"}, 50, 50, 50, 100},
		{"for all caches", []string{"Cache-Control", "max-age=70", "Cdn-Cache-Control", "max-age=50"}, 50, 50, 50, 100},
		{"Last-Modified", []string{"Last-Modified", modified}, 100, never, 100, 100},
		{"no-cache", []string{"Cache-Control", "no-cache"}, never, never, never, 100},
		{"max-age=0", []string{"Cache-Control", "max-age=0"}, never, never, never, 100},
		{"private", []string{"Cache-Control", "private, max-age=50"}, never, never, never, never},
		{"no-store", []string{"Cache-Control", "no-store, max-age=50"}, never, never, never, never},
		{"a cookie", []string{"Set-Cookie", "a=b", "Cache-Control", "max-age=50"}, never, never, never, never},
	} {
		for lifetime, want := range map[freshet.Lifetime]int{shorter: tt.shorter, own: tt.answer, heuristic: tt.heurist, rule: tt.override} {
			in(t, tt.name, func(t *testing.T) {
				s := newStage(t, freshet.Rule{TTL: 100 * time.Second, Lifetime: lifetime}, tt.header...)
				s.get()
				if want > 0 {
					time.Sleep(time.Duration(want)*time.Second - time.Nanosecond)
					s.want(s.get(), hit, "0")
					time.Sleep(time.Nanosecond)
				}
				runs := s.runs.Load()
				s.get()
				if s.runs.Load() == runs {
					t.Errorf("lifetime %d: it is fresh for more than %d s", lifetime, want)
				}
			})
		}
	}
}

// What the handler tells the cache goes before all that its header says, of what may
// be stored at all.
func TestSetTTLGoesFirst(t *testing.T) {
	for header, storable := range map[string]bool{"max-age=5": true, "no-cache": true, "private": false, "no-store": false} {
		for _, lifetime := range []freshet.Lifetime{freshet.LifetimeShorter, freshet.LifetimeAnswer} {
			in(t, header, func(t *testing.T) {
				s := newStage(t, freshet.Rule{TTL: time.Minute, Lifetime: lifetime}, "Cache-Control", header)
				s.direct(func(w http.ResponseWriter, r *http.Request) {
					freshet.FromContext(r.Context()).SetTTL(time.Hour)
					s.answer(w)
				})
				s.get()
				time.Sleep(time.Hour - 1)
				s.get()
				if got := s.runs.Load() == 1; got != storable {
					t.Errorf("a hit: %v, want %v", got, storable)
				}
			})
		}
	}
}

// TestJitter: lifetimes that come from TTL end at different times.
func TestJitter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		memory := newFake(t)
		s := newStageOn(t, memory, freshet.Rule{TTL: 100 * time.Second, Jitter: 0.5})
		seen := map[time.Duration]bool{}
		for range 20 {
			s.invalidate(freshet.All())
			s.get()
			found, err := memory.Lookup(t.Context(), freshet.Ref{Key: "item:1"})
			if err != nil || found.Entry == nil || found.Entry.Fresh <= 50*time.Second || found.Entry.Fresh > 100*time.Second {
				t.Fatalf("%+v, %v", found.Entry, err)
			}
			seen[found.Entry.Fresh] = true
		}
		if len(seen) < 10 {
			t.Errorf("%d lifetimes of 20 loads", len(seen))
		}
	})
}

// TestClientDirectives: what a request says of the age of what it takes (RFC 9111,
// section 5.2.1), of an answer that is 10 s old and fresh for 50 s more.
func TestClientDirectives(t *testing.T) {
	for _, tt := range []struct{ name, value, state string }{
		{"Cache-Control", "no-cache", requested},
		{"Cache-Control", "max-age=0", requested},
		{"Cache-Control", "max-age=9", requested},
		{"Cache-Control", "max-age=11", hit},
		{"Cache-Control", "min-fresh=51", requested},
		{"Cache-Control", "min-fresh=49", hit},
		{"Cache-Control", "only-if-cached", hit},
		{"Cache-Control", "no-store", hit},
		{"Cache-Control", "x-unknown", hit},
		{"Pragma", "no-cache", requested},
	} {
		for _, ignore := range []bool{false, true} {
			in(t, tt.name+" "+tt.value, func(t *testing.T) {
				s := newStage(t, freshet.Rule{TTL: time.Minute, IgnoreClient: ignore})
				s.want(s.get(), stored, "0")
				s.version.Add(1)
				time.Sleep(10 * time.Second)
				if ignore || tt.state == hit {
					s.want(s.get(tt.name, tt.value), hit, "0")
					return
				}
				s.want(s.get(tt.name, tt.value), tt.state, "1")
				s.want(s.get(), hit, "1")
			})
		}
	}
}

// TestMaxStale is the directive of section 5.2.1.2: a client may take what is stale.
func TestMaxStale(t *testing.T) {
	for name, tt := range map[string]struct{ answer, request, state, body string }{
		"any":                {"max-age=10", "max-stale", `hit; detail="max-stale"`, "0"},
		"enough":             {"max-age=10", "max-stale=6", `hit; detail="max-stale"`, "0"},
		"too little":         {"max-age=10", "max-stale=4", staleStored, "1"},
		"must-revalidate":    {"max-age=10, must-revalidate", "max-stale", staleStored, "1"},
		"proxy-revalidate":   {"max-age=10, proxy-revalidate", "max-stale", staleStored, "1"},
		"s-maxage":           {"s-maxage=10", "max-stale", staleStored, "1"},
		"only what is there": {"max-age=10", "only-if-cached, max-stale", `hit; detail="max-stale"`, "0"},
	} {
		in(t, name, func(t *testing.T) {
			s := newStage(t, freshet.Rule{}, "Cache-Control", tt.answer, "Last-Modified", "Fri, 31 Dec 1999 23:43:20 GMT")
			s.get()
			s.version.Add(1)
			time.Sleep(15 * time.Second)
			s.want(s.get("Cache-Control", tt.request), tt.state, tt.body)
		})
	}
}

// TestOnlyIfCached: the client wants nothing from the handler (section 5.2.1.7).
func TestOnlyIfCached(t *testing.T) {
	s := newStage(t, freshet.Rule{})
	w := s.get("Cache-Control", "only-if-cached")
	if w.Code != http.StatusGatewayTimeout || w.Header().Get("Cache-Status") != `freshet; fwd=uri-miss; detail="only-if-cached"` {
		t.Errorf("%d, %v", w.Code, w.Header())
	}
	s.wantRuns(0)
}

// TestRequestNoStore: what is loaded for such a request is not stored (section
// 5.2.1.5).
func TestRequestNoStore(t *testing.T) {
	s := newStage(t, freshet.Rule{})
	s.want(s.get("Cache-Control", "no-store"), `fwd=uri-miss; detail="request no-store"`, "0")
	s.want(s.get(), stored, "0")
}

// TestRequestedBeyondFresh: fwd is request only where a fresh answer would have done (RFC
// 9211, section 2.2).
func TestRequestedBeyondFresh(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, freshet.Rule{}, "Cache-Control", "max-age=10", "Last-Modified", "Fri, 31 Dec 1999 23:43:20 GMT")
		s.want(s.get("Cache-Control", "no-cache"), stored, "0")
		s.want(s.get("Cache-Control", "no-cache"), requested, "0")
		time.Sleep(15 * time.Second)
		s.want(s.get("Cache-Control", "no-cache"), staleStored, "0")
	})
}

// TestRequestNoStoreLeadsNobody: others do not wait for what such a request loads, to
// find that it cannot be shared.
func TestRequestNoStoreLeadsNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, freshet.Rule{})
		s.slowly(time.Second)
		go s.get("Cache-Control", "no-store")
		synctest.Wait()
		wantAll(t, crowd(t.Context(), 20, s.h), "0")
		s.wantRuns(2)
	})
}

// TestNoCacheJoinsNoEarlierLoad: a client that wants an answer made from now on is
// not answered by a load that began before it came.
func TestNoCacheJoinsNoEarlierLoad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, freshet.Rule{})
		s.direct(func(w http.ResponseWriter, _ *http.Request) {
			read := s.version.Load()
			time.Sleep(time.Second)
			_, _ = w.Write([]byte{'0' + byte(read)})
		})
		go s.get()
		synctest.Wait()
		s.version.Add(1)
		answers := make(chan string)
		for _, header := range [][]string{nil, {"Cache-Control", "no-cache"}, {"Pragma", "no-cache"}} {
			go func() { answers <- s.get(header...).Body.String() }()
		}
		got := map[string]int{}
		for range 3 {
			got[<-answers]++
		}
		if got["0"] != 1 || got["1"] != 2 {
			t.Errorf("answers %v, want the earlier load's for the one that did not mind", got)
		}
	})
}
