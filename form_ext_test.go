package freshet_test

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/freshet-dev/freshet"
)

// prose is a body that is worth coding, and tells its number.
func prose(n int32) string { return strings.Repeat(fmt.Sprintf("answer %d, and so on. ", n), 200) }

// author is a handler of prose that counts, unless it acts otherwise.
type author struct {
	runs atomic.Int32
	act  func(w http.ResponseWriter, r *http.Request, n int32)
}

func (a *author) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	n := a.runs.Add(1)
	if a.act != nil {
		a.act(w, r, n)
		return
	}
	w.Header().Set("Content-Type", "text/plain")
	_, _ = io.WriteString(w, prose(n))
}

// coder counts what the codings of a cache encode.
type coder struct {
	mu   sync.Mutex
	made map[string]int
	fail func(name string, src []byte) ([]byte, error) // in place of Encode; nil for none
}

func (c *coder) codings() []freshet.Coding {
	codings := []freshet.Coding{freshet.Zstd(), freshet.Gzip()}
	for i, k := range codings {
		codings[i].Encode = func(dst, src []byte) ([]byte, error) {
			c.mu.Lock()
			if c.made == nil {
				c.made = make(map[string]int)
			}
			c.made[k.Name]++
			c.mu.Unlock()
			if c.fail != nil {
				return c.fail(k.Name, src)
			}
			return k.Encode(dst, src)
		}
	}
	return codings
}

func (c *coder) want(t *testing.T, each int) {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, name := range []string{"gzip", "zstd"} {
		if c.made[name] != each {
			t.Errorf("%d forms were made in %s, want %d", c.made[name], name, each)
		}
	}
}

// openCoding returns a cache on store that codes with c.
func openCoding(t testing.TB, store freshet.Store, c *coder) *freshet.Cache {
	t.Helper()
	cache, err := freshet.New(store, &freshet.Options{Codings: c.codings()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cache.Close(context.Background()) })
	return cache
}

// outcome is an answer as its client gets it.
type outcome struct {
	Code   int
	Header http.Header
	Body   string
}

