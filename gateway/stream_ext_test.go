package gateway_test

import (
	"bufio"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/textproto"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// TestChunkedAnswersAreStored: the proxy flushes answers without a length, and yet they
// are whole when they are over.
func TestChunkedAnswersAreStored(t *testing.T) {
	s := open(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "max-age=60")
		for range 3 {
			_, _ = io.WriteString(w, "part ")
			_ = http.NewResponseController(w).Flush()
		}
	}), plain)
	if got := s.get("/"); got.cached() != "stored" || got.body != "part part part " {
		t.Errorf("first: %s %q", got.cached(), got.body)
	}
	if got := s.get("/"); got.cached() != "hit" || got.body != "part part part " {
		t.Errorf("second: %s %q", got.cached(), got.body)
	}
}

// TestStreamsAreNotHeld: the first part of an answer reaches the client while the
// upstream waits to be told that it has.
func TestStreamsAreNotHeld(t *testing.T) {
	tests := []struct{ name, method, kind, control string }{
		{"events", "GET", "text/event-stream", ""},
		{"events that may be stored", "GET", "text/event-stream; charset=utf-8", "max-age=60"},
		{"lines of JSON", "GET", "application/x-ndjson", "max-age=60"},
		{"answer to a write", "POST", "text/plain", ""},
		{"what may not be stored", "GET", "text/plain", "no-store"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			seen := make(chan struct{})
			s := open(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Type", tt.kind)
				w.Header().Set("Cache-Control", tt.control)
				_, _ = io.WriteString(w, "first\n")
				_ = http.NewResponseController(w).Flush()
				select {
				case <-seen:
					_, _ = io.WriteString(w, "second\n")
				case <-time.After(patience):
				}
			}), plain)
			r, err := http.NewRequestWithContext(t.Context(), tt.method, s.url, nil)
			if err != nil {
				t.Fatal(err)
			}
			res, err := s.client.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			lines := bufio.NewReader(res.Body)
			first, _ := lines.ReadString('\n')
			close(seen)
			second, _ := lines.ReadString('\n')
			if first+second != "first\nsecond\n" {
				t.Errorf("%q, then %q", first, second)
			}
		})
	}
}

// TestUpgrade is what a WebSocket needs: both sides write at once, both ways.
func TestUpgrade(t *testing.T) {
	up := crude(t, func(r *http.Request, conn net.Conn) {
		if r.Header.Get("Upgrade") != "websocket" || r.Header.Get("Connection") != "Upgrade" {
			_, _ = io.WriteString(conn, "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
			return
		}
		_, _ = io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nhello ")
		_, _ = io.Copy(conn, conn)
	})
	s := openOn(t, up, plain)
	conn := s.dial()
	defer conn.Close()
	_, _ = io.WriteString(conn, "GET /chat HTTP/1.1\r\nHost: h.com\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
	from := bufio.NewReader(conn)
	res, err := http.ReadResponse(from, nil)
	if err != nil {
		t.Fatal(err)
	}
	if res.StatusCode != http.StatusSwitchingProtocols || res.Header.Get("Upgrade") != "websocket" {
		t.Fatalf("%s %v", res.Status, res.Header)
	}
	for _, word := range []string{"hello ", "one ", "two "} {
		if word != "hello " {
			_, _ = io.WriteString(conn, word)
		}
		got := make([]byte, len(word))
		if _, err := io.ReadFull(from, got); err != nil || string(got) != word {
			t.Errorf("%q, %v; wanted %q", got, err, word)
		}
	}
}

// TestBrokenAnswers: an upstream that dies in the middle of an answer. The client must
// see that it is not whole, nobody may get it again, and the next request is answered.
func TestBrokenAnswers(t *testing.T) {
	const head = "HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\n"
	for name, answer := range map[string]string{
		"chunked":          head + "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
		"within a chunk":   head + "Transfer-Encoding: chunked\r\n\r\n50\r\nhello",
		"bad chunk":        head + "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nxyz\r\n",
		"length":           head + "Content-Length: 50\r\n\r\nhello",
		"length and chunk": head + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n50\r\nhello",
	} {
		t.Run(name, func(t *testing.T) {
			var asked atomic.Int32
			up := crude(t, func(r *http.Request, conn net.Conn) {
				if asked.Add(1) == 1 {
					_, _ = io.WriteString(conn, answer)
					return
				}
				_, _ = io.WriteString(conn, head+"Content-Length: 5\r\n\r\nwhole")
			})
			s := openOn(t, up, plain)
			if res, err := s.client.Get(s.url); err == nil {
				defer res.Body.Close()
				if body, err := io.ReadAll(res.Body); err == nil && res.StatusCode == http.StatusOK {
					t.Errorf("the client takes %q for whole: %v", body, res.Header)
				}
			}
			if got := s.get("/"); got.cached() != "stored" || got.body != "whole" {
				t.Errorf("then: %s %q", got.cached(), got.body)
			}
		})
	}
}

// TestBrokenWithoutAServer: also where no http.Server is in front, which would notice.
func TestBrokenWithoutAServer(t *testing.T) {
	up := crude(t, func(r *http.Request, conn net.Conn) {
		_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")
	})
	s := openOn(t, up, plain)
	for range 2 {
		w := httptest.NewRecorder()
		func() {
			defer func() {
				if p := recover(); p != http.ErrAbortHandler {
					t.Errorf("it ends with %v", p)
				}
			}()
			s.gateway.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), "GET", "/", nil))
		}()
		if got := w.Header().Get("Cache-Status"); strings.Contains(got, "hit") {
			t.Errorf("what broke off is served again: %s", got)
		}
	}
}

