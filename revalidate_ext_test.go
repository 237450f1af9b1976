package freshet_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/freshet-dev/freshet"
	"github.com/freshet-dev/freshet/memstore"
)

// conditional answers as http.ServeContent does.
func (s *stage) conditional(header ...string) {
	s.direct(func(w http.ResponseWriter, r *http.Request) {
		for i := 0; i < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		http.ServeContent(w, r, "x.txt", time.Time{}, strings.NewReader(fmt.Sprint(s.version.Load())))
	})
}

// TestRevalidation is RFC 9111, sections 4.3.1, 4.3.3 and 3.2: the handler is asked
// whether what is stored still holds, by the validators that it has given.
func TestRevalidation(t *testing.T) {
	for name, tt := range map[string]struct{ validator, value, condition string }{
		"strong":        {"Etag", `"a"`, "If-None-Match"},
		"weak":          {"Etag", `W/"a"`, "If-None-Match"},
		"Last-Modified": {"Last-Modified", "Fri, 31 Dec 1999 23:00:00 GMT", "If-Modified-Since"},
	} {
		in(t, name, func(t *testing.T) {
			s := newStage(t, freshet.Rule{TTL: 10 * second})
			s.conditional("Cache-Control", "max-age=10", tt.validator, tt.value, "X-Count", "1")
			s.want(s.get(), stored, "0")
			s.version.Add(1) // which the validator does not tell
			time.Sleep(15 * second)
			s.direct(func(w http.ResponseWriter, r *http.Request) {
				if r.Header.Get(tt.condition) != tt.value {
					t.Errorf("asked with %v", r.Header)
				}
				w.Header().Set("X-Count", "2")
				w.Header().Set(tt.validator, tt.value)
				w.WriteHeader(http.StatusNotModified)
			})
			w := s.get()
			s.want(w, "fwd=stale; fwd-status=304; stored", "0")
			if w.Code != http.StatusOK || w.Header().Get("X-Count") != "2" || w.Header().Get("Content-Length") != "1" {
				t.Errorf("%d %v", w.Code, w.Header())
			}
			time.Sleep(9 * second)
			w = s.get()
			s.want(w, hit, "0")
			if w.Header().Get("X-Count") != "2" || w.Header().Get("Age") != "9" {
				t.Errorf("%v", w.Header())
			}
			if got := s.diary.reasons(freshet.EventFill); got[len(got)-1] != "revalidated" {
				t.Errorf("fills %q", got)
			}
			// The client's own condition is judged on what is stored.
			if tt.validator == "Etag" {
				if w := s.get("If-None-Match", tt.value, "Cache-Control", "no-cache"); w.Code != http.StatusNotModified {
					t.Errorf("status %d for who has it", w.Code)
				}
			}
		})
	}
}

// TestOurTagIsNotSent: the validator that the cache has made up means nothing to the
// handler.
func TestOurTagIsNotSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, sie)
		tag := s.get().Header().Get("Etag")
		time.Sleep(15 * second)
		w := s.get("If-None-Match", tag)
		if asked := s.asked.Load().(http.Header); tag == "" || asked["If-None-Match"] != nil {
			t.Errorf("tag %q, asked with %v", tag, asked)
		}
		// But to the client it does.
		if w.Code != http.StatusNotModified {
			t.Errorf("status %d", w.Code)
		}
	})
}

// TestAnother304: one that speaks of something else than what is stored says nothing
// of it (section 4.3.4): the handler is asked for the whole answer.
func TestAnother304(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, freshet.Rule{TTL: 10 * second}, "Etag", `"a"`)
		s.get()
		s.version.Add(1)
		time.Sleep(15 * second)
		s.direct(func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("If-None-Match") != "" {
				w.Header().Set("Etag", `"b"`)
				w.WriteHeader(http.StatusNotModified)
				return
			}
			s.answer(w)
		})
		s.want(s.get(), staleStored, "1")
	})
}

