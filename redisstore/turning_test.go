package redisstore_test

import (
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/freshet-dev/freshet"
	"github.com/freshet-dev/freshet/internal/redistest"
	"github.com/freshet-dev/freshet/redisstore"
)

// turning is a proxy that goes from one server to another behind a connection
// that stays open.
type turning struct {
	listener net.Listener
	mu       sync.Mutex
	to       string
	turns    []func()
}

func newTurning(t *testing.T, to string) *turning {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &turning{listener: l, to: to}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go p.serve(conn)
		}
	}()
	return p
}

func (p *turning) port() int { return p.listener.Addr().(*net.TCPAddr).Port }

// dial connects to the server of the moment, in the protocol that the client has
// agreed on with the one before.
func (p *turning) dial(again bool) (net.Conn, error) {
	server, err := net.Dial("tcp", p.to)
	if err == nil && again {
		fmt.Fprint(server, "HELLO 3\r\n")
		for text := ""; !strings.HasSuffix(text, "modules\r\n*0\r\n"); {
			b := make([]byte, 1)
			if _, err := server.Read(b); err != nil {
				return nil, err
			}
			text += string(b)
		}
	}
	return server, err
}

func (p *turning) serve(client net.Conn) {
	defer client.Close()
	var mu sync.Mutex
	server, err := p.dial(false)
	if err != nil {
		return
	}
	turned := make(chan net.Conn, 1)
	defer close(turned)
	p.mu.Lock()
	p.turns = append(p.turns, func() {
		mu.Lock()
		defer mu.Unlock()
		old := server
		if server, err = p.dial(true); err != nil {
			return
		}
		turned <- server
		old.Close()
	})
	p.mu.Unlock()
	go func() {
		for from := server; from != nil; from = <-turned {
			_, _ = io.Copy(client, from)
		}
	}()
	b := make([]byte, 1<<16)
	for {
		n, err := client.Read(b)
		mu.Lock()
		if err != nil {
			server.Close()
			mu.Unlock()
			return
		}
		_, _ = server.Write(b[:n])
		mu.Unlock()
	}
}

// turn goes on with another server, on all connections.
func (p *turning) turn(to string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.to = to
	for _, turn := range p.turns {
		turn()
	}
}

// TestProxyTurns: the address leads to another server, and no connection breaks.
func TestProxyTurns(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	second := redistest.Start(t, "--replicaof", strings.Replace(server.Addr, ":", " ", 1))
	p := newTurning(t, server.Addr)
	s := openWith(t, func(o *redisstore.Options) {
		// What is under way when it turns is answered by nobody.
		o.Port, o.LookupTimeout = p.port(), time.Second
	})
	fillOld(t, s)
	await(t, "the replication", func() bool { return do(t, second, "EXISTS", "k", "tagged") == int64(2) })
	do(t, second, "REPLICAOF", "NO", "ONE")
	invalidate(t, s, freshet.Key("k"), freshet.Tag("tag"))
	before := connections(t, server)
	p.turn(second.Addr)
	await(t, "the watch", func() bool {
		found, err := s.Lookup(t.Context(), key("k"))
		return err == nil && found.Entry == nil
	})
	if n := len(strings.Split(strings.TrimSpace(do(t, second, "CLIENT", "LIST").(string)), "\n")) - 1; n != before {
		t.Errorf("%d connections have turned to the second server, want %d", n, before)
	}
}
