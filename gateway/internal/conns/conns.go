// Package conns bounds what the clients of a listener can hold: how many
// connections are open, and how long one may take to accept what is sent to it. It
// knows every open connection, those included that an upgrade has taken out of the
// hands of net/http.
package conns

import (
	"context"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// piece is how many bytes a client has to take within the write time-out. The
// time-out is per piece and not per answer, so that a download that moves, however
// large it is, is not cut off; 16 KiB are also what a TLS record holds.
const piece = 16 << 10

// Listener is a net.Listener with limits, which may change while it is in use. It is
// made by [Listen].
type Listener struct {
	net.Listener
	refuse func(net.Conn)
	most   atomic.Int64
	write  atomic.Int64 // a time.Duration

	mu     sync.Mutex
	open   map[*conn]struct{}
	change chan struct{} // closed and made anew when a connection closes; nil while nobody waits
}

// Listen listens on a TCP address. Connections beyond the limit are given to refuse,
// which may write a word but must not block, and are closed: a client that is
// refused can go elsewhere at once, one that waits in the queue of a full server
// learns nothing.
func Listen(ctx context.Context, addr string, refuse func(net.Conn)) (*Listener, error) {
	config := net.ListenConfig{Control: control}
	config.SetMultipathTCP(false) // its sockets do not hand down what control sets
	l, err := config.Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	return &Listener{Listener: l, refuse: refuse, open: make(map[*conn]struct{})}, nil
}

// Limit sets how many connections may be open, and how long each may take to accept
// a piece of 16 KiB. 0 is no limit. It counts from the next connection, and the next
// write of those that are open.
func (l *Listener) Limit(most int, write time.Duration) {
	l.most.Store(int64(most))
	l.write.Store(int64(write))
}

// Accept returns the next connection within the limit.
func (l *Listener) Accept() (net.Conn, error) {
	for {
		inner, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if c := l.add(inner); c != nil {
			return c, nil
		}
		l.refuse(inner)
		_ = inner.Close()
	}
}

func (l *Listener) add(inner net.Conn) *conn {
	c := &conn{Conn: inner, listener: l}
	l.mu.Lock()
	defer l.mu.Unlock()
	if most := l.most.Load(); most > 0 && int64(len(l.open)) >= most {
		return nil
	}
	l.open[c] = struct{}{}
	return c
}

func (l *Listener) remove(c *conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.open, c)
	if l.change != nil {
		close(l.change)
		l.change = nil
	}
}

// Open returns how many connections are open.
func (l *Listener) Open() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.open)
}

// Wait returns when no connection is open any more, or with ctx's error when that
// ends before.
func (l *Listener) Wait(ctx context.Context) error {
	for {
		change := l.changed()
		if change == nil {
			return nil
		}
		select {
		case <-change:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// changed returns what is closed when a connection closes, nil if none is open.
func (l *Listener) changed() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.open) == 0 {
		return nil
	}
	if l.change == nil {
		l.change = make(chan struct{})
	}
	return l.change
}

// CloseAll closes every open connection.
func (l *Listener) CloseAll() {
	l.mu.Lock()
	all := make([]*conn, 0, len(l.open))
	for c := range l.open {
		all = append(all, c)
	}
	l.mu.Unlock()
	for _, c := range all {
		_ = c.Close()
	}
}

// conn is a connection that knows its listener.
type conn struct {
	net.Conn
	listener *Listener
	once     sync.Once

	mu   sync.Mutex
	held *[]byte // what waits to be sent in one write, nil if nothing does
}

// Close closes the connection and makes its place free.
func (c *conn) Close() error {
	c.once.Do(func() { c.listener.remove(c) })
	return c.Conn.Close()
}

// CloseWrite tells the client that nothing more comes, while it may still send:
// net/http does so before it closes a connection whose request it has not read to
// the end, lest the answer be lost with what is unread.
func (c *conn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}

// Write sends p, unless it is held back, in pieces, each within the time-out. Each write sets its own
// deadline: one that is left from the answer before would end the next.
func (c *conn) Write(p []byte) (sent int, err error) {
	if c.keep(p) {
		return len(p), nil
	}
	return c.send(p)
}

func (c *conn) send(p []byte) (sent int, err error) {
	limit := time.Duration(c.listener.write.Load())
	if limit <= 0 {
		return c.Conn.Write(p)
	}
	for {
		if err := c.SetWriteDeadline(time.Now().Add(limit)); err != nil {
			return sent, err
		}
		n, err := c.Conn.Write(p[sent:min(len(p), sent+piece)])
		if sent += n; err != nil || sent == len(p) {
			return sent, err
		}
	}
}
