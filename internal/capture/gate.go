package capture

import (
	"bufio"
	"maps"
	"net"
	"net/http"
	"sync"
	"time"
)

// Gate stands between a handler that runs in a goroutine of its own and the
// ResponseWriter of a request that may not wait for it. Until the first byte of the
// final answer has passed, the request can take the writer back and answer
// otherwise; what the handler writes afterwards goes nowhere, without an error, so
// that it comes to its end and its answer can still be kept.
//
//  1. the handler is at work, the request waits
//  2. the request's time is over: Detach
//  3. the request answers, and returns: its writer must not be touched any more
//  4. the handler answers
type Gate struct {
	w http.ResponseWriter

	mu     sync.Mutex
	state  gateState
	header http.Header // the handler's, until something passes
}

type gateState uint8

const (
	waiting  gateState = iota // nothing has passed
	opened                    // the handler has w
	detached                  // the request has it
)

// NewGate returns a gate in front of w.
func NewGate(w http.ResponseWriter) *Gate {
	return &Gate{w: w, header: copied(w.Header())}
}

// Nowhere returns a gate of which nothing passes: what a handler writes to that
// nobody waits for. header is what middleware in front has set.
func Nowhere(header http.Header) *Gate {
	return &Gate{state: detached, header: copied(header)}
}

func copied(h http.Header) http.Header {
	if h == nil {
		return make(http.Header)
	}
	return h.Clone()
}

// Detach takes the writer back, and reports whether it could: whether nothing of
// the final answer has passed. If so, nothing will.
func (g *Gate) Detach() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.state == waiting {
		g.state = detached
	}
	return g.state == detached
}

// open lets the handler through, and reports whether it has w.
func (g *Gate) open() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.state == waiting {
		g.state = opened
		replace(g.w.Header(), g.header)
	}
	return g.state == opened
}

// Header implements http.ResponseWriter. It is called by the handler's goroutine
// alone, as all methods but Detach are.
func (g *Gate) Header() http.Header {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.state == opened {
		return g.w.Header() // for the trailers
	}
	return g.header
}

// WriteHeader implements http.ResponseWriter.
func (g *Gate) WriteHeader(status int) {
	if status >= 100 && status < 200 && status != http.StatusSwitchingProtocols {
		g.inform(status)
		return
	}
	if g.open() {
		g.w.WriteHeader(status)
	}
}

// inform sends an interim answer, after which the final one can still be another.
func (g *Gate) inform(status int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch g.state {
	case waiting:
		had := maps.Clone(g.w.Header())
		replace(g.w.Header(), g.header)
		g.w.WriteHeader(status)
		replace(g.w.Header(), had)
	case opened:
		g.w.WriteHeader(status)
	}
}

// Write implements http.ResponseWriter.
func (g *Gate) Write(p []byte) (int, error) {
	if !g.open() {
		return len(p), nil
	}
	return g.w.Write(p)
}

// FlushError implements what http.ResponseController looks for, as the methods
// below do. There is no Unwrap: it would hand out the writer past the gate.
func (g *Gate) FlushError() error {
	if !g.open() {
		return nil
	}
	return http.NewResponseController(g.w).Flush()
}

// Hijack implements http.Hijacker.
func (g *Gate) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	if !g.open() {
		return nil, nil, http.ErrNotSupported
	}
	return http.NewResponseController(g.w).Hijack()
}

// SetReadDeadline sets that of the connection, which is not the handler's any more
// once the gate is detached.
func (g *Gate) SetReadDeadline(at time.Time) error {
	return g.control(func(c *http.ResponseController) error { return c.SetReadDeadline(at) })
}

// SetWriteDeadline is like SetReadDeadline.
func (g *Gate) SetWriteDeadline(at time.Time) error {
	return g.control(func(c *http.ResponseController) error { return c.SetWriteDeadline(at) })
}

// EnableFullDuplex is like SetReadDeadline.
func (g *Gate) EnableFullDuplex() error {
	return g.control((*http.ResponseController).EnableFullDuplex)
}

func (g *Gate) control(do func(*http.ResponseController) error) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.state == detached {
		return http.ErrNotSupported
	}
	return do(http.NewResponseController(g.w))
}
