package freshet_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/freshet-dev/freshet"
)

// book is a resource of which net/http sends what is asked for.
type book struct {
	text atomic.Pointer[string]
	runs atomic.Int64
	// extra is done before each answer, nil for nothing.
	extra func(w http.ResponseWriter, r *http.Request)
}

func newBook(text string) *book {
	b := new(book)
	b.text.Store(&text)
	return b
}

func (b *book) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	b.runs.Add(1)
	text := *b.text.Load()
	w.Header().Set("Etag", fmt.Sprintf("%q", text[:1]))
	w.Header().Set("Content-Type", "text/plain")
	if b.extra != nil {
		b.extra(w, r)
	}
	http.ServeContent(w, r, "", time.Time{}, strings.NewReader(text))
}

// shelf returns a site with a book, and a way to ask for a piece of it, whose answer
// must have this state and body.
func shelf(t *testing.T, b *book, rule freshet.Rule) (s *site, piece func(of, state, body string, header ...string) reply) {
	s = newSite(t)
	rule.Key = "book"
	s.handle("GET /book", rule, b.ServeHTTP)
	return s, func(of, state, body string, header ...string) reply {
		t.Helper()
		r := s.get("/book", append([]string{"Range", "bytes=" + of}, header...)...)
		s.wantBody(r, state, body)
		return r
	}
}

const (
	text26 = "Abcdefghijklmnopqrstuvwxyz"
	other  = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
)

// RFC 9110, section 14.2: an answer that is kept answers for its pieces.
func TestPiecesOfWhole(t *testing.T) {
	b := newBook(text26)
	s, piece := shelf(t, b, freshet.Rule{})
	s.want(s.get("/book"), stored)
	if r := piece("1-2", hit, "bc"); r.Status != 206 || r.Header.Get("Content-Range") != "bytes 1-2/26" || r.Header.Get("Age") == "" {
		t.Errorf("%d %v", r.Status, r.Header)
	}
	if r := piece("30-", hit, ""); r.Status != 416 {
		t.Errorf("status %d", r.Status)
	}
	piece("-1", hit, "z", "If-Range", `"A"`)
	piece("-1", hit, text26, "If-Range", `"B"`)
	piece("-1", hit, "", "If-None-Match", `"A"`)
	if runs := b.runs.Load(); runs != 1 {
		t.Errorf("%d runs", runs)
	}
}

// RFC 9110, section 14.2: a handler need not know of ranges. Its whole answer is kept, and
// the client gets its piece.
func TestPiecesByTheCache(t *testing.T) {
	b := newBook(text26)
	b.extra = func(_ http.ResponseWriter, r *http.Request) { r.Header.Del("Range") }
	s, piece := shelf(t, b, freshet.Rule{})
	if r := piece("0-2", stored, text26[:3]); r.Status != 206 || r.Header.Get("Content-Range") != "bytes 0-2/26" {
		t.Errorf("%d %v", r.Status, r.Header)
	}
	s.wantBody(s.get("/book"), hit, text26)
}

// RFC 9111, sections 3.3 and 3.4: pieces are kept and joined until they are the whole,
// and until then answer for what lies in them, and for nothing else.
func TestPiecesAreJoined(t *testing.T) {
	b := newBook(text26)
	s, piece := shelf(t, b, freshet.Rule{})
	piece("3-6", stored, "defg")
	piece("3-6", hit, "defg")
	piece("4-5", hit, "ef")
	piece("7-9", stored, "hij")
	piece("3-9", hit, "defghij")
	piece("10-", stored, text26[10:])
	piece("-3", hit, "xyz")
	piece("0-4", stored, "Abcde")
	before := b.runs.Load()
	s.wantBody(s.get("/book"), hit, text26)
	piece("0-9", hit, text26[:10])
	if runs := b.runs.Load(); runs != before {
		t.Errorf("%d runs after the whole was kept", runs-before)
	}
}

