package gateway_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// drained reads the body of each request and answers how long it was.
func drained(w http.ResponseWriter, r *http.Request) {
	n, err := io.Copy(io.Discard, r.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	_, _ = fmt.Fprint(w, n)
}

// TestLimits: what is larger than the limit is refused without asking anybody, what is
// not passes.
func TestLimits(t *testing.T) {
	var seen journal
	up := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen.add("%s", r.URL.Path)
		drained(w, r)
	})
	s := stand(t, up, plain+"limits: {header: 4KiB, header_fields: 20, body: 1KiB}\ntimeouts: {body: 1s}\n")
	chunked := func(n int) string {
		return fmt.Sprintf("Transfer-Encoding: chunked\n\n%x\n%s\n0\n\n", n, strings.Repeat("x", n))
	}
	tests := []struct{ name, request, want string }{
		{"an ordinary request", "GET /ok HTTP/1.1\nHost: h\nConnection: close\n\n", "200"},
		{"a header near the limit", "GET /ok HTTP/1.1\nHost: h\nConnection: close\nX: " + strings.Repeat("x", 3000) + "\n\n", "200"},
		{"a large header", "GET /no HTTP/1.1\nHost: h\nX: " + strings.Repeat("x", 10000) + "\n\n", "431"},
		{"a long request line", "GET /no?" + strings.Repeat("x", 10000) + " HTTP/1.1\nHost: h\n\n", "431"},
		{"many fields", "GET /no HTTP/1.1\nHost: h\n" + strings.Repeat("X: 1\n", 21) + "\n", "431"},
		{"as many fields as there may be", "GET /ok HTTP/1.1\nHost: h\nConnection: close\n" + strings.Repeat("X: 1\n", 17) + "\n", "200"},
		{"a body at the limit", "POST /ok HTTP/1.1\nHost: h\nConnection: close\nContent-Length: 1024\n\n" + strings.Repeat("x", 1024), "200"},
		{"a body that says it is larger", "POST /no HTTP/1.1\nHost: h\nContent-Length: 1025\n\n", "413"},
		{"in chunks, at the limit", "POST /ok HTTP/1.1\nHost: h\nConnection: close\n" + chunked(1024), "200"},
		{"in chunks, larger", "POST /started HTTP/1.1\nHost: h\nConnection: close\n" + chunked(1025), "413"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if answer := s.raw(tt.request); status(answer) != tt.want {
				t.Errorf("%s, want %s", answer, tt.want)
			}
		})
	}
	for _, line := range seen.all() {
		if line == "/no" {
			t.Error("a request that is refused has reached the upstream")
		}
	}
}

// TestTooManyConnections: who comes when all places are taken learns that at once, and
// somebody else can go in when one goes out.
func TestTooManyConnections(t *testing.T) {
	s := stand(t, text("ok"), plain+"limits: {connections: 3}\n")
	var held []net.Conn
	for range 3 {
		conn := s.dial()
		defer conn.Close()
		// An answer shows that it is in.
		if _, err := io.WriteString(conn, "GET /.freshet/live HTTP/1.1\r\nHost: h\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		if res, err := http.ReadResponse(bufio.NewReader(conn), nil); err != nil || res.StatusCode != http.StatusOK {
			t.Fatalf("%v, %v", res, err)
		}
		held = append(held, conn)
	}
	late := s.dial()
	defer late.Close()
	word, err := io.ReadAll(late)
	if status(string(word)) != "503" || !strings.Contains(string(word), "Retry-After") || err != nil {
		t.Fatalf("%q, %v", word, err)
	}
	_ = held[0].Close()
	s.until("there is room again", func() bool {
		res, err := s.client.Get(s.url + "/.freshet/live")
		if err != nil {
			return false
		}
		_ = res.Body.Close()
		return res.StatusCode == http.StatusOK
	})
}

