package capture

import (
	"crypto/sha256"
	"encoding/base64"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
	"unsafe"

	"github.com/freshet-dev/freshet/internal/rfc9111"
)

// Unfit says what in the way the answer is made forbids to store it for others; it is
// empty when nothing does. What its header says of that is not for here.
func (c *Writer) Unfit() string {
	switch {
	case !c.Whole():
		return "incomplete"
	case c.trailers():
		return "trailer"
	}
	return ""
}

// Own returns the header as far as it speaks of the handler's answer: what middleware
// in front says of compression or of its own cookies, it says on hits too.
func (c *Writer) Own() http.Header {
	h := maps.Clone(c.Sent)
	for _, name := range [...]string{"Set-Cookie", "Vary"} {
		if own := c.own(name); len(own) > 0 {
			h[name] = own
		} else {
			delete(h, name)
		}
	}
	return h
}

// trailers reports whether fields are to follow the body. Those with the prefix
// are set after the header was sent.
func (c *Writer) trailers() bool {
	if c.Sent["Trailer"] != nil {
		return true
	}
	for name := range c.header {
		if strings.HasPrefix(name, http.TrailerPrefix) {
			return true
		}
	}
	return false
}

// own returns the lines of a field that the handler has set, be it to what stood
// there before it began.
func (c *Writer) own(name string) []string {
	lines := c.Sent[name]
	if !slices.ContainsFunc(lines, func(line string) bool { return c.fromOuter(name, line) }) {
		return lines
	}
	var own []string
	for _, line := range lines {
		if !c.fromOuter(name, line) {
			own = append(own, line)
		}
	}
	return own
}

// fromOuter reports whether a line of a field is one that stood there before the
// handler began. The bytes of those are copies made for this writer alone, so
// that it can tell a line left in place from an equal one that the handler has
// set: a Vary of the handler's must count though middleware has set the same.
func (c *Writer) fromOuter(name, line string) bool {
	return slices.ContainsFunc(c.outer[name], func(before string) bool {
		return len(before) == len(line) && unsafe.StringData(before) == unsafe.StringData(line)
	})
}

// Complete adds to the header what net/http would add on its way out, and a
// strong validator where there is none, so that the first answer and those from
// the store are the same.
func (c *Writer) Complete(now time.Time) {
	h := c.Sent
	if _, set := h["Date"]; !set {
		h["Date"] = []string{now.UTC().Format(http.TimeFormat)}
	}
	if !rfc9111.BodyAllowed(c.Status) {
		return
	}
	_, typed := h["Content-Type"]
	if !typed && len(c.Body) > 0 && h.Get("Content-Encoding") == "" {
		h["Content-Type"] = []string{http.DetectContentType(c.Body)}
	}
	// The whole answer is at hand: how it is framed is no longer the handler's
	// business.
	delete(h, "Transfer-Encoding")
	h["Content-Length"] = []string{strconv.Itoa(len(c.Body))}
	if _, set := h["Etag"]; !set && c.Status == http.StatusOK {
		h["Etag"] = []string{tag(c.Body)}
	}
}

// tag returns the validator that Complete gives an answer without one.
func tag(body []byte) string {
	sum := sha256.Sum256(body)
	return `"` + base64.RawURLEncoding.EncodeToString(sum[:16]) + `"`
}

// Validators returns what a stored answer can be revalidated by (RFC 9111, section
// 4.3.1): its own, empty where it has none. Of the one that Complete has added the
// handler knows nothing.
func (a *Answer) Validators() (etag, modified string) {
	if lines := rfc9111.Lines(a.Header, "Etag"); len(lines) == 1 && lines[0] != tag([]byte(a.Body)) {
		etag = lines[0]
	}
	if lines := rfc9111.Lines(a.Header, "Last-Modified"); len(lines) == 1 {
		modified = lines[0]
	}
	return etag, modified
}

// Field is one line of a stored header. The name may begin with a mark, which no
// name of a field can; without one the lines replace what stands there on a hit.
type Field = struct{ Name, Value string }

const (
	// added marks lines that come after those of middleware in front.
	added = '>'
	// removed marks a field of middleware in front that the handler has deleted.
	removed = '<'
)

// Fields returns the header as it is stored: without what belongs to the
// connection or is for the first client only (RFC 9111, section 3.1), and without
// the lines that stood there before the handler began.
// It is sorted by name; lines of one name keep their order. Names that net/http
// would not send are left out.
func (c *Writer) Fields() []Field {
	unstored := rfc9111.Unstored(c.Sent)
	kept := make([]Field, 0, len(c.Sent))
	for name, lines := range c.Sent {
		if unstored(name) || !rfc9111.Token(name) {
			continue
		}
		own, stored := c.own(name), name
		if len(own) < len(lines) || name == "Vary" && c.outer[name] == nil {
			// Vary: what is in front may add to it for some requests only, as
			// it does for those from another origin.
			stored = string(added) + name
		}
		for _, line := range own {
			kept = append(kept, Field{Name: stored, Value: line})
		}
	}
	for name := range c.outer {
		if len(c.Sent[name]) == 0 && !unstored(name) {
			kept = append(kept, Field{Name: string(removed) + name})
		}
	}
	slices.SortStableFunc(kept, func(a, b Field) int { return strings.Compare(a.Name, b.Name) })
	return kept
}

// Restore does to h what the handler did whose Fields these are. All values share
// one array; the slices are capped, so that adding to one does not overwrite the
// next.
func Restore(h http.Header, fields []Field) {
	lines := make([]string, len(fields))
	for i := 0; i < len(fields); {
		name, from := fields[i].Name, i
		for ; i < len(fields) && fields[i].Name == name; i++ {
			lines[i] = fields[i].Value
		}
		if name != "" && (name[0] == added || name[0] == removed) {
			restoreMarked(h, name, lines[from:i])
			continue
		}
		h[name] = lines[from:i:i]
	}
	for _, name := range [...]string{"Content-Type", "Date"} {
		if _, set := h[name]; !set {
			// The handler wanted none; net/http must not make one up now.
			h[name] = nil
		}
	}
}

// restoreMarked is apart from Restore to keep the common hit's loop small.
func restoreMarked(h http.Header, marked string, lines []string) {
	name := marked[1:]
	if marked[0] == removed {
		delete(h, name)
		return
	}
	// A new array: the one in place may be somebody else's.
	h[name] = slices.Concat(h[name], lines)
}

// Recode makes the answer, which is held back whole, another form of itself: with the
// body, and with the fields of the stored header that differ between the forms.
func (c *Writer) Recode(header []Field, body string) {
	h := c.outer.Clone()
	if h == nil {
		h = make(http.Header)
	}
	Restore(h, header)
	for _, name := range [...]string{"Accept-Ranges", "Content-Encoding", "Content-Length", "Etag", "Vary"} {
		delete(c.Sent, name)
		if lines := h[name]; lines != nil {
			c.Sent[name] = lines
		}
	}
	c.Body = []byte(body)
}