// ask sends a GET of the item 1 that accepts an encoding, with header lines in pairs.
func ask(ctx context.Context, h http.Handler, accept string, header ...string) outcome {
	r := httptest.NewRequestWithContext(ctx, "GET", "/items/1", nil)
	if accept != "" {
		r.Header.Set("Accept-Encoding", accept)
	}
	for pair := range slices.Chunk(header, 2) {
		r.Header.Add(pair[0], pair[1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return outcome{w.Code, w.Result().Header, w.Body.String()}
}

// decoded returns the body of an answer without its coding.
func decoded(t testing.TB, w outcome) string {
	t.Helper()
	var r io.Reader = strings.NewReader(w.Body)
	var err error
	switch coding := w.Header.Get("Content-Encoding"); coding {
	case "":
	case "gzip":
		r, err = gzip.NewReader(r)
	case "zstd":
		r, err = zstd.NewReader(r)
	default:
		t.Fatalf("Content-Encoding: %s", coding)
	}
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

// wantForm checks an answer: its coding, and that it is another representation of the
// same body.
func wantForm(t *testing.T, w outcome, coding, body string) {
	t.Helper()
	h := w.Header
	if got := h.Get("Content-Encoding"); got != coding {
		t.Errorf("Content-Encoding: %q, want %q; %v", got, coding, h["Cache-Status"])
	}
	if got := decoded(t, w); got != body {
		t.Errorf("the body is %.30q..., want %.30q...", got, body)
	}
	if got := h.Get("Content-Length"); got != fmt.Sprint(len(w.Body)) {
		t.Errorf("Content-Length: %s, of %d bytes", got, len(w.Body))
	}
	if !slices.Contains(h["Vary"], "Accept-Encoding") {
		t.Errorf("Vary: %q", h["Vary"])
	}
	if suffix := "--" + coding + `"`; coding != "" && !strings.HasSuffix(h.Get("Etag"), suffix) {
		t.Errorf("ETag: %s, want ...%s", h.Get("Etag"), suffix)
	}
}

// TestForms: a crowd that accepts different codings gets one load, and one form of it
// in each coding.
func TestForms(t *testing.T) {
	var coder coder
	var h author
	begin := make(chan struct{})
	h.act = func(w http.ResponseWriter, _ *http.Request, n int32) {
		<-begin
		w.Header().Set("Content-Type", "text/plain")
		_, _ = io.WriteString(w, prose(n))
	}
	site := routed(openCoding(t, newFake(t), &coder).Handler(item, &h))
	names := []string{"", "gzip", "zstd"}
	var all sync.WaitGroup
	for i := range 64 * len(names) {
		if i == 100 {
			close(begin)
		}
		all.Go(func() {
			name := names[i%len(names)]
			wantForm(t, ask(t.Context(), site, name), name, prose(1))
		})
	}
	all.Wait()
	coder.want(t, 1)
	if runs := h.runs.Load(); runs != 1 {
		t.Errorf("the handler ran %d times", runs)
	}
	// Every form is a representation of its own.
	tags := make(map[string]bool)
	for _, name := range names {
		w := ask(t.Context(), site, name)
		tags[w.Header.Get("Etag")] = true
		for _, other := range names {
			want := http.StatusOK
			if other == name {
				want = http.StatusNotModified
			}
			again := ask(t.Context(), site, other, "If-None-Match", w.Header.Get("Etag"))
			if again.Code != want {
				t.Errorf("the form in %q for one who has that in %q: %d, want %d", other, name, again.Code, want)
			}
			if again.Code == http.StatusNotModified && !slices.Contains(again.Header["Vary"], "Accept-Encoding") {
				t.Errorf("the 304 has Vary: %q", again.Header["Vary"])
			}
		}
		r := httptest.NewRequest("HEAD", "/items/1", nil)
		r.Header.Set("Accept-Encoding", name)
		head := httptest.NewRecorder()
		site.ServeHTTP(head, r)
		if head.Body.Len() != 0 || head.Header().Get("Content-Encoding") != name || head.Header().Get("Content-Length") != w.Header.Get("Content-Length") {
			t.Errorf("HEAD in %q: %d bytes, %v", name, head.Body.Len(), head.Header())
		}
	}
	if len(tags) != len(names) {
		t.Errorf("%d forms have the ETags %v", len(names), tags)
	}
	coder.want(t, 1)
}

// TestFirstForm: the request that loads the answer gets a form, too, judged by what it
// has itself.
func TestFirstForm(t *testing.T) {
	for _, name := range []string{"", "gzip"} {
		var coder coder
		var h author
		site := routed(openCoding(t, newFake(t), &coder).Handler(item, &h))
		w := ask(t.Context(), site, name)
		wantForm(t, w, name, prose(1))
		if age := w.Header["Age"]; age != nil {
			t.Errorf("the handler's own answer has Age: %q", age)
		}
		other := routed(openCoding(t, newFake(t), &coder).Handler(item, &author{}))
		if w := ask(t.Context(), other, name, "If-None-Match", w.Header.Get("Etag")); w.Code != http.StatusNotModified {
			t.Errorf("%q: the first request for what its client has: %d", name, w.Code)
		}
	}
}

// TestFormBehindMiddleware: what middleware in front sets for a request stays beside
// what the form brings.
func TestFormBehindMiddleware(t *testing.T) {
	cached := routed(openCoding(t, newFake(t), new(coder)).Handler(item, &author{}))
	n := 0
	site := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n++
		w.Header().Set("Vary", "Origin")
		w.Header().Set("X-Request", fmt.Sprint(n))
		cached.ServeHTTP(w, r)
	})
	for i := range 6 {
		name := []string{"gzip", ""}[i%2]
		w := ask(t.Context(), site, name)
		wantForm(t, w, name, prose(1))
		if got := w.Header["Vary"]; !slices.Equal(got, []string{"Origin", "Accept-Encoding"}) || w.Header.Get("X-Request") != fmt.Sprint(i+1) {
			t.Errorf("request %d has Vary: %q, X-Request: %s", i+1, got, w.Header.Get("X-Request"))
		}
	}
}

// TestFormTakesOneLookup: once there is a form a hit is one look-up, as it is for what
// has none, of one variant or another.
func TestFormTakesOneLookup(t *testing.T) {
	for name, act := range map[string]func(w http.ResponseWriter, r *http.Request, n int32){
		"form":  nil,
		"small": func(w http.ResponseWriter, _ *http.Request, _ int32) { _, _ = io.WriteString(w, "small") },
		"image": func(w http.ResponseWriter, _ *http.Request, n int32) {
			w.Header().Set("Content-Type", "image/png")
			_, _ = io.WriteString(w, prose(n))
		},
	} {
		store := newFake(t)
		var coder coder
		h := author{act: act}
		site := routed(openCoding(t, store, &coder).Handler(item, &h))
		for range 2 {
			ask(t.Context(), site, "gzip")
		}
		before := store.called("Lookup")
		for range 10 {
			ask(t.Context(), site, "gzip")
		}
		if took := store.called("Lookup") - before; took != 10 || h.runs.Load() != 1 {
			t.Errorf("%s: ten hits took %d look-ups and %d loads", name, took, h.runs.Load()-1)
		}
	}
}

// TestFormsAreDropped: whatever drops the answer drops its forms.
func TestFormsAreDropped(t *testing.T) {
	names := []string{"gzip", "", "zstd"}
	for kind, target := range map[string]freshet.Target{
		"key": freshet.Key("item:1"), "tag": freshet.Tag("items"), "match": freshet.Match("it?m:*"), "all": freshet.All(),
		"soft key": freshet.Key("item:1").Softly(), "soft tag": freshet.Tag("items").Softly(),
	} {
		t.Run(kind, func(t *testing.T) {
			var coder coder
			var h author
			c := openCoding(t, newFake(t), &coder)
			site := routed(c.Handler(item, &h))
			for round := range int32(5) {
				for i := range 2 * len(names) {
					name := names[(int(round)+i)%len(names)]
					wantForm(t, ask(t.Context(), site, name), name, prose(round+1))
				}
				if _, err := c.Invalidate(t.Context(), target); err != nil {
					t.Fatal(err)
				}
			}
			coder.want(t, 5)
		})
	}
}

// TestLateForm: an invalidation that comes between the answer and its form drops that,
// too, wherever it comes and whatever has been loaded since.
func TestLateForm(t *testing.T) {
	targets := []freshet.Target{
		freshet.Key("item:1"), freshet.Tag("items"), freshet.Match("item:*"), freshet.All(), freshet.Key("item:1").Softly(), freshet.Tag("items").Softly(),
	}
	for _, target := range targets {
		for _, when := range []string{"encoding", "encoding, and loaded again", "filling", "filled"} {
			t.Run(target.String()+" when "+when, func(t *testing.T) {
				store := newFake(t)
				var coder coder
				var h author
				c := openCoding(t, store, &coder)
				site := routed(c.Handler(item, &h))
				ask(t.Context(), site, "") // the answer is there, and no form
				change := sync.OnceFunc(func() {
					if _, err := c.Invalidate(t.Context(), target); err != nil {
						t.Error(err)
					}
					if strings.HasSuffix(when, "again") {
						wantForm(t, ask(t.Context(), site, ""), "", prose(2))
					}
				})
				switch when {
				case "filling":
					store.on("Fill", func(context.Context) error { change(); return nil })
				case "filled":
					store.then("Fill", change)
				default:
					coder.fail = func(_ string, src []byte) ([]byte, error) {
						change()
						return freshet.Gzip().Encode(nil, src)
					}
				}
				wantForm(t, ask(t.Context(), site, "gzip"), "gzip", prose(1))
				coder.fail = nil
				for range 2 {
					wantForm(t, ask(t.Context(), site, "gzip"), "gzip", prose(2))
				}
			})
		}
	}
}

// TestFormIsOfItsAnswer: who has found a newer answer does not get the form that is
// being made of the older one.
func TestFormIsOfItsAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var coder coder
		var h author
		c := openCoding(t, newFake(t), &coder)
		site := routed(c.Handler(item, &h))
		ask(t.Context(), site, "")
		change := func() {
			if _, err := c.Invalidate(t.Context(), freshet.Key("item:1")); err != nil {
				t.Error(err)
			}
			done := make(chan struct{})
			go func() {
				defer close(done)
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel() // who waits for the older one's form gets none
				wantForm(t, ask(ctx, site, "gzip"), "gzip", prose(2))
			}()
			<-done
		}
		began := false
		coder.fail = func(_ string, src []byte) ([]byte, error) {
			if !began {
				began = true
				change()
			}
			return freshet.Gzip().Encode(nil, src)
		}
		wantForm(t, ask(t.Context(), site, "gzip"), "gzip", prose(1))
		wantForm(t, ask(t.Context(), site, "gzip"), "gzip", prose(2))
	})
}