// RFC 9111, section 3.3: who wants the whole never gets a piece.
func TestPieceIsNotTheWhole(t *testing.T) {
	b := newBook(text26)
	s, piece := shelf(t, b, freshet.Rule{})
	piece("0-24", stored, text26[:25])
	if r := s.do("HEAD", "/book"); r.Status != 200 || r.state() == hit {
		t.Errorf("HEAD: %d %s", r.Status, r.state())
	}
	if r := s.get("/book"); r.Status != 200 || r.Body != text26 {
		t.Errorf("%d %q", r.Status, r.Body)
	}
}

// A piece goes with its key and its tags, joined ones with those of all their pieces,
// and one from before an invalidation is not joined with one from after it.
func TestPiecesAreInvalidated(t *testing.T) {
	b := newBook(text26)
	b.extra = func(_ http.ResponseWriter, r *http.Request) {
		if tag := r.Header.Get("Tag"); tag != "" {
			freshet.FromContext(r.Context()).Tag(tag)
		}
	}
	s, piece := shelf(t, b, freshet.Rule{})
	text := text26
	for i, target := range []freshet.Target{freshet.Key("book"), freshet.Tag("first"), freshet.Tag("second"), freshet.Match("bo*"), freshet.All()} {
		piece("0-1", stored, text[:2], "Tag", "first")
		piece("2-3", stored, text[2:4], "Tag", "second")
		piece("0-3", hit, text[:4])
		text = strings.Repeat(string(rune('0'+i)), 26)
		b.text.Store(&text)
		if _, err := s.cache.Invalidate(t.Context(), target); err != nil {
			t.Fatal(err)
		}
		if r := s.get("/book", "Range", "bytes=0-3"); r.Body != text[:4] {
			t.Errorf("after %v: %q", target, r.Body)
		}
		if _, err := s.cache.Invalidate(t.Context(), freshet.All()); err != nil {
			t.Fatal(err)
		}
	}
}

// The race that nearly every cache loses, with pieces: one that was read before an
// invalidation is neither served after it nor joined with what was read later, though
// the tag says that they belong together.
func TestPieceReadBeforeInvalidation(t *testing.T) {
	b := newBook(text26)
	read, release := make(chan struct{}), make(chan struct{})
	var slow atomic.Bool
	b.extra = func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Etag", `"same"`)
	}
	s := newSite(t)
	s.handle("GET /book", freshet.Rule{Key: "book"}, func(w http.ResponseWriter, r *http.Request) {
		if !slow.Swap(false) {
			b.ServeHTTP(w, r)
			return
		}
		old := newBook(*b.text.Load())
		old.extra = b.extra
		read <- struct{}{}
		<-release
		old.ServeHTTP(w, r)
	})
	slow.Store(true)
	done := make(chan reply)
	go func() { done <- s.get("/book", "Range", "bytes=0-3") }()
	<-read
	after := other
	b.text.Store(&after)
	if _, err := s.cache.Invalidate(t.Context(), freshet.Key("book")); err != nil {
		t.Fatal(err)
	}
	close(release)
	if r := <-done; r.Body != text26[:4] {
		t.Errorf("the slow one got %q", r.Body)
	}
	if r := s.get("/book", "Range", "bytes=4-"); r.Body != other[4:] {
		t.Errorf("the rest is %q", r.Body)
	}
	if r := s.get("/book", "Range", "bytes=0-3"); r.Body != other[:4] {
		t.Errorf("the beginning is %q", r.Body)
	}
	s.wantBody(s.get("/book"), hit, other)
}