// TestSlowClients: each way to keep a connection busy with next to nothing ends.
func TestSlowClients(t *testing.T) {
	s := stand(t, http.HandlerFunc(drained), plain+"timeouts: {header: 200ms, body: 200ms, idle: 200ms, write: 200ms}\n")
	t.Run("header", func(t *testing.T) {
		conn := s.dial()
		defer conn.Close()
		start := time.Now()
		go drip(conn, "GET / HTTP/1.1\r\nHost: h\r\nX: "+strings.Repeat("x", 10000))
		if answer, _ := io.ReadAll(conn); len(answer) > 0 && status(string(answer)) == "200" {
			t.Errorf("%s", answer)
		}
		ended(t, start)
	})
	t.Run("no request at all", func(t *testing.T) {
		conn := s.dial()
		defer conn.Close()
		start := time.Now()
		if !closed(t, conn) {
			t.Error("it is still open")
		}
		ended(t, start)
	})
	t.Run("nothing after a request", func(t *testing.T) {
		conn := s.dial()
		defer conn.Close()
		start := time.Now()
		_, _ = io.WriteString(conn, "GET /.freshet/live HTTP/1.1\r\nHost: h\r\n\r\n")
		if answer, err := io.ReadAll(conn); err != nil || status(string(answer)) != "200" {
			t.Errorf("%s, %v", answer, err)
		}
		ended(t, start)
	})
	for name, body := range map[string]string{
		"a body that stops":  "Content-Length: 10\r\n\r\n12345",
		"a chunk that stops": "Transfer-Encoding: chunked\r\n\r\n5\r\n123",
	} {
		t.Run(name, func(t *testing.T) {
			conn := s.dial()
			defer conn.Close()
			start := time.Now()
			_, _ = io.WriteString(conn, "POST / HTTP/1.1\r\nHost: h\r\n"+body)
			if answer, err := io.ReadAll(conn); err != nil || status(string(answer)) != "408" {
				t.Errorf("%s, %v", answer, err)
			}
			ended(t, start)
		})
	}
	t.Run("a body by drips", func(t *testing.T) {
		conn := s.dial()
		defer conn.Close()
		start := time.Now()
		go drip(conn, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 10000\r\n\r\n"+strings.Repeat("x", 10000))
		if answer, _ := io.ReadAll(conn); len(answer) > 0 && status(string(answer)) == "200" {
			t.Errorf("%s", answer)
		}
		ended(t, start)
	})
	t.Run("a body that nobody reads", func(t *testing.T) {
		conn := s.dial()
		defer conn.Close()
		start := time.Now()
		_, _ = io.WriteString(conn, "POST /.freshet/live HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\n12345")
		if answer, err := io.ReadAll(conn); err != nil || status(string(answer)) != "405" {
			t.Errorf("%s, %v", answer, err)
		}
		ended(t, start)
	})
}

// drip sends what has to be sent byte by byte, each soon enough for a time-out that
// only looks at the last. It ends when the server has closed the connection.
func drip(conn net.Conn, text string) {
	head, rest, _ := strings.Cut(text, "xx")
	if _, err := io.WriteString(conn, head); err != nil {
		return
	}
	for i := range rest {
		time.Sleep(20 * time.Millisecond)
		if _, err := io.WriteString(conn, rest[i:i+1]); err != nil {
			return
		}
	}
}

// ended fails if it took as long as only an endless wait takes.
func ended(t *testing.T, start time.Time) {
	t.Helper()
	if took := time.Since(start); took > patience/2 {
		t.Errorf("it took %v", took)
	}
}

// TestReaderWhoStops: the upstream and the gateway are rid of a client who takes
// nothing more, and one who goes on taking gets everything.
func TestReaderWhoStops(t *testing.T) {
	left := make(chan struct{}, 1)
	up := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		block := make([]byte, 64<<10)
		for range 1024 {
			if _, err := w.Write(block); err != nil {
				left <- struct{}{}
				panic(http.ErrAbortHandler)
			}
		}
	})
	s := stand(t, up, plain+"timeouts: {write: 200ms}\n")
	for _, version := range []string{"HTTP/1.1", "HTTP/2"} {
		t.Run(version, func(t *testing.T) {
			protocols := new(http.Protocols)
			protocols.SetHTTP1(version == "HTTP/1.1")
			protocols.SetUnencryptedHTTP2(version == "HTTP/2")
			transport := &http.Transport{Protocols: protocols}
			defer transport.CloseIdleConnections()
			client := &http.Client{Transport: transport, Timeout: patience}
			res, err := client.Get(s.url)
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			select {
			case <-left:
			case <-time.After(patience):
				t.Fatal("the answer is still being written")
			}
			if n, err := io.Copy(io.Discard, res.Body); err == nil {
				t.Errorf("%d bytes look like a whole answer", n)
			}
			res, err = client.Get(s.url)
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			if n, err := io.Copy(io.Discard, res.Body); n != 64<<20 || err != nil {
				t.Errorf("%d bytes, %v", n, err)
			}
		})
	}
}

// TestPausesAreNoFault: a server that takes its time, and a connection that is used
// again after it, are not what time-outs are for.
func TestPausesAreNoFault(t *testing.T) {
	const limit = 100 * time.Millisecond
	up := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		time.Sleep(3 * limit)
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("Content-Type", "text/event-stream")
		for range 3 {
			_, _ = io.WriteString(w, "data: x\n\n")
			_ = http.NewResponseController(w).Flush()
			time.Sleep(2 * limit)
		}
	})
	s := stand(t, up, plain+"timeouts: {body: 100ms, write: 100ms}\n")
	for _, version := range []string{"HTTP/1.1", "HTTP/2"} {
		protocols := new(http.Protocols)
		protocols.SetHTTP1(version == "HTTP/1.1")
		protocols.SetUnencryptedHTTP2(version == "HTTP/2")
		transport := &http.Transport{Protocols: protocols}
		defer transport.CloseIdleConnections()
		client := &http.Client{Transport: transport, Timeout: patience}
		for range 2 {
			res, err := client.Post(s.url, "text/plain", strings.NewReader("body"))
			if err != nil {
				t.Fatalf("%s: %v", version, err)
			}
			body, err := io.ReadAll(res.Body)
			_ = res.Body.Close()
			if err != nil || len(body) != 27 {
				t.Errorf("%s: %q, %v", version, body, err)
			}
		}
	}
}