// TestFormOfTwoProcesses: the form that one process has made serves the other.
func TestFormOfTwoProcesses(t *testing.T) {
	var coder coder
	var h author
	for _, s := range fakeProcesses(t, 3) {
		site := routed(openCoding(t, s, &coder).Handler(item, &h))
		for _, name := range []string{"gzip", "zstd", ""} {
			wantForm(t, ask(t.Context(), site, name), name, prose(1))
		}
	}
	coder.want(t, 1)
}

// TestSentAsItIs: what is not worth a coding, or must not be coded, or is not wanted
// so, is what the handler has answered.
func TestSentAsItIs(t *testing.T) {
	tests := []struct {
		name   string
		accept string
		header []string // of the request
		set    []string // of the answer
		body   string
		want   string // Content-Encoding
	}{
		{name: "worth it", accept: "gzip", want: "gzip"},
		{name: "preferred", accept: "gzip;q=0.5, zstd;q=0.4", want: "gzip"},
		{name: "ours first", accept: "gzip, deflate, br, zstd", want: "zstd"},
		{name: "not accepted", accept: "br"},
		{name: "refused", accept: "gzip;q=0"},
		{name: "identity preferred", accept: "identity, gzip;q=0.9"},
		{name: "malformed", accept: "gzip;q=high"},
		{name: "nothing accepted", accept: ""},
		{name: "request no-transform", accept: "gzip", header: []string{"Cache-Control", "no-transform"}},
		{name: "small", accept: "gzip", body: "small"},
		{name: "no text", accept: "gzip", set: []string{"Content-Type", "image/png"}},
		{name: "no-transform", accept: "gzip", set: []string{"Cache-Control", "max-age=60, no-transform"}},
		{name: "coded by the handler", accept: "gzip", set: []string{"Content-Encoding", "br"}, want: "br"},
		{name: "not stored", accept: "gzip", set: []string{"Cache-Control", "no-store"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			body := cmp.Or(tt.body, prose(1))
			h := author{act: func(w http.ResponseWriter, _ *http.Request, _ int32) {
				w.Header().Set("Content-Type", "text/plain")
				for pair := range slices.Chunk(tt.set, 2) {
					w.Header().Set(pair[0], pair[1])
				}
				_, _ = io.WriteString(w, body)
			}}
			site := routed(openCoding(t, newFake(t), new(coder)).Handler(item, &h))
			for range 3 {
				w := ask(t.Context(), site, tt.accept, tt.header...)
				if got := w.Header.Get("Content-Encoding"); got != tt.want {
					t.Fatalf("Content-Encoding: %q, want %q", got, tt.want)
				}
				if (tt.want == "" || tt.want == "br") && w.Body != body {
					t.Errorf("the body is %.30q...", w.Body)
				}
			}
		})
	}
}

