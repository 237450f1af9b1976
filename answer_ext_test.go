package freshet_test

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/freshet-dev/freshet"
)

// answers are handlers whose answer is stored: it must be the same without a
// cache, from the first request and from a hit.
var answers = []struct {
	name    string
	handler http.HandlerFunc
}{
	{"text", text("hello")},
	{"nothing written", func(http.ResponseWriter, *http.Request) {}},
	{"empty list", text("[]\n")},
	{"null", text("null")},
	{"binary", text("\x00\xff\x1f\x8b\r\n\x00")},
	{"image sniffed", text("\x89PNG\x0D\x0A\x1A\x0Adata")},
	{"more than net/http buffers", text(strings.Repeat("0123456789", 10_000))},
	{"status only", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNonAuthoritativeInfo) }},
	{"no content", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }},
	{"body where none may be", func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusNoContent)
		if _, err := w.Write([]byte("x")); err != http.ErrBodyNotAllowed {
			panic(err)
		}
	}},
	{"redirect", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "/elsewhere", http.StatusMovedPermanently)
	}},
	{"redirect 308", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "/elsewhere", http.StatusPermanentRedirect)
	}},
	{"choices", func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusMultipleChoices)
		_, _ = io.WriteString(w, "a\nb")
	}},
	{"not found", func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no such thing", http.StatusNotFound) }},
	{"gone", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusGone) }},
	{"repeated headers", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Add("Link", "</b>; rel=b")
		w.Header().Add("X-Other", "1")
		w.Header().Add("Link", "</a>; rel=a")
		w.Header().Add("Link", "")
		_, _ = io.WriteString(w, "x")
	}},
	{"name not canonical", func(w http.ResponseWriter, _ *http.Request) {
		w.Header()["x-LOWER"] = []string{"a", "b"}
		_, _ = io.WriteString(w, "x")
	}},
	{"own validators and date", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("ETag", `W/"own,1"`)
		w.Header().Set("Last-Modified", "Tue, 15 Nov 1994 12:45:26 GMT")
		w.Header().Set("Date", "Tue, 15 Nov 2044 12:45:27 GMT") // one in the past would be an age
		w.Header().Set("Cache-Control", "public, max-age=60")
		_, _ = io.WriteString(w, "x")
	}},
	{"no type wanted", func(w http.ResponseWriter, _ *http.Request) {
		w.Header()["Content-Type"] = nil
		_, _ = io.WriteString(w, "<html>")
	}},
	{"no date wanted", func(w http.ResponseWriter, _ *http.Request) {
		w.Header()["Date"] = nil
		_, _ = io.WriteString(w, "x")
	}},
	{"encoded, without type", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		_, _ = io.WriteString(w, "\x1f\x8b\x08 not really")
	}},
	{"encoded, with type", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain")
		w.Header().Set("Content-Encoding", "br")
		_, _ = io.WriteString(w, "x")
	}},
	{"header changed after the status", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-A", "before")
		w.WriteHeader(http.StatusOK)
		w.Header().Set("X-A", "after")
		w.Header().Set("X-B", "after")
		w.Header().Del("X-Front")
		_, _ = io.WriteString(w, "x")
	}},
	{"header values changed in place after the status", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-A", "before")
		_, _ = io.WriteString(w, "x")
		w.Header()["X-A"][0] = "after"
	}},
	{"status twice", func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusNonAuthoritativeInfo)
		w.WriteHeader(http.StatusInternalServerError)
		_, _ = io.WriteString(w, "x")
	}},
	{"status after the body", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "x")
		w.WriteHeader(http.StatusInternalServerError)
	}},
	{"interim answers", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Link", "</style.css>; rel=preload")
		w.WriteHeader(http.StatusEarlyHints)
		w.Header().Del("Link")
		w.WriteHeader(http.StatusProcessing)
		_, _ = io.WriteString(w, "x")
	}},
	{"right length", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "3")
		_, _ = io.WriteString(w, "a")
		_, _ = w.Write([]byte("bc"))
	}},
	{"copied", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.Copy(w, strings.NewReader("copied")) }},
	{"read from", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.Copy(w, struct{ io.Reader }{bytes.NewReader(make([]byte, 100_000))})
	}},
	{"served content", func(w http.ResponseWriter, r *http.Request) {
		http.ServeContent(w, r, "a.txt", time.Unix(1_000_000_000, 0), strings.NewReader("content"))
	}},
	{"hop-by-hop", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Connection", "X-Hop")
		w.Header().Set("X-Hop", "1")
		w.Header().Set("Keep-Alive", "timeout=5")
		_, _ = io.WriteString(w, "x")
	}},
	{"added to a field from in front", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Add("X-Front", "and handler")
		_, _ = io.WriteString(w, "x")
	}},
	{"field from in front replaced", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Front", "handler")
		_, _ = io.WriteString(w, "x")
	}},
	{"field from in front deleted", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Del("X-Front")
		_, _ = io.WriteString(w, "x")
	}},
	{"controller", func(w http.ResponseWriter, _ *http.Request) {
		if err := http.NewResponseController(w).SetWriteDeadline(time.Now().Add(time.Minute)); err != nil {
			panic(err)
		}
		_, _ = io.WriteString(w, "x")
	}},
}

