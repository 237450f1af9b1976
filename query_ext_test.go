package freshet_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/freshet-dev/freshet"
)

// parrot answers with the method, the content and what is said of it.
func parrot(w http.ResponseWriter, r *http.Request) {
	content, err := io.ReadAll(r.Body)
	_, _ = fmt.Fprintf(w, "%s %s %q %d %v", r.Method, r.Header.Get("Content-Type"), content, r.ContentLength, err)
}

// send sends a request with content; header lists names and values in turn.
func (s *site) send(method, path string, content io.Reader, header ...string) reply {
	s.t.Helper()
	r, err := http.NewRequest(method, s.server.URL+path, content)
	if err != nil {
		s.t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
	}
	response, err := s.server.Client().Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	return reply{response.StatusCode, response.Header, string(body), err}
}

// chunked hides how long content is.
func chunked(content string) io.Reader { return struct{ io.Reader }{strings.NewReader(content)} }

// RFC 10008, section 2.7: the answer to a QUERY is stored and serves equal ones: of the
// same content, type, coding and language, and the same URI. A GET is answered by its
// own.
func TestQuery(t *testing.T) {
	s := newSite(t)
	s.handle("/search", freshet.Rule{Key: "search"}, parrot)
	ask := func(content string, header ...string) reply {
		return s.send("QUERY", "/search", strings.NewReader(content), header...)
	}
	const text = "text/plain"
	for _, state := range []string{stored, hit} {
		s.wantBody(s.get("/search"), state, `GET  "" 0 <nil>`)
		s.wantBody(ask(""), state, `QUERY  "" 0 <nil>`)
		s.wantBody(ask("a", "Content-Type", text), state, `QUERY text/plain "a" 1 <nil>`)
		s.wantBody(ask("b", "Content-Type", text), state, `QUERY text/plain "b" 1 <nil>`)
		s.wantBody(ask("a"), state, `QUERY  "a" 1 <nil>`)
		s.wantBody(ask("a", "Content-Type", text, "Content-Encoding", "x"), state, `QUERY text/plain "a" 1 <nil>`)
		s.wantBody(ask("a", "Content-Type", text, "Content-Language", "x"), state, `QUERY text/plain "a" 1 <nil>`)
		s.wantBody(s.send("QUERY", "/search?p=1", strings.NewReader("a"), "Content-Type", text), state, `QUERY text/plain "a" 1 <nil>`)
	}
	s.wantBody(s.send("QUERY", "/search", chunked("b"), "Content-Type", text), hit, `QUERY text/plain "b" 1 <nil>`)
	etag := ask("b", "Content-Type", text).Header.Get("Etag")
	if r := ask("b", "Content-Type", text, "If-None-Match", etag); r.Status != http.StatusNotModified || r.Body != "" {
		t.Errorf("conditional: %d %q", r.Status, r.Body)
	}
	if _, err := s.cache.Invalidate(t.Context(), freshet.Key("search")); err != nil {
		t.Fatal(err)
	}
	for _, content := range []string{"", "b"} {
		if state := ask(content).state(); state == hit {
			t.Errorf("%q: a hit after the invalidation of the key", content)
		}
	}
}

// The pattern of a QUERY is that of a read: it needs a key, and invalidates nothing.
func TestQueryIsARead(t *testing.T) {
	if err := (freshet.Rule{Pattern: "QUERY /x"}).Validate(); err == nil {
		t.Error("a rule without a key is valid")
	}
	if err := (freshet.Rule{Pattern: "QUERY /x", Key: "x", Invalidate: []string{"y"}}).Validate(); err == nil {
		t.Error("a rule that invalidates is valid")
	}
}

// Content that is not to be held reaches the handler as it was sent, and its answer is
// not stored.
func TestQueryThatIsNotHeld(t *testing.T) {
	s := newSite(t)
	s.handle("QUERY /x", freshet.Rule{Key: "x", MaxBody: 60}, parrot)
	const bypass = `fwd=bypass; detail="request body"`
	large := strings.Repeat("x", 61)
	for range 2 {
		s.wantBody(s.send("QUERY", "/x", strings.NewReader(large)), bypass, fmt.Sprintf("QUERY  %q 61 <nil>", large))
		s.wantBody(s.send("QUERY", "/x", chunked(large)), bypass, fmt.Sprintf("QUERY  %q -1 <nil>", large))
	}
}