// TestPartsAreOfTheAnswer: a part is never one of a form.
func TestPartsAreOfTheAnswer(t *testing.T) {
	var h author
	site := routed(openCoding(t, newFake(t), new(coder)).Handler(item, &h))
	form := ask(t.Context(), site, "gzip")
	w := ask(t.Context(), site, "gzip", "Range", "bytes=7-9")
	if w.Code != http.StatusPartialContent || w.Body != prose(1)[7:10] || w.Header.Get("Content-Encoding") != "" {
		t.Errorf("%d, %.30q, %v", w.Code, w.Body, w.Header)
	}
	w = ask(t.Context(), site, "gzip", "Range", "bytes=7-9", "If-Range", form.Header.Get("Etag"))
	if w.Code != http.StatusOK || w.Body != prose(1) {
		t.Errorf("who has a form gets a part of the answer: %d, %v", w.Code, w.Header)
	}
	if got := form.Header.Get("Accept-Ranges"); got != "" {
		t.Errorf("the form has Accept-Ranges: %s", got)
	}
}

// TestPiecesAreNotCoded: who asks for the last piece gets it, though all of it is there
// then, to be coded for others.
func TestPiecesAreNotCoded(t *testing.T) {
	h := author{act: func(w http.ResponseWriter, r *http.Request, _ int32) {
		w.Header().Set("Content-Type", "text/plain")
		w.Header().Set("Etag", `"v1"`)
		w.Header().Set("Cache-Control", "max-age=60")
		http.ServeContent(w, r, "", time.Time{}, strings.NewReader(prose(1)))
	}}
	site := routed(openCoding(t, newFake(t), new(coder)).Handler(item, &h))
	body := prose(1)
	half := len(body) / 2
	for _, from := range []int{0, half, half} {
		want := body[from : from+half]
		w := ask(t.Context(), site, "gzip", "Range", fmt.Sprintf("bytes=%d-%d", from, from+half-1))
		if w.Code != http.StatusPartialContent || w.Body != want || w.Header.Get("Content-Encoding") != "" {
			t.Errorf("bytes from %d: %d, %d bytes, %v", from, w.Code, len(w.Body), w.Header)
		}
	}
}

