// Package capture holds a handler's answer back until it is complete.
package capture

import (
	"bufio"
	"maps"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/freshet-dev/freshet/internal/rfc9111"
)

// Writer is the http.ResponseWriter that a wrapped handler writes to. It holds
// the answer back until it is complete, so that it can be stored, or so that a
// write is invalidated before its first byte goes out. An answer that grows past
// the limit, is flushed or hijacked goes straight through from there on.
type Writer struct {
	// Status is the answer's, 0 until the handler has set it.
	Status int
	// Sent is the header as it was when the status was set, with canonical names;
	// nil before. What is added to it reaches the client while nothing has been
	// sent yet.
	Sent http.Header
	// Body is what has been held back.
	Body []byte
	// Judge, if it is set, is called once, when Status and Sent are. It may call
	// Stream or Discard.
	Judge func()

	w      http.ResponseWriter
	before func() // called once, right before anything reaches w
	limit  int64

	outer   http.Header // what stood in w's header when the handler began, see fromOuter
	header  http.Header // what the handler sees
	passing bool        // bytes go straight to w
	dropped bool        // bytes go nowhere
}

// New returns a writer that holds back up to limit bytes of body for w. It calls
// before once, right before anything of the final answer reaches w.
func New(w http.ResponseWriter, limit int64, before func()) *Writer {
	// The header is kept apart from what middleware in front has set for this
	// request alone (a request id, say): that must not be stored.
	outer := canonical(w.Header())
	for _, lines := range outer {
		for i, line := range lines {
			lines[i] = strings.Clone(line)
		}
	}
	return &Writer{w: w, before: before, limit: limit, outer: outer, header: canonical(outer)}
}

// canonical returns a copy of h in which the fields whose names were put in the
// map as they are have their canonical name: under another one nothing here would
// find a set-cookie, and the client would.
func canonical(h http.Header) http.Header {
	if len(h) == 0 {
		return make(http.Header)
	}
	c := h.Clone()
	for _, name := range slices.Sorted(maps.Keys(h)) {
		if proper := http.CanonicalHeaderKey(name); proper != name {
			c[proper] = append(c[proper], c[name]...)
			delete(c, name)
		}
	}
	return c
}

// Header implements http.ResponseWriter.
func (c *Writer) Header() http.Header { return c.header }

// Unwrap lets http.ResponseController reach what c does not implement.
func (c *Writer) Unwrap() http.ResponseWriter { return c.w }

// WriteHeader implements http.ResponseWriter.
func (c *Writer) WriteHeader(status int) {
	switch {
	case c.passing:
		// The handler's second call, as the first one counts: passed on, so
		// that the mistake is logged as ever.
		c.w.WriteHeader(status)
	case c.Sent != nil:
	case status >= 100 && status < 200 && status != http.StatusSwitchingProtocols:
		// An interim answer, which is no part of the final one.
		replace(c.w.Header(), c.header)
		c.w.WriteHeader(status)
		replace(c.w.Header(), c.outer)
	default:
		c.Status, c.Sent = status, canonical(c.header)
		if c.Judge != nil {
			c.Judge()
		}
		if status == http.StatusSwitchingProtocols {
			c.pass()
		}
	}
}

// Write implements http.ResponseWriter.
func (c *Writer) Write(p []byte) (int, error) { return write(c, p) }

// WriteString implements io.StringWriter.
func (c *Writer) WriteString(s string) (int, error) { return write(c, s) }

func write[T string | []byte](c *Writer, p T) (int, error) {
	c.Settle()
	if c.dropped {
		return len(p), nil
	}
	if !c.passing {
		if !rfc9111.BodyAllowed(c.Status) {
			return 0, http.ErrBodyNotAllowed
		}
		size := int64(len(c.Body) + len(p))
		declared, known := c.declared()
		if size <= c.limit && (!known || size <= declared && declared <= c.limit) {
			c.Body = append(c.Body, p...)
			return len(p), nil
		}
		// Too large, or larger than it said: net/http refuses the surplus.
		c.pass()
	}
	return c.w.Write([]byte(p))
}

