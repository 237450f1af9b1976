package freshet_test

import (
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/freshet-dev/freshet"
	"github.com/freshet-dev/freshet/memstore"
)

// TestHeadProvesNothing: an answer to HEAD without a validator does not show that what
// is stored still holds. A soft invalidation, above all, is not undone by it.
func TestHeadProvesNothing(t *testing.T) {
	for name, act := range map[string]http.HandlerFunc{
		"nothing":  func(http.ResponseWriter, *http.Request) {},
		"a length": func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Content-Length", "1") },
		"a body":   func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "1") },
	} {
		in(t, name, func(t *testing.T) {
			s := newStage(t, freshet.Rule{TTL: minute, StaleIfError: minute})
			s.get()
			s.version.Add(1)
			s.invalidate(freshet.Key("item:1").Softly())
			s.direct(act)
			s.do("HEAD", "/items/1")
			s.direct(nil)
			s.want(s.get(), `fwd=stale; stored; detail="banned-key"`, "1")
		})
	}
}

// TestNoStoreLeadsNobody: a client that wants its answer not to be stored does not
// keep others from sharing theirs, neither while it is asked for nor later.
func TestNoStoreLeadsNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, freshet.Rule{})
		s.slowly(second)
		go s.get("Cache-Control", "no-store")
		synctest.Wait()
		wantAll(t, crowd(t.Context(), 50, s.h), "0")
		s.wantRuns(2)
	})
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, freshet.Rule{})
		s.get("Cache-Control", "no-store")
		s.slowly(second)
		wantAll(t, crowd(t.Context(), 50, s.h), "0")
		s.wantRuns(2)
	})
}

// TestNewestForm: once an answer has been loaded again, its older forms are not served
// any more (RFC 9111, section 4: the most recent one).
func TestNewestForm(t *testing.T) {
	check := func(t *testing.T, store freshet.Store) {
		var coder coder
		var h author
		site := routed(openCoding(t, store, &coder).Handler(item, &h))
		for range 2 {
			wantForm(t, ask(t.Context(), site, "gzip"), "gzip", prose(1))
		}
		wantForm(t, ask(t.Context(), site, "", "Cache-Control", "no-cache"), "", prose(2))
		for range 2 {
			wantForm(t, ask(t.Context(), site, "gzip"), "gzip", prose(2))
		}
		coder.mu.Lock()
		defer coder.mu.Unlock()
		if coder.made["gzip"] != 2 {
			t.Errorf("%d forms of two answers were made", coder.made["gzip"])
		}
	}
	t.Run("fake", func(t *testing.T) { check(t, newFake(t)) })
	t.Run("memstore", func(t *testing.T) {
		store, err := memstore.Open(t.Context(), slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		check(t, store)
	})
	t.Run("redisstore", func(t *testing.T) {
		stores, _ := redisProcesses(t, 1)
		check(t, stores[0])
	})
}

// TestFormOfWhatIsTakenBack: with an answer, its forms go.
func TestFormOfWhatIsTakenBack(t *testing.T) {
	var coder coder
	h := &author{}
	h.act = func(w http.ResponseWriter, _ *http.Request, n int32) {
		w.Header().Set("Content-Type", "text/plain")
		if n > 1 {
			w.Header().Set("Cache-Control", "no-store")
		}
		_, _ = io.WriteString(w, prose(n))
	}
	site := routed(openCoding(t, newFake(t), &coder).Handler(item, h))
	for range 2 {
		wantForm(t, ask(t.Context(), site, "gzip"), "gzip", prose(1))
	}
	ask(t.Context(), site, "", "Cache-Control", "no-cache")
	if w := ask(t.Context(), site, "gzip"); decoded(t, w) != prose(3) {
		t.Errorf("%v", w.Header)
	}
}

// TestFormsOfWhatIsNotStored: an answer that is freshened and must not be stored has no
// place, and so no form that another in the same case could get.
func TestFormsOfWhatIsNotStored(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var coder coder
		h := &author{}
		h.act = func(w http.ResponseWriter, r *http.Request, _ int32) {
			w.Header().Set("Content-Type", "text/plain")
			w.Header().Set("Etag", `"a"`)
			if r.Header.Get("If-None-Match") != "" {
				time.Sleep(time.Second)
				w.Header().Set("Cache-Control", "private")
				w.WriteHeader(http.StatusNotModified)
				return
			}
			_, _ = io.WriteString(w, strings.Repeat("of "+r.PathValue("id")+"\n", 1000))
		}
		rule := item
		rule.TTL = time.Minute
		site := routed(openCoding(t, newFake(t), &coder).Handler(rule, h))
		read := func(id string) outcome {
			r := httptest.NewRequestWithContext(t.Context(), "GET", "/items/"+id, nil)
			r.Header.Set("Accept-Encoding", "gzip")
			w := httptest.NewRecorder()
			site.ServeHTTP(w, r)
			return outcome{w.Code, w.Result().Header, w.Body.String()}
		}
		read("1")
		read("2")
		time.Sleep(90 * time.Second)
		var all sync.WaitGroup
		for _, id := range []string{"1", "2"} {
			all.Go(func() {
				if got := decoded(t, read(id)); !strings.HasPrefix(got, "of "+id) {
					t.Errorf("%s gets %.5q", id, got)
				}
			})
		}
		all.Wait()
	})
}