// TestFormThatDoesNotPay: a form that saves too little, or cannot be made, is tried
// once, and not missed.
func TestFormThatDoesNotPay(t *testing.T) {
	for name, fail := range map[string]func(string, []byte) ([]byte, error){
		"too large": func(_ string, src []byte) ([]byte, error) { return src[:len(src)*19/20], nil },
		"fails":     func(string, []byte) ([]byte, error) { return nil, errDown },
	} {
		store := newFake(t)
		coder := coder{fail: fail}
		var h author
		site := routed(openCoding(t, store, &coder).Handler(item, &h))
		for range 3 {
			for _, accept := range []string{"gzip", "zstd"} {
				wantForm(t, ask(t.Context(), site, accept), "", prose(1))
			}
		}
		coder.want(t, 1)
		before := store.called("Lookup")
		ask(t.Context(), site, "gzip")
		if took := store.called("Lookup") - before; took != 1 {
			t.Errorf("%s: a hit took %d look-ups", name, took)
		}
	}
}

// TestFormsOfVariants: where answers differ by a field that only they name, each has
// forms of its own.
func TestFormsOfVariants(t *testing.T) {
	var coder coder
	store := newFake(t)
	h := author{act: func(w http.ResponseWriter, r *http.Request, _ int32) {
		w.Header().Set("Content-Type", "text/plain")
		w.Header().Set("Vary", "X-Shop")
		_, _ = io.WriteString(w, r.Header.Get("X-Shop")+prose(1))
	}}
	site := routed(openCoding(t, store, &coder).Handler(item, &h))
	for range 3 {
		for _, shop := range []string{"a", "b"} {
			for _, name := range []string{"gzip", "", "zstd"} {
				w := ask(t.Context(), site, name, "X-Shop", shop)
				wantForm(t, w, name, shop+prose(1))
				if !slices.Contains(w.Header["Vary"], "X-Shop") {
					t.Errorf("Vary: %q", w.Header["Vary"])
				}
			}
		}
	}
	coder.want(t, 2)
	if runs := h.runs.Load(); runs != 2 {
		t.Errorf("the handler ran %d times", runs)
	}
}

// TestHandlerThatCodes: a handler that would code itself is asked for one answer, which
// serves all; one that is named the field by its rule is asked for what clients want.
func TestHandlerThatCodes(t *testing.T) {
	act := func(w http.ResponseWriter, r *http.Request, _ int32) {
		w.Header().Set("Content-Type", "text/plain")
		w.Header().Set("Vary", "Accept-Encoding")
		body := []byte(prose(1))
		if strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
			w.Header().Set("Content-Encoding", "gzip")
			body, _ = freshet.Gzip().Encode(nil, body)
		}
		_, _ = w.Write(body)
	}
	named := item
	named.VaryHeaders = []string{"Accept-Encoding"}
	for want, rule := range map[int32]freshet.Rule{1: item, 3: named} {
		h := author{act: act}
		site := routed(openCoding(t, newFake(t), new(coder)).Handler(rule, &h))
		for range 2 {
			for _, name := range []string{"gzip", "", "zstd"} {
				w := ask(t.Context(), site, name)
				if got := w.Header.Get("Content-Encoding"); got != name || decoded(t, w) != prose(1) {
					t.Errorf("Content-Encoding: %q, want %q; %v", got, name, w.Header)
				}
				if ours := strings.Contains(w.Header.Get("Etag"), "--"); name == "gzip" && ours != (want == 1) {
					t.Errorf("the cache has coded: %v", ours)
				}
			}
		}
		if runs := h.runs.Load(); runs != want {
			t.Errorf("%d loads, want %d", runs, want)
		}
	}
}