// FlushError implements what http.ResponseController looks for.
func (c *Writer) FlushError() error {
	c.Settle()
	if c.dropped {
		return nil
	}
	c.pass()
	return http.NewResponseController(c.w).Flush()
}

// Flush implements http.Flusher.
func (c *Writer) Flush() {
	// http.Flusher has no way to tell that the writer behind cannot flush.
	_ = c.FlushError()
}

// Hijack implements http.Hijacker.
func (c *Writer) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	if c.dropped {
		return nil, nil, http.ErrNotSupported
	}
	conn, rw, err := http.NewResponseController(c.w).Hijack()
	if err == nil && !c.passing {
		c.before()
		c.passing = true
	}
	return conn, rw, err
}

// pass sends what is held back, and everything that comes later, straight to w.
func (c *Writer) pass() {
	if c.passing || c.dropped {
		return
	}
	c.before()
	c.passing = true
	replace(c.w.Header(), c.Sent)
	c.w.WriteHeader(c.Status)
	if len(c.Body) > 0 {
		// A client that has gone is noticed by the handler's next write.
		_, _ = c.w.Write(c.Body)
		c.Body = nil
	}
}

// Settle gives an answer that the handler left without a status its 200, as
// net/http does when the handler writes or returns.
func (c *Writer) Settle() {
	if c.Sent == nil && !c.passing {
		c.WriteHeader(http.StatusOK)
	}
}

// Finish sends what is still held back. It is called when the handler has
// returned: all trailers are known then.
func (c *Writer) Finish() {
	c.Settle()
	if c.dropped {
		return
	}
	c.pass()
	// Of what is set once the header has gone, net/http sends the trailers.
	maps.Copy(c.w.Header(), c.header)
}

// FinishFor is Finish for a read: the answer is 304 when r says that the client
// has what is held back, and the part that r asks for.
func (c *Writer) FinishFor(r *http.Request) {
	if !c.Whole() || !c.unmodified(r) && !c.partly(r) {
		c.Finish()
	}
}

// Stream sends the answer to r as it comes: nobody is going to keep it. It is 304
// when r says that the client has it. Judge calls it.
func (c *Writer) Stream(r *http.Request) {
	if !c.unmodified(r) {
		c.pass()
	}
}

// unmodified answers r with 304 if the client has the answer already, and reports
// whether it has.
func (c *Writer) unmodified(r *http.Request) bool {
	if c.Status != http.StatusOK || !rfc9111.NotModified(r, c.Sent) {
		return false
	}
	c.before()
	c.passing, c.dropped = true, true
	replace(c.w.Header(), c.Sent)
	rfc9111.WriteNotModified(c.w)
	return true
}

// Discard drops the answer, of which nothing has been sent, with all that is still
// to come: something else is to be sent.
func (c *Writer) Discard() { c.dropped, c.Body = true, nil }

// declared returns the Content-Length that the handler promised.
func (c *Writer) declared() (int64, bool) {
	text := c.Sent.Get("Content-Length")
	if text == "" {
		return 0, false
	}
	n, err := strconv.ParseInt(text, 10, 64)
	return n, err == nil
}

// Whole reports whether all of the answer is held back here.
func (c *Writer) Whole() bool {
	if c.passing || c.dropped || c.Sent == nil {
		return false
	}
	declared, known := c.declared()
	return !known || declared == int64(len(c.Body))
}

// Dropped reports whether something else is to be sent: see Discard.
func (c *Writer) Dropped() bool { return c.dropped && !c.passing }

// Passing reports whether the answer has begun to go out.
func (c *Writer) Passing() bool { return c.passing }

// replace makes dst hold what src holds, and nothing else.
func replace(dst, src http.Header) {
	clear(dst)
	maps.Copy(dst, src)
}
