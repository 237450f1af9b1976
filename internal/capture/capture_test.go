package capture

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// newWriter returns a writer for w and counts what it calls before.
func newWriter(w http.ResponseWriter, limit int64) (c *Writer, calls *int) {
	calls = new(int)
	return New(w, limit, func() { *calls++ }), calls
}

func TestHoldsBack(t *testing.T) {
	w := httptest.NewRecorder()
	c, calls := newWriter(w, 10)
	c.Header().Set("X-A", "1")
	c.WriteHeader(201)
	_, _ = io.WriteString(c, "01234")
	_, _ = c.Write([]byte("56789"))
	if w.Body.Len() != 0 || len(w.Header()) != 0 || *calls != 0 || !c.Whole() || c.Passing() || string(c.Body) != "0123456789" {
		t.Fatalf("%d bytes, header %v, %d calls, body %q", w.Body.Len(), w.Header(), *calls, c.Body)
	}
	c.Sent.Set("X-B", "2")
	c.Finish()
	c.Finish()
	if w.Code != 201 || w.Body.String() != "0123456789" || w.Header().Get("X-A")+w.Header().Get("X-B") != "12" || *calls != 1 {
		t.Errorf("%d %q %v, %d calls", w.Code, w.Body, w.Header(), *calls)
	}
}

func TestPasses(t *testing.T) {
	for name, do := range map[string]func(*Writer){
		"past the limit":   func(c *Writer) { _, _ = io.WriteString(c, "0123456789a") },
		"past the length":  func(c *Writer) { c.Header().Set("Content-Length", "1"); _, _ = io.WriteString(c, "ab") },
		"length too large": func(c *Writer) { c.Header().Set("Content-Length", "11"); _, _ = io.WriteString(c, "a") },
		"flush":            func(c *Writer) { c.Flush() },
		"switching":        func(c *Writer) { c.WriteHeader(101) },
	} {
		w := httptest.NewRecorder()
		c, calls := newWriter(w, 10)
		do(c)
		if !c.Passing() || c.Whole() || *calls != 1 {
			t.Errorf("%s: passing %v, whole %v, %d calls", name, c.Passing(), c.Whole(), *calls)
		}
		before := w.Body.Len()
		if c.Status == 200 {
			_, _ = io.WriteString(c, "z")
			if w.Body.Len() != before+1 {
				t.Errorf("%s: what comes later is held back", name)
			}
		}
		c.Finish()
		if *calls != 1 {
			t.Errorf("%s: %d calls", name, *calls)
		}
	}
}

// A writer behind that can neither flush nor be hijacked says so.
func TestUnsupported(t *testing.T) {
	w := struct{ http.ResponseWriter }{httptest.NewRecorder()}
	c, calls := newWriter(w, 10)
	if _, _, err := c.Hijack(); !errors.Is(err, http.ErrNotSupported) || *calls != 0 || c.Passing() {
		t.Errorf("Hijack: %v, %d calls", err, *calls)
	}
	if err := c.FlushError(); !errors.Is(err, http.ErrNotSupported) || *calls != 1 {
		t.Errorf("FlushError: %v, %d calls", err, *calls)
	}
	if c.Unwrap() != http.ResponseWriter(w) {
		t.Error("Unwrap returns another writer")
	}
}

func TestUnfit(t *testing.T) {
	for name, tt := range map[string]struct {
		handler func(*Writer)
		want    string
	}{
		"fit":      {func(*Writer) {}, ""},
		"streamed": {func(c *Writer) { c.Flush() }, "incomplete"},
		"short":    {func(c *Writer) { c.Header().Set("Content-Length", "1") }, "incomplete"},
		"dropped":  {func(c *Writer) { c.Settle(); c.Discard() }, "incomplete"},
		"trailer":  {func(c *Writer) { c.Header().Set("Trailer", "X") }, "trailer"},
	} {
		c, _ := newWriter(httptest.NewRecorder(), 10)
		tt.handler(c)
		c.Settle()
		if got := c.Unfit(); got != tt.want {
			t.Errorf("%s: %q, want %q", name, got, tt.want)
		}
	}
}

