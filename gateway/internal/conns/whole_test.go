package conns

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync/atomic"
	"testing"
)

// writes is a listener that counts the writes to its connections. One of them fails,
// by its number, unless that is 0.
type writes struct {
	net.Listener
	count, broken atomic.Int64
}

func (w *writes) Accept() (net.Conn, error) {
	c, err := w.Listener.Accept()
	return &written{c, w}, err
}

type written struct {
	net.Conn
	of *writes
}

var errBroken = errors.New("it cannot be written")

func (w *written) Write(p []byte) (int, error) {
	if w.of.count.Add(1) == w.of.broken.Load() {
		return 0, errBroken
	}
	return w.Conn.Write(p)
}

// answering serves bodies of the size that ?size says, in as many parts as ?parts, with
// their length stated if ?stated is not empty, and returns the server and what counts
// its writes.
func answering(t *testing.T) (*httptest.Server, *writes) {
	t.Helper()
	l := listen(t, func(net.Conn) {})
	w := &writes{Listener: l.Listener}
	l.Listener = w
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		size, _ := strconv.Atoi(r.FormValue("size"))
		if r.FormValue("stated") != "" {
			w.Header().Set("Content-Length", strconv.Itoa(size))
		}
		parts, _ := strconv.Atoi(r.FormValue("parts"))
		part := bytes.Repeat([]byte("a"), size/max(parts, 1))
		for w := Whole(w, r); size > 0; size -= len(part) {
			if n, err := w.Write(part); n != len(part) && err == nil {
				t.Errorf("%d of %d bytes are written, without an error", n, len(part))
			}
		}
	}))
	_ = s.Listener.Close()
	s.Listener = l
	s.Config.ConnContext = Context
	t.Cleanup(s.Close)
	return s, w
}

// TestOneWrite: an answer that is at hand goes out in one write; what net/http does
// by itself with the others shows that this is not so without further ado.
func TestOneWrite(t *testing.T) {
	tests := []struct {
		method, query string
		size          int64
		one           bool
	}{
		{http.MethodGet, "?size=100&stated=y", 100, true},
		{http.MethodGet, "?size=4096&stated=y", 4096, true},
		{http.MethodGet, "?size=16384&stated=y", 16384, true},
		{http.MethodGet, "?size=16385&stated=y", 16385, false},
		{http.MethodGet, "?size=4096", 4096, false},
		{http.MethodHead, "?size=4096&stated=y", 0, true},
	}
	for _, secure := range []bool{false, true} {
		s, w := answering(t)
		if s.Start(); secure {
			s, w = answering(t)
			s.StartTLS()
		}
		for _, tt := range tests {
			r, err := http.NewRequestWithContext(t.Context(), tt.method, s.URL+tt.query, nil)
			if err != nil {
				t.Fatal(err)
			}
			for range 2 { // of a new connection, the first comes with its greeting
				w.count.Store(0)
				res, err := s.Client().Do(r)
				if err != nil {
					t.Fatal(err)
				}
				if n, err := io.Copy(io.Discard, res.Body); n != tt.size || err != nil {
					t.Errorf("%s%s: %d bytes, %v", tt.method, tt.query, n, err)
				}
				_ = res.Body.Close()
			}
			if n := w.count.Load(); (n == 1) != tt.one {
				t.Errorf("TLS %t: %s%s takes %d writes", secure, tt.method, tt.query, n)
			}
		}
	}
}

// TestParts: an answer that is written in parts is not sent in more of them than
// net/http would.
func TestParts(t *testing.T) {
	s, w := answering(t)
	s.Start()
	res, err := s.Client().Get(s.URL + "?size=65536&parts=32&stated=y")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if n, err := io.Copy(io.Discard, res.Body); n != 65536 || err != nil || w.count.Load() > 20 {
		t.Errorf("%d bytes, %v, after %d writes", n, err, w.count.Load())
	}
}

// TestBroken: a connection on which an answer was not sent to its end gets no other.
func TestBroken(t *testing.T) {
	s, w := answering(t)
	s.Start()
	c, err := net.Dial("tcp", s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	const ask = "GET /?size=4096&stated=y HTTP/1.1\r\nHost: h\r\n"
	w.broken.Store(2)
	if _, err := io.WriteString(c, ask+"\r\n"+ask+"\r\n"+ask+"Connection: close\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	if all, _ := io.ReadAll(c); bytes.Count(all, []byte("HTTP/1.1 ")) != 1 || w.count.Load() < 2 {
		t.Errorf("after %d writes, one of them broken, %d bytes have come: %.200q", w.count.Load(), len(all), all)
	}
}

// TestOutside: without a connection of a Listener, and over HTTP/2, nothing is in front.
func TestOutside(t *testing.T) {
	w := httptest.NewRecorder()
	if r := httptest.NewRequest(http.MethodGet, "/", nil); Whole(w, r) != http.ResponseWriter(w) {
		t.Error("a writer stands in front of a test's")
	}
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r = r.WithContext(Context(t.Context(), tls.Server(&conn{}, nil)))
	if Whole(w, r) == http.ResponseWriter(w) {
		t.Error("the connection below TLS is not found")
	}
	if r.ProtoMajor = 2; Whole(w, r) != http.ResponseWriter(w) {
		t.Error("a writer stands in front of a stream's")
	}
}
