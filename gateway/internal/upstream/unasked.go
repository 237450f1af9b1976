package upstream

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptrace"
	"sync"
	"sync/atomic"
)

// ErrUnasked says that a connection held an answer before the request was sent on it.
var ErrUnasked = errors.New("the server has answered what nobody has asked")

// counted is a connection that knows how many bytes have been read from it.
type counted struct {
	net.Conn
	in atomic.Int64
}

// Read implements net.Conn.
func (c *counted) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.in.Add(int64(n))
	return n, err
}

// CloseWrite says that nothing more is sent, as upgraded connections do.
func (c *counted) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}

// dial opens a connection whose bytes are counted.
func dial(d *net.Dialer) func(context.Context, string, string) (net.Conn, error) {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		c, err := d.DialContext(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return &counted{Conn: c}, nil
	}
}

// asked tells an answer to its request from what was there before it. Some servers send
// a body where there is none: to HEAD, with 204 or 304. The transport closes a connection
// on which it finds that, but may have given it to the next request by then, for which
// the body, of somebody else's choice, would be the answer.
type asked struct {
	mu      sync.Mutex // an attempt that the transport has given up may still be read
	conn    *counted   // nil if it is not one of ours
	before  int64      // what had been read of it
	unasked bool
}

// roundTrip is the transport's, with that told.
func (p *Pool) roundTrip(r *http.Request) (*http.Response, error) {
	var a asked
	ctx := httptrace.WithClientTrace(r.Context(), &httptrace.ClientTrace{
		GotConn:              func(info httptrace.GotConnInfo) { a.begin(info.Conn) },
		GotFirstResponseByte: a.answered,
	})
	answer, err := p.transport.RoundTrip(r.WithContext(ctx))
	if err == nil && a.refused() {
		_ = answer.Body.Close()
		return nil, ErrUnasked
	}
	return answer, err
}

// begin notes what has been read of a connection that a request is about to use.
func (a *asked) begin(c net.Conn) {
	if secure, ok := c.(interface{ NetConn() net.Conn }); ok {
		c = secure.NetConn()
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.conn, _ = c.(*counted); a.conn != nil {
		a.before = a.conn.in.Load()
	}
}

// answered looks at where the first byte of an answer has come from.
func (a *asked) answered() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.unasked = a.conn != nil && a.conn.in.Load() == a.before
}

// refused reports whether the answer is not one to the request, and closes its
// connection if so.
func (a *asked) refused() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.unasked {
		_ = a.conn.Close()
	}
	return a.unasked
}