// TestEarlyRefreshOfAMarker: a form is fresh, and where its answer was there is a
// marker by now, put there by a process that does not code.
func TestEarlyRefreshOfAMarker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var coder coder
		h := &author{}
		h.act = func(w http.ResponseWriter, _ *http.Request, n int32) {
			time.Sleep(time.Minute)
			w.Header().Set("Content-Type", "text/plain")
			if n > 1 {
				w.Header().Set("Vary", "X-A")
			}
			_, _ = io.WriteString(w, prose(n))
		}
		rule := item
		rule.EarlyRefresh, rule.TTL, rule.StaleWhileRevalidate = true, 10*time.Minute, 20*time.Minute
		stores := fakeProcesses(t, 2)
		site := routed(openCoding(t, stores[0], &coder).Handler(rule, h))
		plain, _ := open(t, stores[1])
		for range 2 {
			ask(t.Context(), site, "gzip")
		}
		ask(t.Context(), routed(plain.Handler(rule, h)), "", "Cache-Control", "no-cache")
		time.Sleep(7 * time.Minute)
		for range 300 { // each with a chance of about e⁻²
			if w := ask(t.Context(), site, "gzip"); w.Code != http.StatusOK || w.Body == "" {
				t.Fatalf("status %d, %d bytes", w.Code, len(w.Body))
			}
		}
		time.Sleep(2 * time.Minute) // for the refresh
	})
}

// TestPieceOfAnUpdate: who says If-Range has the rest of the header, and the handler
// need not send it (RFC 9110, section 15.3.7): that is not enough for others.
func TestPieceOfAnUpdate(t *testing.T) {
	for name, of := range map[string]string{"some": "0-3", "all": "0-"} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t)
			s.handle("GET /book", freshet.Rule{Key: "book"}, func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Etag", `"a"`)
				if r.Header.Get("If-Range") == "" {
					w.Header().Set("Content-Type", "application/pdf")
					w.Header().Set("Content-Security-Policy", "sandbox")
				} else {
					w.Header()["Content-Type"] = nil
				}
				http.ServeContent(w, r, "", time.Time{}, strings.NewReader(text26))
			})
			s.get("/book", "Range", "bytes="+of, "If-Range", `"a"`)
			for _, header := range [][]string{{"Range", "bytes=" + of}, nil} {
				if r := s.get("/book", header...); r.Header.Get("Content-Security-Policy") == "" {
					t.Errorf("%q gets %v", header, r.Header)
				}
			}
		})
	}
}

