package capture

import (
	"net/http"
	"strconv"
	"strings"
	"unsafe"

	"github.com/freshet-dev/freshet/internal/rfc9111"
)

// selected answers r, which has conditions or asks for a part, where that makes the
// answer another than a itself; h is w's header, in which a's is restored. Conditions
// and ranges are about what a 200 would show (RFC 9110, sections 13.2.1 and 14.2): to
// other answers they do not apply.
func (a *Answer) selected(w http.ResponseWriter, r *http.Request, h http.Header) (done bool) {
	have, size, ok := rfc9111.Part{Status: a.Status, Header: a.Header, Body: a.Body}.Span()
	switch {
	case !ok:
		return false
	case rfc9111.NotModified(r, h):
		rfc9111.WriteNotModified(w)
		return true
	case r.Header["Range"] == nil:
		return false
	}
	// Judged on the stored header, as Part.Covers does, whatever stands in front.
	p, ok := choose(r, rfc9111.Header(a.Header), size)
	if ok {
		p.send(w, h, a.Body, have.From)
	}
	return ok
}

// partly answers r with the part that it asks for of the whole answer that is held
// back, and reports whether it has.
func (c *Writer) partly(r *http.Request) bool {
	if c.Status != http.StatusOK || r.Header["Range"] == nil || c.Sent["Content-Type"] == nil {
		// Without a type net/http would make one up of the part.
		return false
	}
	p, ok := choose(r, c.Sent, int64(len(c.Body)))
	if ok {
		c.before()
		c.passing = true
		replace(c.w.Header(), c.Sent)
		p.send(c.w, c.w.Header(), unsafe.String(unsafe.SliceData(c.Body), len(c.Body)), 0)
	}
	return ok
}

// choice is what a request gets of a representation of size bytes: one span, several,
// or none, because those that it asks for do not exist.
type choice struct {
	size  int64
	spans []rfc9111.Span
	parts *rfc9111.Multipart // of several
}

// choose returns what r gets of an answer with the header h that is not the whole. It
// is the whole (not ok) if that takes fewer bytes than the parts.
func choose(r *http.Request, h http.Header, size int64) (p choice, ok bool) {
	p.size = size
	if p.spans, ok = rfc9111.Ranges(r, h, size); len(p.spans) > 1 {
		p.parts = rfc9111.NewMultipart(p.spans, h.Get("Content-Type"), size)
		ok = p.parts.Length < size
	}
	return p, ok
}

// send sends p with the header h, which is that of the answer and w's. Of the
// representation, body is what there is from byte from on.
func (p *choice) send(w http.ResponseWriter, h http.Header, body string, from int64) {
	piece := func(s rfc9111.Span) { send(w, body[s.From-from:s.To-from]) }
	switch len(p.spans) {
	case 0:
		unsatisfiable(w, h, p.size)
	case 1: // RFC 9110, section 15.3.7.1
		h["Content-Range"] = []string{p.spans[0].In(p.size)}
		partial(w, h, p.spans[0].Len())
		piece(p.spans[0])
	default: // section 15.3.7.2
		h["Content-Type"] = []string{p.parts.Type}
		partial(w, h, p.parts.Length)
		for i, s := range p.spans {
			send(w, p.parts.Heads[i])
			piece(s)
		}
		send(w, p.parts.Tail)
	}
}

// partial sends the header of a 206 with length bytes. What it says of the bytes of
// the whole answer on their way is not true of these.
func partial(w http.ResponseWriter, h http.Header, length int64) {
	delete(h, "Content-Digest")
	delete(h, "Content-Md5")
	h["Content-Length"] = []string{strconv.FormatInt(length, 10)}
	w.WriteHeader(http.StatusPartialContent)
}

// representation are the fields that describe a representation, and how long it may
// be kept.
var representation = map[string]bool{
	"Content-Type": true, "Content-Encoding": true, "Content-Language": true, "Content-Location": true,
	"Content-Disposition": true, "Content-Digest": true, "Repr-Digest": true, "Digest": true, "Content-Md5": true,
	"Etag": true, "Last-Modified": true, "Expires": true, "Pragma": true,
}

// unsatisfiable sends a 416 (RFC 9110, section 15.5.17). It stands for no
// representation, so that no field remains that describes one, and none that lets
// other caches keep it; what browsers need to show it to scripts does.
func unsatisfiable(w http.ResponseWriter, h http.Header, size int64) {
	for name := range h {
		if representation[name] || strings.HasSuffix(name, "Cache-Control") {
			delete(h, name)
		}
	}
	h["Content-Range"] = []string{"bytes */" + strconv.FormatInt(size, 10)}
	h["Content-Length"] = []string{"0"}
	w.WriteHeader(http.StatusRequestedRangeNotSatisfiable)
}
