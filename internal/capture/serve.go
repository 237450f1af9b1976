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
	// Loaded is when the load ended, Age how old the answer was then, and Fresh how
	// old it may get before it is stale (RFC 9111, sections 4.2.1 and 4.2.3).
	Loaded     time.Time
	Fresh, Age time.Duration
}

// age returns how old a is at now (RFC 9111, section 4.2.3). A clock that was set
// back makes no answer younger than it was.
func (a *Answer) age(now time.Time) time.Duration { return a.Age + max(0, now.Sub(a.Loaded)) }

// Serve answers r from a, at now. status is this cache's line in Cache-Status, nil that
// of a hit; the ttl of hits is filled in, negative if a is stale. An answer that holds
// a part (206) must cover r: [rfc9111.Part.Covers].
func (a *Answer) Serve(w http.ResponseWriter, r *http.Request, status *rfc9111.Status, now time.Time) {
	h := w.Header()
	Restore(h, a.Header)
	a.mark(h, status, now)
	if rfc9111.Selective(r) && a.selected(w, r, h) {
		return
	}
	w.WriteHeader(a.Status)
	if r.Method != http.MethodHead && rfc9111.BodyAllowed(a.Status) {
		send(w, a.Body)
	}
}

// mark says in h how old a is, and how it comes that a is served. Whatever the way,
// a was not made for this request, which is what an Age says (RFC 9111, section
// 5.1): one that another cache has set is replaced.
func (a *Answer) mark(h http.Header, status *rfc9111.Status, now time.Time) {
	age := a.age(now)
	own := make([]string, 2)
	own[0] = strconv.FormatInt(int64(age/time.Second), 10)
	if status == nil {
		own[1] = rfc9111.HitStatus(a.Fresh - age)
	} else {
		line := *status
		line.TTL = a.Fresh - age
		own[1] = line.String()
	}
	h["Age"] = own[:1:1]
	addStatus(h, own[1:])
}

// send writes body, or a piece of it. Not io.WriteString: net/http would copy a
// string through its buffer in pieces of 2 KiB. A writer may not change what it is
// given, so the bytes of the string are safe with it. A client that has gone away is
// no error of ours.
func send(w http.ResponseWriter, body string) {
	_, _ = w.Write(unsafe.Slice(unsafe.StringData(body), len(body)))
}

// addStatus appends one line to those that caches in front of the handler or of
// this one have written (RFC 9211, section 2).
func addStatus(h http.Header, line []string) {
	if before := h["Cache-Status"]; before != nil {
		line = append(before, line...)
	}
	h["Cache-Status"] = line
}
