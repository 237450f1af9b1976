package freshet_test

import (
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
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
