package freshet

import (
	"net/http"
	"strconv"
	"time"
	"unsafe"

	"github.com/freshet-dev/freshet/internal/capture"
	"github.com/freshet-dev/freshet/internal/rfc9111"
)

// serve answers r from e, at now. collapsed says why a request was forwarded that
// now shares the load of another; it is empty for a hit.
func serve(w http.ResponseWriter, r *http.Request, e *Entry, collapsed string, now time.Time) {
	h := w.Header()
	capture.Restore(h, e.Header)
	if collapsed == "" {
		age := max(0, now.Sub(e.Loaded))
		own := []string{strconv.FormatInt(int64(age/time.Second), 10), rfc9111.HitStatus(e.TTL - age)}
		h["Age"] = own[:1:1]
		addStatus(h, own[1:])
	} else {
		status := rfc9111.Status{Forward: collapsed, Collapsed: true}
		addStatus(h, []string{status.String()})
	}
	if e.Status == http.StatusOK && rfc9111.NotModified(r, h.Get("Etag"), h.Get("Last-Modified")) {
		rfc9111.WriteNotModified(w)
		return
	}
	w.WriteHeader(e.Status)
	if r.Method != http.MethodHead && rfc9111.BodyAllowed(e.Status) {
		// Not io.WriteString: net/http would copy a string through its buffer
		// in pieces of 2 KiB. A writer may not change what it is given, so the
		// bytes of the string are safe with it. A client that has gone away is
		// no error of ours.
		_, _ = w.Write(unsafe.Slice(unsafe.StringData(e.Body), len(e.Body)))
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