// TestTagsOutliveRevalidation: a 304 names no tags, and what it freshens keeps its own.
func TestTagsOutliveRevalidation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, freshet.Rule{TTL: 10 * second})
		s.direct(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Etag", `"a"`)
			if r.Header.Get("If-None-Match") != "" {
				w.WriteHeader(http.StatusNotModified)
				return
			}
			freshet.FromContext(r.Context()).Tag("own")
			fmt.Fprint(w, s.version.Load())
		})
		s.get()
		time.Sleep(15 * second)
		s.want(s.get(), "fwd=stale; fwd-status=304; stored", "0")
		s.version.Add(1)
		s.invalidate(freshet.Tag("own"))
		if got := s.get().Body.String(); got != "1" {
			t.Errorf("served %q after its tag was invalidated", got)
		}
	})
}

// TestHeadFreshens is section 4.3.5: what a HEAD request is answered updates what is
// stored, or shows that it is out of date.
func TestHeadFreshens(t *testing.T) {
	for tag, want := range map[string]struct{ state, body string }{
		`"a"`: {hit, "0"},
		`"b"`: {staleStored, "1"},
	} {
		in(t, tag, func(t *testing.T) {
			s := newStage(t, freshet.Rule{TTL: minute}, "Etag", `"a"`)
			s.get()
			s.version.Add(1)
			time.Sleep(50 * second)
			s.direct(func(w http.ResponseWriter, r *http.Request) {
				if r.Method == "HEAD" {
					w.Header().Set("Etag", tag)
					return
				}
				s.answer(w)
			})
			s.do("HEAD", "/items/1", "Cache-Control", "no-cache")
			if want.state == hit {
				time.Sleep(50 * second)
			}
			s.want(s.get(), want.state, want.body)
		})
	}
}

// TestRange: parts are answered from what is stored whole; on a miss the handler
// answers them, and what it answers whole is stored.
func TestRange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, freshet.Rule{TTL: 10 * second})
		s.direct(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Etag", fmt.Sprintf(`"%d"`, s.version.Load()))
			http.ServeContent(w, r, "x.txt", time.Time{}, strings.NewReader(fmt.Sprint("0123456", s.version.Load())))
		})
		part := func(state string, code int, body string) {
			t.Helper()
			w := s.get("Range", "bytes=6-7")
			s.want(w, state, body)
			if w.Code != code {
				t.Errorf("status %d, want %d", w.Code, code)
			}
		}
		part(stored, http.StatusPartialContent, "60")
		s.get()
		part(hit, http.StatusPartialContent, "60")
		time.Sleep(15 * second)
		part("fwd=stale; fwd-status=304; stored", http.StatusPartialContent, "60")
		time.Sleep(15 * second)
		s.version.Add(1)
		part(staleStored, http.StatusPartialContent, "61")
		part(hit, http.StatusPartialContent, "61")
	})
}

// TestVary: answers that differ by request fields have places of their own, and a
// request is answered only by one that agrees in all of them (section 4.1).
func TestVary(t *testing.T) {
	s := newStage(t, freshet.Rule{})
	s.direct(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Vary", "Accept-Language")
		if r.Header.Get("Accept-Language") == "de" {
			w.Header().Set("Vary", "Accept-Language, X-Region")
		}
		fmt.Fprint(w, r.Header.Get("Accept-Language"), r.Header.Get("X-Region"), s.version.Load())
	})
	get := func(language, region, state, body string) {
		t.Helper()
		s.want(s.get("Accept-Language", language, "X-Region", region), state, body)
	}
	get("en", "x", stored, "enx0")
	get("en", "y", hit, "enx0") // nobody has said yet that this matters
	get("fr", "x", "fwd=vary-miss; stored", "frx0")
	get("de", "x", "fwd=vary-miss; stored", "dex0")
	get("de", "y", "fwd=vary-miss; stored", "dey0")
	get("DE,", "y", hit, "dey0") // which means the same
	get("en", "y", "fwd=vary-miss; stored", "eny0")
	for _, region := range []string{"x", "y"} {
		get("de", region, hit, "de"+region+"0")
	}
	// One invalidation drops them all.
	s.version.Add(1)
	s.invalidate(freshet.Key("item:1"))
	get("de", "x", stored, "dex1")
	get("de", "y", "fwd=vary-miss; stored", "dey1")
}

