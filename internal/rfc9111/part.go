package rfc9111

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Part is an answer that holds a representation, as it is stored: all of it (200), or
// one piece (206).
type Part struct {
	Status int
	Header []Field
	Body   string
}

// Span returns which piece of a representation of size bytes p holds. Without ok that
// is not certain, and p must not be stored: it has several pieces, or a Content-Range
// that is missing, wrong or leaves the size open (RFC 9111, section 3.3; RFC 9110,
// section 14.4).
func (p Part) Span() (s Span, size int64, ok bool) {
	n := int64(len(p.Body))
	if p.Status == http.StatusOK {
		return Span{0, n}, n, true
	}
	h := Header(p.Header)
	s, size, ok = ContentRange(only(h, "Content-Range"))
	several := strings.HasPrefix(strings.ToLower(only(h, "Content-Type")), "multipart/byteranges")
	return s, size, ok && p.Status == http.StatusPartialContent && s.Len() == n && !several
}

// Covers reports whether r can be answered from p. A 206 answers requests for one piece
// that lies in it, and for what no byte of the representation is, and no others (RFC
// 9111, section 3.3).
func (p Part) Covers(r *http.Request) bool {
	if p.Status != http.StatusPartialContent {
		return true
	}
	have, size, known := p.Span()
	spans, ok := Ranges(r, Header(p.Header), size)
	return known && ok && (len(spans) == 0 || len(spans) == 1 && have.holds(spans[0]))
}

// Assemble returns what is to be stored once newer, a 206, was received: joined with
// what was stored of the same representation, nil for nothing, where that is allowed
// (RFC 9111, section 3.4; RFC 9110, section 15.3.7.3), and as a 200 if it is all of it.
// The result is as old and as fresh as newer, which shows that stored is still right;
// it may be larger than both. Stored must come from the look-up whose stamp the result
// is filled under: an invalidation since then covers both. Without ok newer is not to
// be stored: its place in the representation is not certain, or a whole answer is
// stored that it says nothing of.
func Assemble(stored *Part, newer Part, received time.Time) (result Part, ok bool) {
	s, size, ok := newer.Span()
	if !ok || newer.Status != http.StatusPartialContent {
		return Part{}, false
	}
	switch {
	case stored == nil:
	case stored.joins(newer):
		have, _, _ := stored.Span()
		newer.Body = overlay(have, stored.Body, s, newer.Body)
		newer.Header = Freshen(stored.Header, newer.Header, received)
		s = s.union(have)
	case stored.Status == http.StatusOK:
		return Part{}, false
	}
	return newer.framed(s, size), true
}

// joins reports whether p and newer are pieces of the same representation, as a strong
// entity tag says, and become one piece.
func (p Part) joins(newer Part) bool {
	s, size, ok := p.Span()
	t, total, _ := newer.Span()
	etag := strong(Header(p.Header))
	return ok && size == total && etag != "" && etag == strong(Header(newer.Header)) && s.near(t, 0) && agree(s, p.Body, t, newer.Body)
}

// agree reports whether two pieces that meet are the same where both have something:
// nobody should trust a tag that two contents have.
func agree(s Span, a string, t Span, b string) bool {
	from, to := max(s.From, t.From), min(s.To, t.To)
	return a[from-s.From:to-s.From] == b[from-t.From:to-t.From]
}

// overlay joins two pieces that meet and agree.
func overlay(s Span, a string, t Span, b string) string {
	if t.From < s.From {
		s, a, t, b = t, b, s, a
	}
	return a + b[min(s.To, t.To)-t.From:]
}

// framed returns p as the piece s of size bytes that its body is.
func (p Part) framed(s Span, size int64) Part {
	p.Status = http.StatusOK
	p.Header = append(withoutMessage(p.Header), Field{"Content-Length", strconv.Itoa(len(p.Body))})
	if s.Len() < size {
		p.Status = http.StatusPartialContent
		p.Header = append(p.Header, Field{"Content-Range", s.In(size)})
	}
	return p
}

// withoutMessage returns fields without those that describe the content of one
// message, and not the representation that it holds a piece of.
func withoutMessage(fields []Field) []Field {
	kept := make([]Field, 0, len(fields)+2)
	for _, f := range fields {
		switch bare(f.Name) {
		case "Content-Range", "Content-Length", "Content-Digest", "Content-Md5":
		default:
			kept = append(kept, f)
		}
	}
	return kept
}