// mixed asks for pieces of a text that changes all the time under one and the same
// tag, and returns how many answers had anything from before an invalidation that had
// returned, or from two texts.
func mixed(t *testing.T, store freshet.Store) (wrong int64) {
	const first, last = '!', 'z'
	c, _ := open(t, store)
	b := newBook(strings.Repeat(string(rune(first)), 26))
	b.extra = func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Etag", `"same"`)
		for range 20 {
			runtime.Gosched() // the text has been read: what comes now comes too late
		}
	}
	h := routed(c.Handler(item, b))
	var now, bad atomic.Int64
	asked := make(chan struct{})
	now.Store(first)
	var readers sync.WaitGroup
	for i := range 3 {
		readers.Go(func() {
			for n := i; now.Load() < last; n++ {
				since, r := now.Load(), httptest.NewRequest("GET", "/items/1", nil)
				if from := n * 7 % 26; n%5 > 0 {
					r.Header.Set("Range", fmt.Sprintf("bytes=%d-%d", from, from+n%9))
				}
				w := httptest.NewRecorder()
				h.ServeHTTP(w, r)
				body := w.Body.String()
				if body == "" || int64(body[0]) < since || strings.Trim(body, body[:1]) != "" {
					bad.Add(1)
				}
				select {
				case asked <- struct{}{}:
				default:
				}
			}
		})
	}
	for v := int64(first) + 1; v <= last; v++ {
		text := strings.Repeat(string(rune(v)), 26)
		b.text.Store(&text)
		if _, err := c.Invalidate(t.Context(), freshet.Key("item:1")); err != nil {
			t.Error(err)
		}
		now.Store(v)
		for n := 0; v < last && n < 3; n++ {
			<-asked // so that there is something new to be wrong about
		}
	}
	readers.Wait()
	return bad.Load()
}

// TestPiecesOfWhatChanges: pieces are neither stale nor joined across a change, though
// their tag does not tell.
func TestPiecesOfWhatChanges(t *testing.T) {
	if wrong := mixed(t, newFake(t)); wrong > 0 {
		t.Errorf("%d answers were stale, or of two texts", wrong)
	}
	t.Run("control: stored under a fresh stamp", func(t *testing.T) {
		for range rounds {
			if wrong := mixed(t, restamped{newFake(t)}); wrong > 0 {
				return
			}
		}
		t.Error("nothing was wrong without the guard: the test shows nothing")
	})
}

// What is not of one representation is not joined, and the later piece stays.
func TestPiecesOfTwo(t *testing.T) {
	b := newBook(text26)
	_, piece := shelf(t, b, freshet.Rule{})
	piece("0-3", stored, text26[:4])
	changed := "B" + text26[1:]
	b.text.Store(&changed)
	piece("4-7", stored, text26[4:8])
	piece("4-7", hit, text26[4:8])
	piece("0-3", stored, changed[:4])
}

// RFC 9111, section 3.5: a piece is nothing for those who may have an answer of their
// own, and theirs is kept for nobody, unless they are said to be for all.
func TestPiecesAndCredentials(t *testing.T) {
	for public, states := range map[bool][3]string{
		false: {`fwd=bypass; detail="credentials"`, `fwd=bypass; detail="credentials"`, stored},
		true:  {hit, `fwd=bypass; stored; detail="credentials"`, hit},
	} {
		b := newBook(text26)
		b.extra = func(w http.ResponseWriter, _ *http.Request) {
			if public {
				w.Header().Set("Cache-Control", "public")
			}
		}
		_, piece := shelf(t, b, freshet.Rule{})
		piece("0-3", stored, text26[:4])
		piece("0-3", states[0], text26[:4], "Authorization", "x")
		piece("4-7", states[1], text26[4:8], "Authorization", "x")
		piece("4-7", states[2], text26[4:8])
	}
}

