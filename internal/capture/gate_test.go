package capture

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/textproto"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestGateOpens(t *testing.T) {
	for name, first := range map[string]func(*Gate){
		"status": func(g *Gate) { g.WriteHeader(201) },
		"body":   func(g *Gate) { _, _ = io.WriteString(g, "a") },
		"flush":  func(g *Gate) { _ = g.FlushError() },
	} {
		w := httptest.NewRecorder()
		w.Header().Set("X-Front", "1")
		g := NewGate(w)
		g.Header().Set("X-A", "1")
		if w.Header().Get("X-A") != "" {
			t.Errorf("%s: the header has passed before the answer", name)
		}
		first(g)
		if g.Detach() {
			t.Errorf("%s: taken back though it has begun", name)
		}
		_, _ = io.WriteString(g, "b")
		g.Header().Set("X-Trailer", "1")
		if w.Header().Get("X-Front")+w.Header().Get("X-A")+w.Header().Get("X-Trailer") != "111" || w.Body.Len() == 0 {
			t.Errorf("%s: %v %q", name, w.Header(), w.Body)
		}
	}
}

// What the request has taken back, the handler does not reach any more, and does not
// notice.
func TestGateDetached(t *testing.T) {
	w := httptest.NewRecorder()
	g := NewGate(w)
	g.Header().Set("X-A", "1")
	if !g.Detach() {
		t.Fatal("it cannot be taken back")
	}
	w.Header().Set("X-B", "1")
	http.Error(w, "late", http.StatusGatewayTimeout)
	g.Header().Set("X-C", "1")
	g.WriteHeader(http.StatusEarlyHints)
	g.WriteHeader(200)
	if n, err := g.Write([]byte("abc")); n != 3 || err != nil {
		t.Errorf("Write: %d, %v", n, err)
	}
	if err := g.FlushError(); err != nil {
		t.Errorf("FlushError: %v", err)
	}
	_, _, err := g.Hijack()
	for _, err := range []error{err, g.SetReadDeadline(time.Time{}), g.SetWriteDeadline(time.Time{}), g.EnableFullDuplex()} {
		if !errors.Is(err, http.ErrNotSupported) {
			t.Errorf("the connection is not its any more: %v", err)
		}
	}
	if w.Code != http.StatusGatewayTimeout || w.Body.String() != "late\n" || w.Header().Get("X-A")+w.Header().Get("X-C") != "" || w.Header().Get("X-B") == "" {
		t.Errorf("%d %q %v", w.Code, w.Body, w.Header())
	}
}

// An interim answer is not the final one: after it, another can still be sent.
func TestGateInforms(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		g := NewGate(w)
		g.Header().Set("Link", "</a>")
		g.WriteHeader(http.StatusEarlyHints)
		if !g.Detach() {
			t.Error("it cannot be taken back")
		}
		w.WriteHeader(http.StatusGatewayTimeout)
	}))
	defer server.Close()
	var hints []string
	ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{Got1xxResponse: func(_ int, h textproto.MIMEHeader) error {
		hints = append(hints, h.Get("Link"))
		return nil
	}})
	r, err := http.NewRequestWithContext(ctx, "GET", server.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := server.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusGatewayTimeout || response.Header.Get("Link") != "" || len(hints) != 1 || hints[0] != "</a>" {
		t.Errorf("%d %v, hints %q", response.StatusCode, response.Header, hints)
	}
}

func TestNowhere(t *testing.T) {
	front := http.Header{"X-Front": {"1"}}
	for _, g := range []*Gate{Nowhere(front), Nowhere(nil)} {
		c := New(g, 10, func() {})
		c.Header().Set("X-A", "1")
		_, _ = io.WriteString(c, "abc")
		c.Finish()
		if string(c.Body) != "" || len(front) != 1 {
			t.Errorf("%q, front %v", c.Body, front)
		}
	}
}

// What Judge makes of an answer: streamed, 304 or something else instead.
func TestJudge(t *testing.T) {
	for name, tt := range map[string]struct {
		judge  func(*Writer, *http.Request)
		status int
		body   string
	}{
		"nothing":   {func(*Writer, *http.Request) {}, 0, ""},
		"streamed":  {func(c *Writer, r *http.Request) { delete(r.Header, "If-None-Match"); c.Stream(r) }, 200, "body"},
		"has it":    {func(c *Writer, r *http.Request) { c.Stream(r) }, 304, ""},
		"discarded": {func(c *Writer, _ *http.Request) { c.Discard() }, 0, ""},
	} {
		w := httptest.NewRecorder()
		w.Code = 0
		c, calls := newWriter(w, 10)
		r := httptest.NewRequest("GET", "/", nil)
		r.Header.Set("If-None-Match", `"a"`)
		c.Judge = func() { tt.judge(c, r) }
		c.Header().Set("Etag", `"a"`)
		n, err := io.WriteString(c, "body")
		if n != 4 || err != nil || w.Code != tt.status || w.Body.String() != tt.body {
			t.Errorf("%s: %d %v; %d %q", name, n, err, w.Code, w.Body)
		}
		if want := map[bool]int{true: 1}[tt.status != 0]; *calls != want {
			t.Errorf("%s: %d calls", name, *calls)
		}
		if name == "discarded" {
			c.Flush()
			c.Finish()
			if !c.Dropped() || c.Passing() || c.Whole() || w.Code != 0 {
				t.Errorf("discarded: %d", w.Code)
			}
		}
	}
}

func TestValidators(t *testing.T) {
	for name, tt := range map[string]struct {
		header []Field
		want   [2]string
	}{
		"its own": {[]Field{{"Etag", `"a"`}, {"Last-Modified", "d"}}, [2]string{`"a"`, "d"}},
		"ours":    {[]Field{{"Etag", tag([]byte("body"))}}, [2]string{}},
		"none":    {nil, [2]string{}},
		"two":     {[]Field{{"Etag", `"a"`}, {"Etag", `"b"`}}, [2]string{}},
	} {
		a := Answer{Header: tt.header, Body: "body"}
		etag, modified := a.Validators()
		if diff := cmp.Diff(tt.want, [2]string{etag, modified}); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}
