package capture

import (
	"net/http"
	"strconv"
	"time"
	"unsafe"

	"github.com/freshet-dev/freshet/internal/rfc9111"
)

// Answer is an answer that was held back and kept.
type Answer struct {
	Status int
	Header []Field
	Body   string
	Loaded time.Time
	TTL    time.Duration
}

// Serve answers r from a, at now. shared says why a request was forwarded that now
// shares the load of another; it is nil for a hit.
func (a *Answer) Serve(w http.ResponseWriter, r *http.Request, shared *rfc9111.Status, now time.Time) {
	h := w.Header()
	Restore(h, a.Header)
	if shared == nil {
		age := max(0, now.Sub(a.Loaded))
		own := []string{strconv.FormatInt(int64(age/time.Second), 10), rfc9111.HitStatus(a.TTL - age)}
		h["Age"] = own[:1:1]
		addStatus(h, own[1:])
	} else {
		addStatus(h, []string{shared.String()})
	}
	if a.Status == http.StatusOK && rfc9111.NotModified(r, h.Get("Etag"), h.Get("Last-Modified")) {
		rfc9111.WriteNotModified(w)
		return
	}
	w.WriteHeader(a.Status)
	if r.Method != http.MethodHead && rfc9111.BodyAllowed(a.Status) {
		// Not io.WriteString: net/http would copy a string through its buffer
		// in pieces of 2 KiB. A writer may not change what it is given, so the
		// bytes of the string are safe with it. A client that has gone away is
		// no error of ours.
		_, _ = w.Write(unsafe.Slice(unsafe.StringData(a.Body), len(a.Body)))
	}
}

// addStatus appends one line to those that caches in front of the handler or of
// this one have written (RFC 9211, section 2).
func addStatus(h http.Header, line []string) {
	if before := h["Cache-Status"]; before != nil {
		line = append(before, line...)
	}
	h["Cache-Status"] = line
}