// front is middleware before the cache, which sets fields of its own.
func front(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Front", "front")
		w.Header().Set("X-Request-Id", r.Header.Get("X-Request-Id"))
		h.ServeHTTP(w, r)
	})
}

// plain returns what has to be equal. had is the header without a cache.
func plain(r reply, had http.Header) reply {
	h := r.Header.Clone()
	for _, name := range []string{"Age", "Cache-Status", "Content-Length", "Connection", "Keep-Alive", "X-Hop"} {
		h.Del(name)
	}
	if had.Get("Etag") == "" {
		h.Del("Etag")
	}
	if had.Get("Date") != "" && !strings.Contains(had.Get("Date"), "2044") {
		h.Set("Date", "any")
	}
	return reply{r.Status, h, r.Body, r.Err}
}

func TestHitIsTheAnswer(t *testing.T) {
	for _, tt := range answers {
		t.Run(tt.name, func(t *testing.T) {
			s := newSite(t)
			s.mux.Handle("/bare", tt.handler)
			s.handle("GET /kept", freshet.Rule{Key: "kept", ErrorTTL: time.Minute}, tt.handler)
			s.serve(front(s.mux))
			for _, method := range []string{"GET", "HEAD"} {
				bare := s.do(method, "/bare", "X-Request-Id", "1")
				first := s.do(method, "/kept", "X-Request-Id", "1")
				again := s.do(method, "/kept", "X-Request-Id", "1")
				if method == "GET" {
					s.want(first, stored)
				}
				s.want(again, hit)
				for when, got := range map[string]reply{"first": first, "hit": again} {
					want := plain(bare, bare.Header)
					got := plain(got, bare.Header)
					if method == "HEAD" && got.Header.Get("Content-Type") != "" && want.Header.Get("Content-Type") == "" {
						// net/http sees no body to tell the type by; the entry has it.
						got.Header.Del("Content-Type")
					}
					if diff := cmp.Diff(want, got); diff != "" {
						t.Errorf("%s of %s (-without cache +with):\n%s", when, method, diff)
					}
				}
				for _, f := range s.store.filled()[0].Header {
					if f.Name == "Connection" || f.Name == "Keep-Alive" || f.Name == "X-Hop" {
						t.Errorf("%s is stored", f.Name)
					}
				}
				if age := again.Header.Get("Age"); age != "0" {
					t.Errorf("Age %q", age)
				}
			}
		})
	}
}