// TestWaitersOfABrokenAnswer: those who have waited for an answer that breaks off get
// one that does not.
func TestWaitersOfABrokenAnswer(t *testing.T) {
	const head = "HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\n"
	var asked atomic.Int32
	begun, release := make(chan struct{}), make(chan struct{})
	up := crude(t, func(r *http.Request, conn net.Conn) {
		if asked.Add(1) == 1 {
			close(begun)
			<-release
			_, _ = io.WriteString(conn, head+"Content-Length: 50\r\n\r\nhello")
			return
		}
		_, _ = io.WriteString(conn, head+"Content-Length: 5\r\n\r\nwhole")
	})
	s := openOn(t, up, plain)
	var all sync.WaitGroup
	all.Go(func() {
		if res, err := s.client.Get(s.url); err == nil {
			_, _ = io.Copy(io.Discard, res.Body)
			_ = res.Body.Close()
		}
	})
	<-begun
	for range 8 {
		all.Go(func() {
			res, err := s.client.Get(s.url)
			if err != nil {
				t.Error(err)
				return
			}
			defer res.Body.Close()
			if body, err := io.ReadAll(res.Body); string(body) != "whole" {
				t.Errorf("%q, %v", body, err)
			}
		})
	}
	close(release)
	all.Wait()
}

// TestNotDelimited: nobody can tell whether an answer is whole that ends with its
// connection.
func TestNotDelimited(t *testing.T) {
	up := crude(t, func(r *http.Request, conn net.Conn) {
		_, _ = io.WriteString(conn, "HTTP/1.0 200 OK\r\nCache-Control: max-age=60\r\n\r\nall of it, or not")
	})
	s := openOn(t, up, plain)
	for range 2 {
		if got := s.get("/"); got.body != "all of it, or not" || got.cached() == "stored" || got.cached() == "hit" {
			t.Errorf("%s %q", got.cached(), got.body)
		}
	}
}

// TestStall: an upstream that stops in the middle, and one that never begins.
func TestStall(t *testing.T) {
	hang := make(chan struct{})
	// An upstream for each: one that begins had better have its time to.
	s := open(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/body" {
			w.Header().Set("Cache-Control", "max-age=60")
			_, _ = io.WriteString(w, "some")
			_ = http.NewResponseController(w).Flush()
		}
		<-hang
	}), `upstreams:
  begins: {servers: [UPSTREAM], timeouts: {stall: 50ms}}
  hangs: {servers: [UPSTREAM], timeouts: {answer: 50ms}}
routes:
  - {pattern: "/body", upstream: begins}
default: {upstream: hangs}
`)
	defer close(hang)
	if got := s.get("/never"); got.StatusCode != http.StatusGatewayTimeout || got.Header.Get("Cache-Status") == "" {
		t.Errorf("%s %v", got.Status, got.Header)
	}
	res, err := s.client.Get(s.url + "/body")
	if err == nil {
		defer res.Body.Close()
		_, err = io.ReadAll(res.Body)
	}
	var late net.Error
	if err == nil || errors.As(err, &late) && late.Timeout() {
		t.Errorf("the client is not told that it will not get the rest: %v", err)
	}
}