// What of pieces is not kept.
func TestPiecesNotKept(t *testing.T) {
	for name, tt := range map[string]struct {
		of    string
		rule  freshet.Rule
		extra func(http.ResponseWriter, *http.Request)
		state string
	}{
		"no-store":       {"0-3", freshet.Rule{}, func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Cache-Control", "no-store") }, `fwd=uri-miss; detail="no-store"`},
		"several":        {"0-0,5-5", freshet.Rule{}, nil, `fwd=uri-miss; detail="status"`},
		"too large":      {"0-3", freshet.Rule{MaxBody: 3}, nil, `fwd=uri-miss; detail="streamed"`},
		"does not exist": {"30-", freshet.Rule{}, nil, `fwd=uri-miss; detail="status"`},
	} {
		b := newBook(text26)
		b.extra = tt.extra
		s, _ := shelf(t, b, tt.rule)
		for range 2 {
			s.want(s.get("/book", "Range", "bytes="+tt.of), tt.state)
		}
		if t.Failed() {
			t.Fatal(name)
		}
	}
	b := newBook(text26)
	_, piece := shelf(t, b, freshet.Rule{MaxBody: 5})
	piece("0-3", stored, text26[:4])
	piece("4-7", `fwd=uri-miss; detail="part"`, text26[4:8])
	piece("0-3", hit, text26[:4])
}

// RFC 9111, section 4.1: pieces are told apart by what the answer's Vary names.
func TestPiecesVary(t *testing.T) {
	b := newBook(text26)
	b.extra = func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Vary", "X-Who")
		w.Header().Set("Etag", `"`+r.Header.Get("X-Who")+`"`)
	}
	_, piece := shelf(t, b, freshet.Rule{})
	for _, who := range []string{"a", "b"} {
		first := stored
		if who == "b" {
			first = "fwd=vary-miss; stored"
		}
		if r := piece("0-3", first, text26[:4], "X-Who", who); r.Header.Get("Etag") != `"`+who+`"` {
			t.Errorf("%s: %v", who, r.Header)
		}
		if r := piece("0-3", hit, text26[:4], "X-Who", who); r.Header.Get("Etag") != `"`+who+`"` {
			t.Errorf("%s: %v", who, r.Header)
		}
	}
}

// The auditor asks for whole answers: one that is kept is what it takes it for, though
// a piece of it was sent, and a piece that is kept is left alone.
func TestPiecesAreNoViolations(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, d, _ := audited(t, newFake(t).Store, 0)
		h := routed(c.Handler(item, newBook(text26)))
		ask := func(of string) {
			r := httptest.NewRequest("GET", "/items/1", nil)
			if of != "" {
				r.Header.Set("Range", "bytes="+of)
			}
			h.ServeHTTP(httptest.NewRecorder(), r)
			synctest.Wait()
		}
		for _, of := range []string{"0-3", "0-3", "", "0-3"} {
			ask(of)
		}
		if got := strings.Join(d.reasons(freshet.EventAudit), " "); got != "fresh" {
			t.Errorf("audits: %s", got)
		}
		_ = c.Close(t.Context())
	})
}

// A stale piece is not served, nor one that is fresh to who does not want it so.
func TestPiecesStale(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _ := open(t, newFake(t).Store)
		b := newBook(text26)
		b.extra = func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Cache-Control", "max-age=10") }
		h := routed(c.Handler(item, b))
		ask := func(runs int64, header ...string) {
			t.Helper()
			r := httptest.NewRequest("GET", "/items/1", nil)
			r.Header.Set("Range", "bytes=0-3")
			if len(header) > 0 {
				r.Header.Set(header[0], header[1])
			}
			w := httptest.NewRecorder()
			if h.ServeHTTP(w, r); w.Code != 206 || w.Body.String() != text26[:4] || b.runs.Load() != runs {
				t.Errorf("%d %q, %d runs, want %d", w.Code, w.Body, b.runs.Load(), runs)
			}
		}
		ask(1)
		time.Sleep(9 * time.Second)
		ask(1)
		ask(2, "Cache-Control", "no-cache")
		ask(2)
		time.Sleep(9 * time.Second)
		ask(2)
		time.Sleep(2 * time.Second)
		ask(3)
		ask(3)
		_ = c.Close(t.Context())
	})
}
