package conns

import (
	"cmp"
	"context"
	"net"
	"net/http"
	"strconv"
	"sync"
)

// least is the size from which net/http does not keep a body back: it sends its
// buffer, of the header and the beginning of the body, and then the rest.
const least = 2 << 10

type connKey struct{}

// Context is the ConnContext of an http.Server on a [Listener]: by it [Whole] finds
// the connection of a request.
func Context(ctx context.Context, c net.Conn) context.Context {
	if over, ok := c.(interface{ NetConn() net.Conn }); ok {
		c = over.NetConn() // TLS
	}
	return context.WithValue(ctx, connKey{}, c)
}

// Whole returns a ResponseWriter in front of w that answers r in one write to its
// connection where the body, of 2 to 16 KiB, is written at once, as it is on hits: half
// of what such an answer costs is the kernel's work for a write. Nothing is held back
// beyond the call that writes it. Other bodies are none of its business, nor is HTTP/2.
func Whole(w http.ResponseWriter, r *http.Request) http.ResponseWriter {
	if c, ok := r.Context().Value(connKey{}).(*conn); ok && r.ProtoMajor == 1 {
		return &whole{w, c}
	}
	return w
}

type whole struct {
	http.ResponseWriter
	conn *conn
}

// Unwrap is for http.ResponseController.
func (w *whole) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// Write sends p.
func (w *whole) Write(p []byte) (int, error) {
	if len(p) < least || len(p) > piece || !states(w.Header(), len(p)) {
		return w.ResponseWriter.Write(p)
	}
	w.conn.hold()
	n, err := w.ResponseWriter.Write(p)
	if err == nil {
		// Out of the buffers of net/http, which would send it after the handler.
		err = http.NewResponseController(w.ResponseWriter).Flush()
	}
	return n, cmp.Or(err, w.conn.release())
}

// states reports whether a header gives the body's length as n.
func states(h http.Header, n int) bool {
	lines := h["Content-Length"]
	return len(lines) == 1 && lines[0] == strconv.Itoa(n)
}

// held are buffers for what connections hold back.
var held = sync.Pool{New: func() any { return new([]byte) }}

// hold has writes wait for release.
func (c *conn) hold() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.held = held.Get().(*[]byte)
}

// release sends what has been held back. Of a failure net/http, for which all was
// sent, learns from the connection, which must not get another answer.
func (c *conn) release() error {
	c.mu.Lock()
	all := c.held
	c.held = nil
	c.mu.Unlock()
	_, err := c.send(*all)
	if err != nil {
		_ = c.Close()
	}
	*all = (*all)[:0]
	held.Put(all)
	return err
}

// keep adds p to what is held back, and reports whether anything is. The lock is for
// TLS, which says goodbye whoever is writing.
func (c *conn) keep(p []byte) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.held == nil {
		return false
	}
	*c.held = append(*c.held, p...)
	return true
}