// TestTakenBack: once its handler has answered that what is stored is not for others,
// or not there any more, that is not served in the handler's place either.
func TestTakenBack(t *testing.T) {
	for name, act := range map[string]struct {
		status int
		header []string
	}{
		"304 private":  {304, []string{"Cache-Control", "private"}},
		"304 no-store": {304, []string{"Cache-Control", "no-store"}},
		"304 Vary":     {304, []string{"Vary", "*"}},
		"304 cookie":   {304, []string{"Set-Cookie", "a=b"}},
		"200 private":  {200, []string{"Cache-Control", "private"}},
		"200 no-store": {200, []string{"Cache-Control", "no-store"}},
		"200 Vary":     {200, []string{"Vary", "*"}},
		"200 cookie":   {200, []string{"Set-Cookie", "a=b"}},
		"404":          {404, nil},
		"410":          {410, nil},
		"404, stored":  {404, []string{"Cache-Control", "max-age=1"}},
	} {
		in(t, name, func(t *testing.T) {
			s := newStage(t, freshet.Rule{TTL: 10 * second, StaleIfError: minute}, "Etag", `"a"`)
			s.get()
			for _, header := range [][]string{{"Cache-Control", "no-cache"}, nil} {
				s.direct(nil)
				s.get("Cache-Control", "no-cache")
				time.Sleep(5 * second)
				if header == nil {
					time.Sleep(10 * second)
				}
				s.direct(func(w http.ResponseWriter, _ *http.Request) {
					for i := 0; i < len(act.header); i += 2 {
						w.Header().Set(act.header[i], act.header[i+1])
					}
					w.WriteHeader(act.status)
				})
				s.get(header...)
				s.direct(fail503)
				if w := s.get(); w.Code != http.StatusServiceUnavailable {
					t.Errorf("after %q: %d %s", header, w.Code, w.Header())
				}
				time.Sleep(5 * second)
			}
		})
	}
}

// TestReloadedAndNotStored: what a reload has shown to be overtaken is not served after
// it, though the new answer cannot be stored.
func TestReloadedAndNotStored(t *testing.T) {
	for name, act := range map[string]http.HandlerFunc{
		"stale":   func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Cache-Control", "max-age=0") },
		"flushed": func(w http.ResponseWriter, _ *http.Request) { _ = http.NewResponseController(w).Flush() },
		"large":   func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, strings.Repeat("1", 100)) },
		"trailer": func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Trailer", "X-A") },
	} {
		s := newStage(t, freshet.Rule{MaxBody: 99})
		s.get()
		s.direct(act)
		s.get("Cache-Control", "no-cache")
		s.version.Add(1)
		s.direct(nil)
		if w := s.get(); w.Body.String() != "1" {
			t.Errorf("%s: %q %v", name, w.Body, w.Header())
		}
	}
}

// TestRefusedRefresh: a handler that refuses to refresh is not asked by every request.
func TestRefusedRefresh(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, swr)
		s.get()
		s.direct(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTooManyRequests) })
		time.Sleep(15 * second)
		for range 10 * 10 { // in ten seconds
			s.want(s.get(), revalidating, "0")
			time.Sleep(second / 10)
		}
		s.wantRuns(1 + 2)
	})
}

// TestCloseOfWhatIsAhead: Close does not wait for a load that only needs to be told.
func TestCloseOfWhatIsAhead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, freshet.Rule{TTL: minute, RefreshAhead: 10 * second})
		s.get()
		s.get()
		s.direct(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
		time.Sleep(55 * second)
		s.wantRuns(2)
		start := time.Now()
		if err := s.cache.Close(t.Context()); err != nil || time.Since(start) > 0 {
			t.Errorf("%v after %v", err, time.Since(start))
		}
	})
}

// TestNotTakenBackByOne: what somebody is answered who says who he is says nothing of
// what everybody gets, and nor does it that he gets no answer.
func TestNotTakenBackByOne(t *testing.T) {
	for name, act := range map[string]http.HandlerFunc{
		"private": func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Cache-Control", "private") },
		"error":   fail503,
		"slow":    func(http.ResponseWriter, *http.Request) { time.Sleep(5 * second) },
	} {
		for _, method := range []string{"GET", "HEAD"} {
			in(t, name+" "+method, func(t *testing.T) {
				s := newStage(t, freshet.Rule{TTL: 10 * second, StaleIfError: minute, SoftTimeout: second}, "Cache-Control", "public")
				s.get()
				time.Sleep(15 * second)
				s.direct(act)
				s.do(method, "/items/1", "Cookie", "a=b")
				s.direct(fail503)
				s.want(s.get(), onError, "0") // the handler has been asked
				time.Sleep(10 * second)
			})
		}
	}
}

