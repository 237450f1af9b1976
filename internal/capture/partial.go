package capture

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/freshet-dev/freshet/internal/rfc9111"
)

// content is the part of a representation of size bytes that an answer has: body,
// which stands there from byte from on.
type content struct {
	body       string
	from, size int64
}

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
	c := content{a.Body, have.From, size}
	// Judged on the stored header, as Part.Covers does, whatever stands in front.
	switch spans, ok := rfc9111.Ranges(r, rfc9111.Header(a.Header), size); {
	case !ok:
		return false
	case len(spans) == 0:
		c.unsatisfiable(w, h)
	case len(spans) == 1:
		c.piece(w, h, spans[0])
	default:
		return c.pieces(w, h, spans)
	}
	return true
}

// slice returns the bytes of s, which lies in c.
func (c *content) slice(s rfc9111.Span) string { return c.body[s.From-c.from : s.To-c.from] }

// piece sends one part (RFC 9110, section 15.3.7.1).
func (c *content) piece(w http.ResponseWriter, h http.Header, s rfc9111.Span) {
	h["Content-Range"] = []string{s.In(c.size)}
	partial(w, h, s.Len())
	send(w, c.slice(s))
}

// pieces sends several parts (RFC 9110, section 15.3.7.2), unless the whole takes
// fewer bytes.
func (c *content) pieces(w http.ResponseWriter, h http.Header, spans []rfc9111.Span) (done bool) {
	m := rfc9111.NewMultipart(spans, h.Get("Content-Type"), c.size)
	if m.Length >= c.size {
		return false
	}
	h["Content-Type"] = []string{m.Type}
	partial(w, h, m.Length)
	for i, s := range spans {
		send(w, m.Heads[i])
		send(w, c.slice(s))
	}
	send(w, m.Tail)
	return true
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
func (c *content) unsatisfiable(w http.ResponseWriter, h http.Header) {
	for name := range h {
		if representation[name] || strings.HasSuffix(name, "Cache-Control") {
			delete(h, name)
		}
	}
	h["Content-Range"] = []string{"bytes */" + strconv.FormatInt(c.size, 10)}
	h["Content-Length"] = []string{"0"}
	w.WriteHeader(http.StatusRequestedRangeNotSatisfiable)
}
