package rfc9111

import (
	"math"
	"net/http"
	"strconv"
	"strings"
)

// Span is a piece of a representation: the bytes from From on, up to but not
// including To. It is never empty.
type Span struct{ From, To int64 }

// In returns the Content-Range of s, a piece of size bytes (RFC 9110, section 14.4).
func (s Span) In(size int64) string {
	return "bytes " + strconv.FormatInt(s.From, 10) + "-" + strconv.FormatInt(s.To-1, 10) + "/" + strconv.FormatInt(size, 10)
}

// Len returns the number of bytes.
func (s Span) Len() int64 { return s.To - s.From }

// holds reports whether all of other lies in s.
func (s Span) holds(other Span) bool { return s.From <= other.From && other.To <= s.To }

// near reports whether no more than gap bytes lie between s and other.
func (s Span) near(other Span, gap int64) bool {
	return s.From-other.To <= gap && other.From-s.To <= gap
}

// union returns the smallest span that holds both.
func (s Span) union(other Span) Span { return Span{min(s.From, other.From), max(s.To, other.To)} }

const (
	// maxRanges is how many ranges one request may ask for. More of them serve to
	// do harm (RFC 9110, section 17.15).
	maxRanges = 16
	// maxGap is the largest gap between two ranges that is sent rather than the
	// frame of another part (RFC 9110, section 15.3.7.2).
	maxGap = 80
)

// Ranges returns which pieces r asks for of the representation of size bytes that the
// answer with the header h stands for, in the order in which r names them, those that
// touch or nearly touch made one. None, with ok, means that there is no such byte
// (416). Without ok r is to be given the whole: it asks for no part, not for bytes,
// in a way that cannot be read, for too many parts, or on a condition that does not
// hold (RFC 9110, sections 13.2.2, 14.1.2 and 14.2: Range may always be ignored).
// Conditions other than If-Range have been judged before.
func Ranges(r *http.Request, h http.Header, size int64) (spans []Span, ok bool) {
	if r.Method != http.MethodGet || size == 0 || !unchanged(r, h) || trim(strings.ToLower(only(h, "Accept-Ranges"))) == "none" {
		// Of nothing there is no piece that Content-Range could name.
		return nil, false
	}
	unit, set, ok := strings.Cut(only(r.Header, "Range"), "=")
	if !ok || !strings.EqualFold(unit, "bytes") {
		return nil, false
	}
	count := 0
	for spec := range strings.SplitSeq(set, ",") {
		if spec = trim(spec); spec == "" {
			continue
		}
		s, ok := parseRange(spec, size)
		if count++; !ok || count > maxRanges {
			return nil, false
		}
		if s.Len() > 0 {
			spans = join(spans, s)
		}
	}
	return spans, count > 0
}

// join adds s to spans, together with all of them that it touches or nearly touches.
// What it grows by is near none of the others: those were not near one another.
func join(spans []Span, s Span) []Span {
	apart := spans[:0]
	for _, other := range spans {
		if s.near(other, maxGap) {
			s = s.union(other)
		} else {
			apart = append(apart, other)
		}
	}
	return append(apart, s)
}

// parseRange reads an int-range or a suffix-range (RFC 9110, section 14.1.1). The
// span is empty for a range that size bytes cannot satisfy.
func parseRange(spec string, size int64) (s Span, ok bool) {
	first, last, ok := strings.Cut(spec, "-")
	if !ok {
		return Span{}, false
	}
	if first == "" {
		n, ok := parseNumber(last)
		return Span{size - min(n, size), size}, ok
	}
	from, ok := parseNumber(first)
	if !ok {
		return Span{}, false
	}
	to := size
	if last != "" {
		end, ok := parseNumber(last)
		if !ok || end < from {
			return Span{}, false
		}
		to = min(size, max(end, end+1)) // end may be the largest number
	}
	return Span{min(from, to), to}, true
}

// parseNumber reads digits; what is too large is the largest number, as it would be
// past the end in any case (RFC 9110, section 14.1.2).
func parseNumber(digits string) (n int64, ok bool) {
	if digits == "" || strings.Trim(digits, "0123456789") != "" {
		return 0, false
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil {
		return math.MaxInt64, true
	}
	return n, true
}

// ContentRange reads the value of a Content-Range field that names a piece of a
// representation whose size is known (RFC 9110, section 14.4).
func ContentRange(value string) (s Span, size int64, ok bool) {
	unit, rest, _ := strings.Cut(trim(value), " ")
	first, rest, _ := strings.Cut(rest, "-")
	last, complete, _ := strings.Cut(rest, "/")
	from, ok1 := parseNumber(first)
	end, ok2 := parseNumber(last)
	size, ok3 := parseNumber(complete)
	if !strings.EqualFold(unit, "bytes") || !ok1 || !ok2 || !ok3 || from > end || end >= size || size == math.MaxInt64 {
		return Span{}, 0, false
	}
	return Span{from, end + 1}, size, true
}