// TestVariedHitsAreNoViolations: the auditor asks for what its hit was asked for.
func TestVariedHitsAreNoViolations(t *testing.T) {
	store := newFake(t)
	cache, err := freshet.New(store, &freshet.Options{
		Logger: slog.New(slog.DiscardHandler), Audit: freshet.Audit{Fraction: 1, Report: func(v freshet.Violation) { t.Errorf("%+v", v) }},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer cache.Close(t.Context())
	site := routed(cache.Handler(item, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Vary", "X-A")
		_, _ = io.WriteString(w, r.Header.Get("X-A"))
	})))
	for end := time.Now().Add(time.Minute); cache.Audited().Fresh < 4; time.Sleep(time.Millisecond) {
		for _, a := range []string{"1", "2"} {
			if w := ask(t.Context(), site, "", "X-A", a); w.Body != a {
				t.Errorf("%q for %q", w.Body, a)
			}
		}
		if time.Now().After(end) {
			t.Fatal(cache.Audited())
		}
	}
}

// TestHeadOfOne: a HEAD that shows what is stored to be out of date makes that stale, not
// everything under the key, and it leaves nothing behind that many of them would fill
// the store's history with.
func TestHeadOfOne(t *testing.T) {
	var coder coder
	h := &author{}
	h.act = func(w http.ResponseWriter, r *http.Request, n int32) {
		w.Header().Set("Content-Type", "text/plain")
		w.Header().Set("Etag", fmt.Sprintf(`"%d"`, n))
		if r.Method == http.MethodGet {
			_, _ = io.WriteString(w, prose(n))
		}
	}
	store := newFake(t)
	site := routed(openCoding(t, store, &coder).Handler(item, h))
	do := func(method, path string, header ...string) outcome {
		r := httptest.NewRequestWithContext(t.Context(), method, path, nil)
		r.Header.Set("Accept-Encoding", "gzip")
		for pair := range slices.Chunk(header, 2) {
			r.Header.Add(pair[0], pair[1])
		}
		w := httptest.NewRecorder()
		site.ServeHTTP(w, r)
		return outcome{w.Code, w.Result().Header, w.Body.String()}
	}
	for _, path := range []string{"/items/1", "/items/1?a=1"} {
		for range 2 {
			do("GET", path)
		}
	}
	do("HEAD", "/items/1", "Cache-Control", "no-cache")
	wantForm(t, do("GET", "/items/1?a=1"), "gzip", prose(2))
	wantForm(t, do("GET", "/items/1"), "gzip", prose(4))
}

// TestRemovedIn304: what a 304 does not have, be it that the handler has taken it out of
// what middleware had set, as http.ServeContent does, stays as it was stored.
func TestRemovedIn304(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, freshet.Rule{TTL: 10 * second})
		inner := s.h
		s.h = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.Header().Set("Content-Language", "en")
			inner.ServeHTTP(w, r)
		})
		s.direct(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Etag", `"a"`)
			w.Header().Del("Content-Language")
			if r.Header.Get("If-None-Match") == "" {
				w.Header().Set("Content-Type", "text/csv")
			}
			http.ServeContent(w, r, "x", time.Time{}, strings.NewReader("a,b"))
		})
		for _, pause := range []time.Duration{0, second, 15 * second, second} {
			time.Sleep(pause)
			if w := s.get(); w.Header().Get("Content-Type") != "text/csv" || w.Header().Get("Content-Language") != "" {
				t.Errorf("%v", w.Header())
			}
		}
		s.wantRuns(2)
	})
}

// TestTagsOfPieces: a piece that another has taken the place of still shows in the header
// of what is kept, so that its tags remain.
func TestTagsOfPieces(t *testing.T) {
	s := newSite(t)
	part := func(of, tag, state, body string) {
		t.Helper()
		s.wantBody(s.get("/book", "Range", "bytes="+of, "X-Tag", tag), state, body)
	}
	s.handle("GET /book", freshet.Rule{Key: "book"}, func(w http.ResponseWriter, r *http.Request) {
		tag := r.Header.Get("X-Tag")
		w.Header().Set("Etag", `"a"`)
		w.Header().Set("Content-Type", "text/plain")
		w.Header().Set("X-Of-"+tag, tag)
		freshet.FromContext(r.Context()).Tag(tag)
		http.ServeContent(w, r, "", time.Time{}, strings.NewReader(text26))
	})
	part("2-5", "one", stored, text26[2:6])
	part("0-9", "two", stored, text26[:10])
	part("2-3", "", hit, text26[2:4])
	if _, err := s.cache.Invalidate(t.Context(), freshet.Tag("one")); err != nil {
		t.Fatal(err)
	}
	part("2-3", "three", stored, text26[2:4])
}