// TestVaryWhileShared: those who wait for one load are not answered by it if they
// differ in what its answer names.
func TestVaryWhileShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, freshet.Rule{})
		s.direct(func(w http.ResponseWriter, r *http.Request) {
			time.Sleep(second)
			w.Header().Set("Vary", "X-User")
			fmt.Fprint(w, r.Header.Get("X-User"))
		})
		var all sync.WaitGroup
		for i := range 60 {
			user := fmt.Sprint("user", i%3)
			all.Go(func() {
				if got := s.get("X-User", user).Body.String(); got != user {
					t.Errorf("%s got the answer of %s", user, got)
				}
			})
		}
		all.Wait()
		if n := s.runs.Load(); n > 3 {
			t.Errorf("the handler has run %d times for three answers", n)
		}
	})
}

// TestVaryWithoutBound: variants that never end are bounded, and answered rightly.
func TestVaryWithoutBound(t *testing.T) {
	memory, err := memstore.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	s := newStageOn(t, memory, freshet.Rule{})
	s.direct(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Vary", "X-Id")
		fmt.Fprint(w, r.Header.Get("X-Id"))
	})
	kept := 0
	for i := range 10_000 {
		id := fmt.Sprint(i)
		w := s.get("X-Id", id)
		if w.Body.String() != id {
			t.Fatalf("%s got %q", id, w.Body)
		}
		if strings.HasSuffix(w.Header().Get("Cache-Status"), "; stored") {
			kept++
		}
	}
	if kept == 0 || kept >= 10_000 {
		t.Errorf("%d variants are kept", kept)
	}
}

// TestHandlerChangesItsRequest: what a handler does to its request does not change
// whose answer it is.
func TestHandlerChangesItsRequest(t *testing.T) {
	s := newStage(t, freshet.Rule{})
	s.direct(func(w http.ResponseWriter, r *http.Request) {
		asked := r.Header.Get("X-User")
		r.Header.Set("X-User", "bob")
		w.Header().Set("Vary", "X-User")
		fmt.Fprint(w, asked)
	})
	s.want(s.get("X-User", "alice"), stored, "alice")
	s.want(s.get("X-User", "bob"), "fwd=vary-miss; stored", "bob")
	s.want(s.get("X-User", "alice"), hit, "alice")
}

// TestSharedWithCredentials is section 3.5: what is stored is shown to a request with
// credentials, and what such a request has loaded is stored, only if it says that it
// may be shared.
func TestSharedWithCredentials(t *testing.T) {
	for _, name := range []string{"Authorization", "Cookie"} {
		in(t, name+", anybody's", func(t *testing.T) {
			s := newStage(t, freshet.Rule{}, "Cache-Control", "public, max-age=60")
			s.want(s.get(name, "alice"), `fwd=bypass; stored; detail="credentials"`, "0")
			s.want(s.get(name, "bob"), hit, "0")
			s.want(s.get(), hit, "0")
		})
		in(t, name+", their own", func(t *testing.T) {
			s := newStage(t, swr, "Cache-Control", "max-age=60")
			s.direct(func(w http.ResponseWriter, r *http.Request) {
				time.Sleep(second)
				s.answer(w)
				fmt.Fprint(w, r.Header.Get(name))
			})
			var all sync.WaitGroup
			for _, who := range []string{"alice", "bob", ""} {
				all.Go(func() {
					var header []string
					if who != "" {
						header = []string{name, who}
					}
					for range 2 {
						if got := s.get(header...).Body.String(); got != "0"+who {
							t.Errorf("%q got %q", who, got)
						}
					}
				})
			}
			all.Wait()
			s.want(s.get(name, "alice"), `fwd=bypass; detail="credentials"`, "0alice")
			s.want(s.get(), hit, "0")
		})
	}
}
