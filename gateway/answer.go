package gateway

import (
	"maps"
	"net/http"
	"sync"
)

// answerKey is the key of the [answer] in its request's context.
type answerKey struct{}

// answer is the http.ResponseWriter that the reverse proxy writes to. It keeps two of
// the proxy's habits from the cache: to flush every part of an answer whose length is
// not known beforehand, after which it cannot be held back, and so not be stored; and
// to wipe the whole header, with what others have set in it, after an interim answer.
type answer struct {
	w      http.ResponseWriter
	r      *http.Request
	header http.Header // the proxy's, until it has been sent
	sent   bool
	reads  bool // the answer may be stored
	plain  bool // it is wanted in no coding
	// streams says that somebody waits for each part.
	streams bool
}

// Header implements http.ResponseWriter.
func (a *answer) Header() http.Header {
	if a.sent {
		return a.w.Header() // for trailers
	}
	return a.header
}

// WriteHeader implements http.ResponseWriter.
func (a *answer) WriteHeader(status int) {
	h := a.w.Header()
	if a.sent || status >= 200 || status == http.StatusSwitchingProtocols {
		if !a.sent {
			add(h, a.header)
			a.sent = true
		}
		a.w.WriteHeader(status)
		return
	}
	if !a.r.ProtoAtLeast(1, 1) {
		return // to who speaks HTTP/1.0 it would be the answer (RFC 9110, section 15.2)
	}
	before := h.Clone()
	add(h, a.header)
	a.w.WriteHeader(status)
	clear(h)
	maps.Copy(h, before)
}

// add adds the lines of src to dst.
func add(dst, src http.Header) {
	for name, lines := range src {
		dst[name] = append(dst[name], lines...)
	}
}

// Write implements http.ResponseWriter.
func (a *answer) Write(b []byte) (int, error) {
	if !a.sent {
		a.WriteHeader(http.StatusOK)
	}
	return a.w.Write(b)
}

// FlushError implements what http.ResponseController looks for. It does nothing while
// the answer may still be stored.
func (a *answer) FlushError() error {
	if held, ok := a.w.(interface{ Passing() bool }); ok && a.reads && !a.streams && !held.Passing() {
		return nil
	}
	return http.NewResponseController(a.w).Flush()
}

// Unwrap lets http.ResponseController reach what a does not implement.
func (a *answer) Unwrap() http.ResponseWriter { return a.w }

// buffers are what bodies are copied with.
type buffers struct{ pool sync.Pool }

// copyBuffers are shared by all proxies: 32 KiB for each copy would otherwise be
// garbage.
var copyBuffers = &buffers{sync.Pool{New: func() any { return new([32 << 10]byte) }}}

// Get implements httputil.BufferPool.
func (b *buffers) Get() []byte { return b.pool.Get().(*[32 << 10]byte)[:] }

// Put implements httputil.BufferPool.
func (b *buffers) Put(buffer []byte) { b.pool.Put((*[32 << 10]byte)(buffer)) }