// What middleware in front sets for one request is not part of the answer.
func TestFrontIsNotStored(t *testing.T) {
	s := newSite(t)
	s.handle("GET /x", freshet.Rule{Key: "x"}, text("x"))
	s.serve(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id := r.Header.Get("X-Request-Id")
		w.Header().Set("X-Request-Id", id)
		w.Header().Set("Set-Cookie", "sid="+id)
		w.Header().Set("Vary", "Origin")
		w.Header().Set("Cache-Status", "front; fwd=miss")
		s.mux.ServeHTTP(w, r)
	}))
	for _, id := range []string{"1", "2", "3"} {
		r := s.get("/x", "X-Request-Id", id)
		if got := r.Header.Get("X-Request-Id") + r.Header.Get("Set-Cookie"); got != id+"sid="+id || len(r.Header.Values("Cache-Status")) != 2 {
			t.Errorf("request %s: %v", id, r.Header)
		}
	}
	fills := s.store.filled()
	if len(fills) != 1 {
		t.Fatalf("%d fills, want 1", len(fills))
	}
	for _, f := range fills[0].Header {
		if f.Name == "X-Request-Id" || f.Name == "Set-Cookie" || f.Name == "Vary" {
			t.Errorf("%s is stored", f.Name)
		}
	}
}

// Nor when the handler adds to the same field.
func TestAddedToFront(t *testing.T) {
	s := newSite(t)
	s.handle("GET /x", freshet.Rule{Key: "x"}, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Add("Server-Timing", "db")
		_, _ = io.WriteString(w, "x")
	})
	s.serve(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Server-Timing", r.Header.Get("X-User"))
		s.mux.ServeHTTP(w, r)
	}))
	for n, user := range []string{"alice", "bob"} {
		r := s.want(s.get("/x", "X-User", user), []string{stored, hit}[n])
		if diff := cmp.Diff([]string{user, "db"}, r.Header["Server-Timing"]); diff != "" {
			t.Errorf("%s (-want +got):\n%s", user, diff)
		}
	}
}

func TestConditions(t *testing.T) {
	const modified = "Tue, 15 Nov 1994 12:45:26 GMT"
	tests := []struct {
		name, header, value string
		status              int
	}{
		{"same tag", "If-None-Match", `"a,b"`, 304},
		{"weak", "If-None-Match", `W/"a,b"`, 304},
		{"in a list", "If-None-Match", `"x", W/"y,z" ,"a,b"`, 304},
		{"any", "If-None-Match", "*", 304},
		{"another", "If-None-Match", `"a"`, 200},
		{"without quotes", "If-None-Match", "a,b", 200},
		{"unclosed", "If-None-Match", `"a,b`, 200},
		{"empty", "If-None-Match", "", 200},
		{"same date", "If-Modified-Since", modified, 304},
		{"later date", "If-Modified-Since", "Tue, 15 Nov 2044 12:45:26 GMT", 304},
		{"earlier date", "If-Modified-Since", "Tue, 15 Nov 1994 12:45:25 GMT", 200},
		{"no date", "If-Modified-Since", "yesterday", 200},
	}
	for _, tt := range tests {
		for _, on := range []string{"miss", "hit", "hit of HEAD"} {
			t.Run(tt.name+" on "+on, func(t *testing.T) {
				s := newSite(t)
				s.handle("GET /x", freshet.Rule{Key: "x"}, func(w http.ResponseWriter, r *http.Request) {
					w.Header().Set("Etag", `"a,b"`)
					w.Header().Set("Last-Modified", modified)
					w.Header().Set("Content-Language", "en")
					http.ServeContent(w, r, "x.txt", time.Time{}, strings.NewReader("content"))
				})
				method, state := "GET", stored
				if on != "miss" {
					s.want(s.get("/x"), stored)
					state = hit
				}
				if on == "hit of HEAD" {
					method = "HEAD"
				}
				r := s.want(s.do(method, "/x", tt.header, tt.value), state)
				if r.Status != tt.status || r.Header.Get("Etag") != `"a,b"` || r.Header.Get("Date") == "" {
					t.Errorf("status %d, header %v; want %d", r.Status, r.Header, tt.status)
				}
				if r.Status == 304 && (r.Body != "" || r.Header.Get("Content-Type") != "" || r.Header.Get("Content-Language") != "") {
					t.Errorf("304 with body %q, header %v", r.Body, r.Header)
				}
				// Whatever was asked, the whole answer has been stored.
				s.wantBody(s.get("/x"), hit, "content")
			})
		}
	}
}