// TestStaleForms: a form is served stale as its answer is, and never longer.
func TestStaleForms(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var coder coder
		var h author
		rule := item
		rule.TTL, rule.StaleWhileRevalidate = time.Minute, time.Minute
		site := routed(openCoding(t, newFake(t), &coder).Handler(rule, &h))
		for range 2 {
			wantForm(t, ask(t.Context(), site, "gzip"), "gzip", prose(1))
		}
		time.Sleep(90 * time.Second)
		wantForm(t, ask(t.Context(), site, "gzip"), "gzip", prose(1))
		synctest.Wait() // for the refresh
		wantForm(t, ask(t.Context(), site, "gzip"), "gzip", prose(2))
		time.Sleep(3 * time.Minute)
		wantForm(t, ask(t.Context(), site, "gzip"), "gzip", prose(3))
		if coder.made["gzip"] != 3 {
			t.Errorf("%d forms of three answers were made", coder.made["gzip"])
		}
	})
}

// TestConditionalWrite: a handler is asked about the tags that it has given itself.
func TestConditionalWrite(t *testing.T) {
	var h author
	h.act = func(w http.ResponseWriter, r *http.Request, _ int32) {
		if r.Method == http.MethodPut && r.Header.Get("If-Match") != `"v1"` {
			w.WriteHeader(http.StatusPreconditionFailed)
			return
		}
		w.Header().Set("Content-Type", "text/plain")
		w.Header().Set("Etag", `"v1"`)
		_, _ = io.WriteString(w, prose(1))
	}
	site := routed(openCoding(t, newFake(t), new(coder)).Handler(item, &h))
	etag := ask(t.Context(), site, "gzip").Header.Get("Etag")
	r := httptest.NewRequest("PUT", "/items/1", nil)
	r.Header.Set("If-Match", etag)
	w := httptest.NewRecorder()
	site.ServeHTTP(w, r)
	if w.Code != http.StatusOK || etag != `"v1--gzip"` {
		t.Errorf("PUT with If-Match: %s: %d", etag, w.Code)
	}
}

// TestFormsAreAudited: a hit of a form is compared by its answer.
func TestFormsAreAudited(t *testing.T) {
	var h author
	h.act = func(w http.ResponseWriter, r *http.Request, _ int32) {
		if r.Header.Get("Accept-Encoding") != "identity" {
			w.Header().Set("Content-Encoding", "x")
		}
		_, _ = io.WriteString(w, prose(1))
	}
	audited := make(chan freshet.Event, 100)
	c, err := freshet.New(newFake(t), &freshet.Options{
		Codings: []freshet.Coding{freshet.Gzip()}, Audit: freshet.Audit{Fraction: 1},
		Observe: func(e freshet.Event) {
			if e.Kind == freshet.EventAudit {
				audited <- e
			}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close(context.Background()) })
	site := routed(c.Handler(item, &h))
	for range 3 {
		ask(t.Context(), site, "gzip")
	}
	if e := <-audited; e.Reason != "fresh" {
		t.Errorf("the audit of a form says %s", e.Reason)
	}
}

func TestWrongCodings(t *testing.T) {
	for _, codings := range [][]freshet.Coding{{{Name: "gzip"}}, {freshet.Gzip(), freshet.Gzip()}} {
		_, err := freshet.New(newFake(t), &freshet.Options{Codings: codings})
		if err == nil || !strings.HasPrefix(err.Error(), "freshet: Options.Codings: ") {
			t.Errorf("%v", err)
		}
	}
}

// TestFormsOnRedis: forms are shared by processes and dropped for all of them, though
// Redis keeps times less exactly than a process does.
func TestFormsOnRedis(t *testing.T) {
	noLeak(t)
	stores, _ := redisProcesses(t, 2)
	var coder coder
	var h author
	var caches []*freshet.Cache
	var sites []http.Handler
	for _, s := range stores {
		c := openCoding(t, s, &coder)
		caches, sites = append(caches, c), append(sites, routed(c.Handler(item, &h)))
	}
	targets := []freshet.Target{freshet.Key("item:1"), freshet.Tag("items"), freshet.Match("item:*")}
	for round, target := range targets {
		for i := range 8 {
			name := []string{"gzip", "", "zstd"}[i%3]
			wantForm(t, ask(t.Context(), sites[i%2], name), name, prose(int32(round+1)))
		}
		coder.want(t, round+1)
		if _, err := caches[round%2].Invalidate(t.Context(), target); err != nil {
			t.Fatal(err)
		}
	}
}