// TestDown: what is wrong inside does not concern clients.
func TestDown(t *testing.T) {
	// A port that nobody is given.
	s := openOn(t, "http://127.0.0.1:1", plain)
	got := s.get("/")
	if got.StatusCode != http.StatusBadGateway || strings.Contains(got.body, "127.0.0.1") || strings.Contains(got.body, "refused") {
		t.Errorf("%s %q", got.Status, got.body)
	}
	if !strings.HasPrefix(got.Header.Get("Cache-Status"), "freshet; fwd=") {
		t.Errorf("Cache-Status: %q", got.Header.Get("Cache-Status"))
	}
}

// TestTrailers: an answer is not stored without what comes behind its body.
func TestTrailers(t *testing.T) {
	s := open(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "max-age=60")
		w.Header().Set("Trailer", "X-Sum")
		_, _ = io.WriteString(w, "body")
		w.Header().Set("X-Sum", "42")
	}), plain)
	for range 2 {
		if got := s.get("/"); got.body != "body" || got.Trailer.Get("X-Sum") != "42" {
			t.Errorf("%q %v", got.body, got.Trailer)
		}
	}
}

func TestEarlyHints(t *testing.T) {
	s := open(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Link", "</a.css>; rel=preload")
		w.WriteHeader(http.StatusEarlyHints)
		w.Header().Del("Link")
		_, _ = io.WriteString(w, "body")
	}), plain)
	for _, request := range []string{"GET /", "POST /", "GET /?by;passed", "OPTIONS /"} {
		method, path, _ := strings.Cut(request, " ")
		var hints []string
		ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{
			Got1xxResponse: func(code int, h textproto.MIMEHeader) error {
				hints = append(hints, fmt.Sprint(code, h["Link"]))
				return nil
			},
		})
		r, err := http.NewRequestWithContext(ctx, method, s.url+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		res, err := s.client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, res.Body)
		_ = res.Body.Close()
		if len(hints) != 1 || hints[0] != "103[</a.css>; rel=preload]" && hints[0] != "103 [</a.css>; rel=preload]" {
			t.Errorf("%s: %q", request, hints)
		}
		if method != "OPTIONS" && res.Header.Get("Cache-Status") == "" || res.Header.Get("Link") != "" {
			t.Errorf("%s: %v", request, res.Header)
		}
	}
}

// TestExpectContinue: the upstream decides whether the client sends its body.
func TestExpectContinue(t *testing.T) {
	s := open(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/no" {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		body, _ := io.ReadAll(r.Body)
		_, _ = w.Write(body)
	}), plain)
	for path, wanted := range map[string]string{"/no": "HTTP/1.1 403", "/yes": "HTTP/1.1 100"} {
		conn := s.dial()
		_, _ = io.WriteString(conn, "POST "+path+" HTTP/1.1\r\nHost: h.com\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n")
		line, err := bufio.NewReader(conn).ReadString('\n')
		if err != nil || !strings.HasPrefix(line, wanted) {
			t.Errorf("%s: %q, %v", path, line, err)
		}
		_ = conn.Close()
	}
}