// Of what middleware in front has set for its own purposes, Own has nothing; of what
// the handler has set it has all, though it be the same.
func TestOwn(t *testing.T) {
	none := http.Header{"Cache-Control": {"private"}}
	with := func(name, value string) http.Header {
		h := none.Clone()
		h[name] = append(h[name], value)
		return h
	}
	for name, tt := range map[string]struct {
		handler func(*Writer)
		want    http.Header
	}{
		"from in front":       {func(*Writer) {}, none},
		"cookie added":        {func(c *Writer) { c.Header().Add("Set-Cookie", "b=2") }, with("Set-Cookie", "b=2")},
		"cookie as in front":  {func(c *Writer) { c.Header().Set("Set-Cookie", "a=1") }, with("Set-Cookie", "a=1")},
		"lower-case cookie":   {func(c *Writer) { c.Header()["set-cookie"] = []string{"b=2"} }, with("Set-Cookie", "b=2")},
		"lower-case no-store": {func(c *Writer) { c.Header()["cache-control"] = []string{"no-store"} }, with("Cache-Control", "no-store")},
		"vary added":          {func(c *Writer) { c.Header().Add("Vary", "Accept") }, with("Vary", "Accept")},
		"vary as in front":    {func(c *Writer) { c.Header().Set("Vary", "Origin") }, with("Vary", "Origin")},
		"vary in place":       {func(c *Writer) { c.Header()["Vary"][0] = "Cookie" }, with("Vary", "Cookie")},
	} {
		w := httptest.NewRecorder()
		w.Header().Set("Set-Cookie", "a=1")
		w.Header().Set("Vary", "Origin")
		w.Header().Set("Cache-Control", "private")
		c, _ := newWriter(w, 10)
		tt.handler(c)
		c.Settle()
		if diff := cmp.Diff(tt.want, c.Own()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestComplete(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.FixedZone("", 3600))
	tests := []struct {
		name    string
		handler func(*Writer)
		want    []Field
	}{
		{"text", func(c *Writer) { _, _ = io.WriteString(c, "a") }, []Field{
			{"Content-Length", "1"}, {"Content-Type", "text/plain; charset=utf-8"}, {"Date", "Fri, 02 Jan 2026 02:04:05 GMT"},
			{"Etag", `"ypeBEsobvcr6wjGzmiPcTQ"`},
		}},
		{"nothing", func(*Writer) {}, []Field{
			{"Content-Length", "0"}, {"Date", "Fri, 02 Jan 2026 02:04:05 GMT"}, {"Etag", `"47DEQpj8HBSa-_TImW-5JA"`},
		}},
		{"all its own", func(c *Writer) {
			for name, value := range map[string]string{"Date": "d", "Etag": "e", "Content-Type": "t", "Transfer-Encoding": "chunked", "Connection": "X-A", "X-A": "1"} {
				c.Header().Set(name, value)
			}
			_, _ = io.WriteString(c, "a")
		}, []Field{{"Content-Length", "1"}, {"Content-Type", "t"}, {"Date", "d"}, {"Etag", "e"}}},
		{"none wanted", func(c *Writer) {
			for _, name := range []string{"Date", "Etag", "Content-Type"} {
				c.Header()[name] = nil
			}
			_, _ = io.WriteString(c, "a")
		}, []Field{{"Content-Length", "1"}}},
		{"no content", func(c *Writer) { c.WriteHeader(204) }, []Field{{"Date", "Fri, 02 Jan 2026 02:04:05 GMT"}}},
		{"repeated", func(c *Writer) {
			c.Header()["B"], c.Header()["A"], c.Header()["Date"] = []string{"2", "1"}, []string{"", "x"}, nil
			c.WriteHeader(204)
		}, []Field{{"A", ""}, {"A", "x"}, {"B", "2"}, {"B", "1"}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c, _ := newWriter(httptest.NewRecorder(), 10)
			tt.handler(c)
			c.Settle()
			c.Complete(now)
			if diff := cmp.Diff(tt.want, c.Fields()); diff != "" {
				t.Errorf("fields (-want +got):\n%s", diff)
			}
		})
	}
}

func TestFinishFor(t *testing.T) {
	same, part := http.Header{"If-None-Match": {`"a"`}}, http.Header{"Range": {"bytes=1-2"}}
	for name, tt := range map[string]struct {
		handler func(*Writer)
		header  http.Header
		want    int
		body    string
	}{
		"same":                  {func(*Writer) {}, same, 304, ""},
		"streamed":              {func(c *Writer) { c.Flush() }, same, 200, "0123"},
		"not a 200":             {func(c *Writer) { c.WriteHeader(404) }, same, 404, "0123"},
		"another":               {func(c *Writer) { c.Header().Set("Etag", `"b"`) }, same, 200, "0123"},
		"part":                  {func(*Writer) {}, part, 206, "12"},
		"part, streamed":        {func(c *Writer) { c.Flush() }, part, 200, "0123"},
		"part, not a 200":       {func(c *Writer) { c.WriteHeader(404) }, part, 404, "0123"},
		"part, the handler's":   {func(c *Writer) { c.WriteHeader(206) }, part, 206, "0123"},
		"part, done by none":    {func(c *Writer) { c.Header().Set("Accept-Ranges", "none") }, part, 200, "0123"},
		"part, no type":         {func(c *Writer) { c.Header().Del("Content-Type") }, part, 200, "0123"},
		"part that is not here": {func(*Writer) {}, http.Header{"Range": {"bytes=9-"}}, 416, ""},
	} {
		w := httptest.NewRecorder()
		c, calls := newWriter(w, 10)
		c.Header().Set("Etag", `"a"`)
		c.Header().Set("Content-Type", "text/plain")
		tt.handler(c)
		_, _ = io.WriteString(c, "0123")
		c.FinishFor(&http.Request{Method: http.MethodGet, Header: tt.header})
		if w.Code != tt.want || w.Body.String() != tt.body || *calls != 1 {
			t.Errorf("%s: status %d, want %d, %q; %d calls", name, w.Code, tt.want, w.Body, *calls)
		}
	}
}

// What the handler does to fields from in front is stored, not what it finds there.
func TestFieldsOverOuter(t *testing.T) {
	tests := []struct {
		name    string
		handler func(http.Header)
		want    []Field
		hit     http.Header // where "bob" stood in front
	}{
		{"untouched", func(http.Header) {}, nil, http.Header{"X-A": {"bob"}}},
		{"replaced", func(h http.Header) { h.Set("X-A", "1") }, []Field{{"X-A", "1"}}, http.Header{"X-A": {"1"}}},
		{"set to the same", func(h http.Header) { h.Set("X-A", "alice") }, []Field{{"X-A", "alice"}}, http.Header{"X-A": {"alice"}}},
		{"added to", func(h http.Header) { h.Add("X-A", "1"); h.Add("X-A", "2") },
			[]Field{{">X-A", "1"}, {">X-A", "2"}}, http.Header{"X-A": {"bob", "1", "2"}}},
		{"added to in lower case", func(h http.Header) { h["x-a"] = []string{"1"} },
			[]Field{{">X-A", "1"}}, http.Header{"X-A": {"bob", "1"}}},
		{"deleted", func(h http.Header) { h.Del("X-A") }, []Field{{"<X-A", ""}}, http.Header{}},
		{"deleted and set", func(h http.Header) { h.Del("X-A"); h.Add("X-A", "1") }, []Field{{"X-A", "1"}}, http.Header{"X-A": {"1"}}},
		{"a Vary of its own", func(h http.Header) { h.Set("Vary", "Accept") },
			[]Field{{">Vary", "Accept"}}, http.Header{"X-A": {"bob"}, "Vary": {"Accept"}}},
		{"no name of a field", func(h http.Header) { h[">X-A"] = []string{"1"}; h["a b"] = []string{"1"} }, nil, http.Header{"X-A": {"bob"}}},
	}
	for _, tt := range tests {
		w := httptest.NewRecorder()
		w.Header().Set("X-A", "alice")
		c, _ := newWriter(w, 10)
		tt.handler(c.Header())
		c.WriteHeader(http.StatusOK)
		got := c.Fields()
		if diff := cmp.Diff(tt.want, got, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%s: fields (-want +got):\n%s", tt.name, diff)
		}
		h := http.Header{"X-A": {"bob"}}
		Restore(h, got)
		tt.hit["Date"], tt.hit["Content-Type"] = nil, nil
		if diff := cmp.Diff(tt.hit, h); diff != "" {
			t.Errorf("%s: hit (-want +got):\n%s", tt.name, diff)
		}
	}
}

// What stands in front on a hit keeps its Vary, and its array.
func TestRestoreKeepsVary(t *testing.T) {
	front := append(make([]string, 0, 2), "Origin")
	h := http.Header{"Vary": front}
	Restore(h, []Field{{">Vary", "Accept"}})
	if diff := cmp.Diff([]string{"Origin", "Accept"}, h["Vary"]); diff != "" || front[:2][1] != "" {
		t.Errorf("Vary (-want +got):\n%s, array in front %q", diff, front[:2])
	}
}
