// Package pace bounds how slowly a client may send a request's body or, over HTTP/2,
// take the answer. Over HTTP/1 the connection bounds the answer (package conns).
package pace

import (
	"errors"
	"io"
	"net/http"
	"os"
	"sync"
	"time"
)

// regained is what a byte that has arrived gives back of the time that a client may
// be waited for: 500 bytes a second on average are enough for any line, and too much
// for an attacker who sends one byte each time before the time-out ends.
const regained = 2 * time.Millisecond

// ErrSlow is what a body says whose client has stopped sending, or nearly.
var ErrSlow = errors.New("freshet: the request's body came too slowly")

// Body is a request's body under a time-out. It is made by [NewBody].
type Body struct {
	inner    io.ReadCloser
	deadline func(time.Time) error
	limit    time.Duration

	patience time.Duration // how long the client may be waited for from now on

	mu   sync.Mutex
	over bool
}

// NewBody returns a body whose client may be waited for as long as limit, which each
// byte prolongs by two milliseconds, up to limit again. Only waiting counts: the time
// in which nobody reads is not the client's. deadline sets the connection's read
// deadline, as http.ResponseController.SetReadDeadline does.
func NewBody(inner io.ReadCloser, limit time.Duration, deadline func(time.Time) error) *Body {
	return &Body{inner: inner, deadline: deadline, limit: limit, patience: limit}
}

// Read reads from the client. It returns ErrSlow when the time is up.
func (b *Body) Read(p []byte) (int, error) {
	start := time.Now()
	b.set(start.Add(b.patience))
	n, err := b.inner.Read(p)
	// What waits in the background for the client to go away would take a deadline
	// that is left for its going.
	b.set(time.Time{})
	b.patience = max(0, min(b.limit, b.patience-time.Since(start)+time.Duration(n)*regained))
	if errors.Is(err, os.ErrDeadlineExceeded) {
		err = ErrSlow
	}
	return n, err
}

// set sets the deadline, unless the request is over: the connection may be another
// request's by then.
func (b *Body) set(t time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.over {
		_ = b.deadline(t) // a connection without deadlines has no slow client
	}
}

// Close closes the body.
func (b *Body) Close() error { return b.inner.Close() }

// Release is called when the request's handler has returned: others may hold the
// body longer, such as the connection to an upstream. What net/http then still reads
// of it, to be able to use the connection again, gets one time-out more.
func (b *Body) Release() {
	b.set(time.Now().Add(b.limit))
	b.mu.Lock()
	defer b.mu.Unlock()
	b.over = true
}

// piece is how many bytes of an answer the client of a stream has to take within the
// time-out.
const piece = 16 << 10

// Writer is the ResponseWriter of an HTTP/2 stream whose client has to make room:
// there, what a slow reader fills up is not the connection.
type Writer struct {
	http.ResponseWriter
	limit   time.Duration
	control *http.ResponseController
}

// NewWriter returns a writer on w, which may wait for the client as long as limit
// per piece of 16 KiB.
func NewWriter(w http.ResponseWriter, limit time.Duration) *Writer {
	return &Writer{w, limit, http.NewResponseController(w)}
}

// Unwrap is for http.ResponseController.
func (w *Writer) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// Write sends p in pieces.
func (w *Writer) Write(p []byte) (sent int, err error) {
	for {
		w.set()
		n, err := w.ResponseWriter.Write(p[sent:min(len(p), sent+piece)])
		if sent += n; err != nil || sent == len(p) {
			w.clear()
			return sent, err
		}
	}
}

// WriteString is Write without a copy of all of s.
func (w *Writer) WriteString(s string) (sent int, err error) {
	for {
		w.set()
		n, err := io.WriteString(w.ResponseWriter, s[sent:min(len(s), sent+piece)])
		if sent += n; err != nil || sent == len(s) {
			w.clear()
			return sent, err
		}
	}
}

// FlushError sends what is buffered.
func (w *Writer) FlushError() error {
	w.set()
	defer w.clear()
	return w.control.Flush()
}

// Release is called when the handler has returned: what is buffered is still sent.
func (w *Writer) Release() { w.set() }

func (w *Writer) set() { _ = w.control.SetWriteDeadline(time.Now().Add(w.limit)) }

// clear takes the deadline away: over HTTP/2 it would end the stream even while
// there is nothing to write, as between the events of a stream.
func (w *Writer) clear() { _ = w.control.SetWriteDeadline(time.Time{}) }
