package capture

import (
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/freshet-dev/freshet/internal/rfc9111"
)

// Unfit says what in the answer forbids to store it for others; it is empty when
// nothing does. vary are the request headers whose values the cache tells apart.
func (c *Writer) Unfit(vary []string) string {
	switch {
	case !c.Whole():
		return "incomplete"
	case c.own("Set-Cookie") != nil:
		return "set-cookie"
	case c.trailers():
		return "trailer"
	case rfc9111.Forbids(c.Sent["Cache-Control"]):
		return "cache-control"
	case !rfc9111.VaryCovered(c.own("Vary"), vary):
		// What middleware in front adds, compression say, it adds to hits too.
		return "vary"
	}
	return ""
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

// own returns the lines of a field, unless all of them stood there before the
// handler began.
func (c *Writer) own(name string) []string {
	if lines := c.Sent[name]; !slices.Equal(lines, c.outer[name]) {
		return lines
	}
	return nil
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
		sum := sha256.Sum256(c.Body)
		h["Etag"] = []string{`"` + base64.RawURLEncoding.EncodeToString(sum[:16]) + `"`}
	}
}

// Field is one line of a header.
type Field = struct{ Name, Value string }

// Fields returns the header as it is stored: without what belongs to the
// connection, and without what stood there before the handler began. Lines are
// sorted by name; those of one name keep their order.
func (c *Writer) Fields() []Field {
	hopByHop := rfc9111.HopByHop(c.Sent)
	kept := make([]Field, 0, len(c.Sent))
	for name := range c.Sent {
		if hopByHop(name) || name == "Set-Cookie" {
			continue
		}
		for _, line := range c.own(name) {
			kept = append(kept, Field{Name: name, Value: line})
		}
	}
	slices.SortStableFunc(kept, func(a, b Field) int { return strings.Compare(a.Name, b.Name) })
	return kept
}