// TestUploadsStream: the upstream has the first part before the client has sent the
// last, and a large body arrives as it was sent.
func TestUploadsStream(t *testing.T) {
	first := make(chan struct{})
	s := open(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		sum := sha256.New()
		if _, err := io.CopyN(sum, r.Body, 10); err != nil {
			return
		}
		close(first)
		_, _ = io.Copy(sum, r.Body)
		fmt.Fprintf(w, "%x", sum.Sum(nil))
	}), plain)
	data := make([]byte, 16<<20)
	_, _ = rand.Read(data)
	body, sender := io.Pipe()
	go func() {
		_, _ = sender.Write(data[:10])
		select {
		case <-first:
			_, _ = sender.Write(data[10:])
			_ = sender.Close()
		case <-time.After(patience):
			_ = sender.CloseWithError(errors.New("the upstream has not seen the first part"))
		}
	}()
	res, err := s.client.Post(s.url, "application/octet-stream", body)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if got, _ := io.ReadAll(res.Body); string(got) != fmt.Sprintf("%x", sha256.Sum256(data)) {
		t.Errorf("%s %q", res.Status, got)
	}
}

// TestBrokenRequests: that a client's body breaks off is not the upstream's fault, which
// goes on being asked.
func TestBrokenRequests(t *testing.T) {
	var seen journal
	up := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, err := io.Copy(io.Discard, r.Body)
		seen.add("%s %t", r.URL.Path, err == nil)
	})
	s := open(t, up, "upstreams: {api: {servers: [UPSTREAM], fails: 1, rest: 1h}}")
	for range 3 {
		if got := status(s.raw("POST /x HTTP/1.1\nHost: h.com\nConnection: close\nTransfer-Encoding: chunked\n\nnonsense\n")); got != "400" {
			t.Errorf("%s, wanted 400", got)
		}
	}
	if state := s.gateway.Upstreams()["api"][0]; !state.Up {
		t.Errorf("the server is left alone: %v", state.Err)
	}
}

// TestClientLeaves: the upstream answers when nobody is there any more. The next who
// asks gets an answer.
func TestClientLeaves(t *testing.T) {
	begun, release := make(chan struct{}, 8), make(chan struct{})
	s := open(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		begun <- struct{}{}
		<-release
		w.Header().Set("Cache-Control", "max-age=60")
		_, _ = io.WriteString(w, "late")
	}), plain)
	ctx, leave := context.WithCancel(t.Context())
	r, err := http.NewRequestWithContext(ctx, "GET", s.url, nil)
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		<-begun
		leave()
	}()
	if res, err := s.client.Do(r); err == nil {
		_ = res.Body.Close()
		t.Errorf("an answer before there was one: %s", res.Status)
	}
	close(release)
	if got := s.get("/"); got.body != "late" {
		t.Errorf("%s %q", got.Status, got.body)
	}
}

// TestFieldsOnTheWay: what belongs to one connection stays on it, and the gateway says
// that it was there.
func TestFieldsOnTheWay(t *testing.T) {
	asked := make(chan http.Header, 1)
	up := crude(t, func(r *http.Request, conn net.Conn) {
		asked <- r.Header
		_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: X-Hop\r\nX-Hop: 1\r\n"+
			"Keep-Alive: timeout=5\r\nProxy-Authenticate: Basic\r\nVia: 1.0 inner\r\nX-End: 1\r\n\r\n")
	})
	s := openOn(t, up, plain)
	answer := s.raw("GET / HTTP/1.1\nHost: h.com\nConnection: close, X-Mine\nX-Mine: 1\nTE: gzip\nProxy-Authorization: x\nVia: 1.0 outer\nX-End: 1\n\n")
	got := <-asked
	for _, name := range []string{"X-Mine", "Te", "Proxy-Authorization", "Connection", "Keep-Alive"} {
		if got[name] != nil {
			t.Errorf("the upstream got %s: %q", name, got[name])
		}
	}
	if via := strings.Join(got["Via"], ", "); via != "1.0 outer, 1.1 freshet" || got.Get("X-End") == "" {
		t.Errorf("the upstream got Via: %q and %v", via, got)
	}
	for _, gone := range []string{"X-Hop", "Keep-Alive", "Proxy-Authenticate"} {
		if strings.Contains(answer, gone+":") {
			t.Errorf("the client got %s:\n%s", gone, answer)
		}
	}
	for _, wanted := range []string{"Date: ", "Via: 1.0 inner", "Via: 1.1 freshet", "X-End: 1"} {
		if !strings.Contains(answer, wanted) {
			t.Errorf("no %q in\n%s", wanted, answer)
		}
	}
}
