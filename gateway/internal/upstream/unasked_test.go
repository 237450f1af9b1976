package upstream

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// overflowing answers HEAD, on the connections that it is given, with a body that looks
// like an answer of its own.
func overflowing(t *testing.T, l net.Listener, release <-chan struct{}, arrived chan<- struct{}) {
	var work sync.WaitGroup
	t.Cleanup(work.Wait)
	t.Cleanup(func() { _ = l.Close() })
	work.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			work.Go(func() {
				defer conn.Close()
				in := bufio.NewReader(conn)
				for {
					r, err := http.ReadRequest(in)
					if err != nil {
						return
					}
					if r.Method == http.MethodHead {
						arrived <- struct{}{}
						<-release
						_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 42\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil")
					} else {
						_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ngood")
					}
				}
			})
		}
	})
}

// TestUnasked: a body behind the answer to HEAD is nobody's answer, not even that of a
// request that waits for a connection and gets this one at once.
func TestUnasked(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	release, arrived := make(chan struct{}), make(chan struct{})
	overflowing(t, l, release, arrived)
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	const patience = 20 * time.Second
	for range 1000 {
		p := New(Settings{
			Servers: []*url.URL{{Scheme: "http", Host: l.Addr().String()}}, Connect: patience, Answer: patience, Stall: patience,
			MaxIdle: 4, Protocols: protocols, Fails: 1, Rest: time.Hour,
		})
		connect := p.transport.DialContext
		var dialled atomic.Int32
		waits, free := make(chan struct{}), make(chan struct{})
		p.transport.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
			if dialled.Add(1) == 2 {
				close(waits)
				<-free // until then only the first connection is there
			}
			return connect(ctx, network, address)
		}
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		var work sync.WaitGroup
		work.Go(func() {
			defer close(free)
			_, _ = take(ctx, p, http.MethodHead)
		})
		<-arrived
		work.Go(func() {
			if body, err := take(ctx, p, http.MethodGet); err == nil && body != "good" {
				t.Errorf("GET gets %q", body)
			}
		})
		<-waits
		release <- struct{}{}
		work.Wait()
		cancel()
		p.Close()
	}
}

// take sends a request and returns the answer's body.
func take(ctx context.Context, p *Pool, method string) (string, error) {
	r, err := http.NewRequestWithContext(ctx, method, "/", nil)
	if err != nil {
		return "", err
	}
	res, err := p.RoundTrip(r)
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	return string(text), err
}
