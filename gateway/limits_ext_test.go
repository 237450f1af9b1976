package gateway_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
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
	t.Parallel()
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

// TestSlowClients: each way to keep a connection busy with next to nothing ends, all
// at the same time. Who is meant to be in time has long enough on a busy machine.
func TestSlowClients(t *testing.T) {
	t.Parallel()
	s := stand(t, http.HandlerFunc(drained), plain+"timeouts: {header: 1s, body: 1s, idle: 1s, write: 1s}\n")
	const post = "POST / HTTP/1.1\r\nHost: h\r\n"
	tests := []struct {
		name, sent, dripped string
		want                string // the answer's status, empty for none, or not 200 if it may be either
	}{
		{"no request at all", "", "", ""},
		{"a header by drips", "GET / HTTP/1.1\r\nHost: h\r\nX: ", strings.Repeat("x", 10000), "not 200"},
		{"nothing after a request", "GET /.freshet/live HTTP/1.1\r\nHost: h\r\n\r\n", "", "200"},
		{"a body that stops", post + "Content-Length: 10\r\n\r\n12345", "", "408"},
		{"a chunk that stops", post + "Transfer-Encoding: chunked\r\n\r\n5\r\n123", "", "408"},
		{"a body by drips", post + "Content-Length: 10000\r\n\r\n", strings.Repeat("x", 10000), "not 200"},
		{"a body that nobody reads", "POST /.freshet/live HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\n12345", "", "405"},
	}
	var all sync.WaitGroup
	for _, tt := range tests {
		conn := s.dial()
		_, _ = io.WriteString(conn, tt.sent)
		all.Go(func() { drip(conn, tt.dripped) })
		all.Go(func() {
			defer conn.Close()
			start := time.Now()
			answer, err := io.ReadAll(conn)
			got := status(string(answer))
			// What is still dripping when the server closes may break the connection.
			if tt.want == "not 200" && got == "200" || tt.want != "not 200" && (got != tt.want || err != nil) {
				t.Errorf("%s: %q, %v", tt.name, answer, err)
			}
			if took := time.Since(start); took > patience/2 {
				t.Errorf("%s: it took %v", tt.name, took)
			}
		})
	}
	all.Wait()
}

// drip sends text byte by byte, each soon enough for a time-out that only looks at the
// last. It ends when the server has closed the connection.
func drip(conn net.Conn, text string) {
	for i := range text {
		time.Sleep(20 * time.Millisecond)
		if _, err := io.WriteString(conn, text[i:i+1]); err != nil {
			return
		}
	}
}

// flood is an upstream that answers 64 MiB, and tells left when nobody takes them.
func flood(left chan<- struct{}) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		block := make([]byte, 64<<10)
		for range 1024 {
			if _, err := w.Write(block); err != nil {
				left <- struct{}{}
				panic(http.ErrAbortHandler)
			}
		}
	}
}

// TestReaderWhoStops: the upstream and the gateway are rid of a client who takes
// nothing more, and one who goes on taking gets everything.
func TestReaderWhoStops(t *testing.T) {
	for _, version := range []string{"HTTP/1.1", "HTTP/2"} {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			left := make(chan struct{}, 1)
			s := stand(t, flood(left), plain+"timeouts: {write: 1s}\n")
			client := speaking(t, version)
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
	const longer = 750 * time.Millisecond // than the time-outs
	up := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("Content-Type", "text/event-stream")
		for range 2 {
			time.Sleep(longer)
			_, _ = io.WriteString(w, "data: x\n\n")
			_ = http.NewResponseController(w).Flush()
		}
	})
	for _, version := range []string{"HTTP/1.1", "HTTP/2"} {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			s := stand(t, up, plain+"timeouts: {body: 500ms, write: 500ms}\n")
			client := speaking(t, version)
			for range 2 {
				res, err := client.Post(s.url, "text/plain", strings.NewReader("body"))
				if err != nil {
					t.Fatal(err)
				}
				body, err := io.ReadAll(res.Body)
				_ = res.Body.Close()
				if err != nil || len(body) != 18 {
					t.Errorf("%q, %v", body, err)
				}
			}
		})
	}
}

// speaking returns a client of one version of HTTP, without TLS.
func speaking(t *testing.T, version string) *http.Client {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(version == "HTTP/1.1")
	protocols.SetUnencryptedHTTP2(version == "HTTP/2")
	transport := &http.Transport{Protocols: protocols}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: patience}
}