// Content that breaks off is no shorter question: its handler sees the error.
func TestQueryThatBreaksOff(t *testing.T) {
	s := newSite(t)
	seen := make(chan error, 1)
	s.handle("QUERY /x", freshet.Rule{Key: "x"}, func(_ http.ResponseWriter, r *http.Request) {
		_, err := io.ReadAll(r.Body)
		seen <- err
	})
	conn, err := net.Dial("tcp", s.server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	_, _ = fmt.Fprint(conn, "QUERY /x HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\nhalf")
	conn.Close()
	if err := <-seen; err != io.ErrUnexpectedEOF {
		t.Errorf("the handler saw %v", err)
	}
	if fills := s.store.filled(); fills != nil {
		t.Errorf("stored %v", fills)
	}
}

// A GET with content stays what it was: the handler may read it, and no key has it.
func TestFatGet(t *testing.T) {
	s := newSite(t)
	s.handle("GET /x", freshet.Rule{Key: "x"}, parrot)
	s.wantBody(s.get("/x"), stored, `GET  "" 0 <nil>`)
	const bypass = `fwd=bypass; detail="request body"`
	for _, content := range []io.Reader{strings.NewReader("poison"), chunked("poison")} {
		if r := s.send("GET", "/x", content); r.state() != bypass || !strings.Contains(r.Body, `"poison"`) {
			t.Errorf("%s: %s", r.state(), r.Body)
		}
	}
	s.wantBody(s.get("/x"), hit, `GET  "" 0 <nil>`)
	// As a handler is called in tests, with a request that can be sent again.
	r, err := http.NewRequest("GET", "/x", strings.NewReader("poison"))
	if err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	s.mux.ServeHTTP(w, r)
	if got := w.Header().Get("Cache-Status"); !strings.Contains(got, "request body") {
		t.Errorf("Cache-Status %q", got)
	}
}

// Equal queries share a load, others do not.
func TestQueriesShareALoad(t *testing.T) {
	s := newSite(t)
	var mu sync.Mutex
	var asked []string
	goOn := make(chan struct{})
	s.handle("QUERY /x", freshet.Rule{Key: "x"}, func(w http.ResponseWriter, r *http.Request) {
		content, _ := io.ReadAll(r.Body)
		mu.Lock()
		asked = append(asked, string(content))
		mu.Unlock()
		<-goOn
		_, _ = w.Write(content)
	})
	var all sync.WaitGroup
	for i := range 10 {
		content := string(rune('a' + i%2))
		all.Go(func() {
			if r := s.send("QUERY", "/x", strings.NewReader(content)); r.Body != content {
				t.Errorf("%q to %q", r.Body, content)
			}
		})
	}
	close(goOn)
	all.Wait()
	slices.Sort(asked)
	if got := strings.Join(asked, ""); got != "ab" {
		t.Errorf("the handler was asked for %s, want ab", got)
	}
}

// A stored answer to a QUERY is revalidated with its content, which the handler reads
// again when what it says still holds is not what is stored.
func TestQueryIsRevalidated(t *testing.T) {
	s := newSite(t)
	var asked []string
	s.handle("QUERY /x", freshet.Rule{Key: "x"}, func(w http.ResponseWriter, r *http.Request) {
		content, _ := io.ReadAll(r.Body)
		condition := r.Header.Get("If-None-Match")
		asked = append(asked, string(content)+condition)
		w.Header().Set("Cache-Control", "max-age=0")
		if condition != "" {
			w.Header().Set("Etag", `"2"`)
			w.WriteHeader(http.StatusNotModified)
			return
		}
		w.Header().Set("Etag", `"1"`)
		_, _ = w.Write(content)
	})
	for range 2 {
		if r := s.send("QUERY", "/x", strings.NewReader("a")); r.Status != 200 || r.Body != "a" {
			t.Errorf("%d %q", r.Status, r.Body)
		}
	}
	if got, want := strings.Join(asked, " "), `a a"1" a`; got != want {
		t.Errorf("the handler was asked %s, want %s", got, want)
	}
}
