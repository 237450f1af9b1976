package rfc9111

import (
	"crypto/rand"
	"strings"
)

// Multipart is what the content of an answer in several parts has around the pieces
// of the representation (RFC 9110, section 14.6).
type Multipart struct {
	// Type is the answer's Content-Type. The boundary in it is random: nobody can
	// have put it into the representation.
	Type string
	// Heads are what stands before each piece, Tail is what stands after the last.
	Heads []string
	Tail  string
	// Length is that of the whole content, pieces included.
	Length int64
}

// breaks replaces what would end a line, as net/http does in the header.
var breaks = strings.NewReplacer("\r", " ", "\n", " ")

// NewMultipart frames spans of a representation of size bytes; contentType is its
// own, empty if it has none.
func NewMultipart(spans []Span, contentType string, size int64) *Multipart {
	boundary := rand.Text()
	m := &Multipart{Type: "multipart/byteranges; boundary=" + boundary, Tail: "\r\n--" + boundary + "--\r\n"}
	m.Length = int64(len(m.Tail))
	about := ""
	if contentType != "" {
		about = "Content-Type: " + breaks.Replace(contentType) + "\r\n"
	}
	start := "--"
	for _, s := range spans {
		head := start + boundary + "\r\n" + about + "Content-Range: " + s.In(size) + "\r\n\r\n"
		start = "\r\n--"
		m.Heads = append(m.Heads, head)
		m.Length += int64(len(head)) + s.Len()
	}
	return m
}