func TestTagOfOurOwn(t *testing.T) {
	s := newSite(t)
	body := "one"
	s.handle("GET /x", freshet.Rule{Key: "x"}, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, body) })
	first := s.get("/x")
	tag := first.Header.Get("Etag")
	if !strings.HasPrefix(tag, `"`) || len(tag) < 20 {
		t.Fatalf("Etag %q is not strong", tag)
	}
	if r := s.get("/x", "If-None-Match", tag); r.Status != http.StatusNotModified {
		t.Errorf("status %d, want 304", r.Status)
	}
	if _, err := s.cache.Invalidate(t.Context(), freshet.Key("x")); err != nil {
		t.Fatal(err)
	}
	// The same bytes have the same tag, others another.
	if r := s.get("/x", "If-None-Match", tag); r.Status != http.StatusNotModified {
		t.Errorf("status %d for the same bytes loaded again, want 304", r.Status)
	}
	if _, err := s.cache.Invalidate(t.Context(), freshet.All()); err != nil {
		t.Fatal(err)
	}
	body = "two"
	if r := s.get("/x", "If-None-Match", tag); r.Status != http.StatusOK || r.Body != "two" {
		t.Errorf("status %d %q after a change, want 200", r.Status, r.Body)
	}
}

// Conditions do not apply to what is no success.
func TestConditionsOnErrors(t *testing.T) {
	s := newSite(t)
	s.handle("GET /x", freshet.Rule{Key: "x", ErrorTTL: time.Minute}, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Etag", `"a"`)
		w.WriteHeader(http.StatusNotFound)
	})
	for _, state := range []string{stored, hit} {
		if r := s.want(s.get("/x", "If-None-Match", `"a"`), state); r.Status != http.StatusNotFound {
			t.Errorf("status %d", r.Status)
		}
	}
}

// An answer that may not be stored is still judged by the client's conditions,
// which its handler was not shown.
func TestConditionsOnPrivateAnswers(t *testing.T) {
	s := newSite(t)
	s.handle("GET /x", freshet.Rule{Key: "x"}, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Etag", `"a"`)
		w.Header().Set("Cache-Control", "private")
		_, _ = io.WriteString(w, "x")
	})
	if r := s.get("/x", "If-None-Match", `"a"`); r.Status != http.StatusNotModified {
		t.Errorf("status %d", r.Status)
	}
}

func TestAge(t *testing.T) {
	s := newSite(t)
	h := s.cache.Handler(freshet.Rule{Key: "x", TTL: time.Hour}, text("x"))
	h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/x", nil))
	f := s.store.filled()[0]
	f.Loaded = f.Loaded.Add(-90 * time.Second)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("GET", "/x", nil))
	if age, status := w.Header().Get("Age"), w.Header().Get("Cache-Status"); age != "90" || status != "freshet; hit; ttl=3509" {
		t.Errorf("Age %q, Cache-Status %q", age, status)
	}
}

func TestHead(t *testing.T) {
	s := newSite(t)
	s.handle("GET /x", freshet.Rule{Key: "x"}, text("hello"))
	s.want(s.do("HEAD", "/x"), `fwd=uri-miss; detail="head"`)
	s.want(s.get("/x"), stored)
	r := s.want(s.do("HEAD", "/x"), hit)
	if r.Body != "" || r.Header.Get("Content-Length") != "5" || r.Header.Get("Content-Type") == "" {
		t.Errorf("HEAD answers %+v", r)
	}
	// net/http would swallow a body; other writers do not.
	w := httptest.NewRecorder()
	s.mux.ServeHTTP(w, httptest.NewRequest("HEAD", "/x", nil))
	if w.Body.Len() != 0 || w.Header().Get("Age") == "" {
		t.Errorf("HEAD answers %v with %d bytes", w.Header(), w.Body.Len())
	}
}
