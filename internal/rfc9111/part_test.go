package rfc9111

import (
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

var received = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

const alphabet = "abcdefghijklmnopqrstuvwxyz"

// letters returns the bytes [from,to) of alphabet as a handler sends them.
func letters(from, to int, fields ...Field) Part {
	return Part{http.StatusPartialContent, append([]Field{
		{"Content-Length", strconv.Itoa(to - from)},
		{"Content-Range", Span{int64(from), int64(to)}.In(int64(len(alphabet)))},
		{"Date", "Fri, 02 Jan 2026 03:04:05 GMT"}, {"Etag", `"a"`},
	}, fields...), alphabet[from:to]}
}

// all returns the whole alphabet.
func all(fields ...Field) Part {
	return Part{http.StatusOK, append([]Field{
		{"Content-Length", "26"}, {"Date", "Fri, 02 Jan 2026 03:04:05 GMT"}, {"Etag", `"a"`},
	}, fields...), alphabet}
}

// with returns p with other values of a field.
func with(p Part, name string, values ...string) Part {
	var fields []Field
	for _, f := range p.Header {
		if f.Name != name {
			fields = append(fields, f)
		}
	}
	for _, value := range values {
		fields = append(fields, Field{name, value})
	}
	p.Header = fields
	return p
}

// RFC 9111, section 3.3, and RFC 9110, section 14.4: what may be stored of a 206.
func TestPartSpan(t *testing.T) {
	if s, size, ok := letters(3, 7).Span(); !ok || s != (Span{3, 7}) || size != 26 {
		t.Errorf("a part: %v of %d, %v", s, size, ok)
	}
	if s, size, ok := all().Span(); !ok || s != (Span{0, 26}) || size != 26 {
		t.Errorf("all: %v of %d, %v", s, size, ok)
	}
	cut := letters(3, 7)
	cut.Body = cut.Body[:3]
	other := letters(3, 7)
	other.Status = http.StatusNonAuthoritativeInfo
	for name, p := range map[string]Part{
		"cut off":          cut,
		"another status":   other,
		"no Content-Range": with(letters(3, 7), "Content-Range"),
		"two":              with(letters(3, 7), "Content-Range", "bytes 3-6/26", "bytes 3-6/26"),
		"size unknown":     with(letters(3, 7), "Content-Range", "bytes 3-6/*"),
		"another unit":     with(letters(3, 7), "Content-Range", "lines 3-6/26"),
		"several parts":    with(letters(3, 7), "Content-Type", "Multipart/Byteranges; boundary=x"),
	} {
		if s, size, ok := p.Span(); ok {
			t.Errorf("%s: %v of %d", name, s, size)
		}
		if p, ok := Assemble(nil, p, received); ok {
			t.Errorf("%s is stored: %v", name, p)
		}
	}
	if _, ok := Assemble(nil, all(), received); ok {
		t.Error("a 200 is taken for a part")
	}
}

// RFC 9111, section 3.3: an incomplete answer is used for what lies within it only.
func TestPartCovers(t *testing.T) {
	head, changed, since := ranged("bytes=3-6"), ranged("bytes=3-6"), ranged("bytes=3-6")
	head.Method = http.MethodHead
	changed.Header.Set("If-Range", `"b"`)
	since.Header.Set("If-Range", `"a"`)
	for name, tt := range map[string]struct {
		r    *http.Request
		want bool
	}{
		"all of it":          {ranged("bytes=3-6"), true},
		"a piece":            {ranged("bytes=4-5"), true},
		"two that are one":   {ranged("bytes=3-4,5-6"), true},
		"no such byte":       {ranged("bytes=26-"), true},
		"unchanged":          {since, true},
		"one byte before":    {ranged("bytes=2-6"), false},
		"one byte after":     {ranged("bytes=3-7"), false},
		"to the end":         {ranged("bytes=3-"), false},
		"suffix":             {ranged("bytes=-1"), false},
		"elsewhere":          {ranged("bytes=20-21"), false},
		"changed":            {changed, false},
		"HEAD":               {head, false},
		"whole":              {&http.Request{Method: http.MethodGet}, false},
		"malformed is whole": {ranged("bytes=6-3"), false},
	} {
		if got := letters(3, 7).Covers(tt.r); got != tt.want {
			t.Errorf("%s: %v", name, got)
		}
		if !all().Covers(tt.r) {
			t.Errorf("%s: not even the whole does", name)
		}
	}
	wide := Part{http.StatusPartialContent, []Field{{"Content-Range", "bytes 0-499/1000"}}, string(make([]byte, 500))}
	if wide.Covers(ranged("bytes=0-0,400-400")) {
		t.Error("a part answers for several")
	}
}

// RFC 9111, section 3.4; RFC 9110, section 15.3.7.3.
func TestAssemble(t *testing.T) {
	weak := func(p Part) Part { return with(p, "Etag", `W/"a"`) }
	untagged := func(p Part) Part { return with(p, "Etag") }
	lie := letters(5, 9)
	lie.Body = "fXhi"
	larger := with(letters(5, 9), "Content-Range", "bytes 5-8/27")
	part := func(status int, of, body string) string { return strconv.Itoa(status) + " " + of + " " + body }
	for name, tt := range map[string]struct {
		stored *Part
		newer  Part
		want   string // "" is that nothing is stored
	}{
		"nothing before":          {nil, letters(3, 7), part(206, "bytes 3-6/26", "defg")},
		"nothing before, no tag":  {nil, untagged(letters(3, 7)), part(206, "bytes 3-6/26", "defg")},
		"a part that is all":      {nil, letters(0, 26), part(200, "", alphabet)},
		"adjacent behind":         {new(letters(3, 7)), letters(7, 9), part(206, "bytes 3-8/26", "defghi")},
		"adjacent in front":       {new(letters(3, 7)), letters(1, 3), part(206, "bytes 1-6/26", "bcdefg")},
		"overlap":                 {new(letters(3, 7)), letters(5, 9), part(206, "bytes 3-8/26", "defghi")},
		"inside":                  {new(letters(3, 7)), letters(4, 6), part(206, "bytes 3-6/26", "defg")},
		"around":                  {new(letters(4, 6)), letters(3, 7), part(206, "bytes 3-6/26", "defg")},
		"the rest":                {new(letters(0, 7)), letters(7, 26), part(200, "", alphabet)},
		"into the whole":          {new(all()), letters(5, 9), part(200, "", alphabet)},
		"apart":                   {new(letters(3, 7)), letters(8, 9), part(206, "bytes 8-8/26", "i")},
		"another tag":             {new(letters(3, 7)), with(letters(7, 9), "Etag", `"b"`), part(206, "bytes 7-8/26", "hi")},
		"weak tags":               {new(weak(letters(3, 7))), weak(letters(7, 9)), part(206, "bytes 7-8/26", "hi")},
		"one weak":                {new(letters(3, 7)), weak(letters(7, 9)), part(206, "bytes 7-8/26", "hi")},
		"no tags":                 {new(untagged(letters(3, 7))), untagged(letters(7, 9)), part(206, "bytes 7-8/26", "hi")},
		"another size":            {new(letters(3, 7)), larger, part(206, "bytes 5-8/27", "fghi")},
		"another content":         {new(letters(3, 7)), lie, part(206, "bytes 5-8/26", "fXhi")},
		"stored is no part":       {&Part{404, nil, "x"}, letters(3, 7), part(206, "bytes 3-6/26", "defg")},
		"the whole, another tag":  {new(all()), with(letters(5, 9), "Etag", `"b"`), ""},
		"the whole, weak":         {new(weak(all())), weak(letters(5, 9)), ""},
		"the whole, other letter": {new(all()), lie, ""},
	} {
		got, ok := Assemble(tt.stored, tt.newer, received)
		h := Header(got.Header)
		if text := part(got.Status, h.Get("Content-Range"), got.Body); ok != (tt.want != "") || ok && text != tt.want {
			t.Errorf("%s: %s %v, want %s", name, text, ok, tt.want)
		}
		if ok && h.Get("Content-Length") != strconv.Itoa(len(got.Body)) {
			t.Errorf("%s: Content-Length %v of %d", name, h["Content-Length"], len(got.Body))
		}
	}
}

// RFC 9111, sections 3.2 and 3.4: the fields of the newer part replace the stored ones,
// but for those that are about its content alone.
func TestAssembleFields(t *testing.T) {
	older := letters(3, 7, Field{"Cache-Control", "max-age=5"}, Field{"Content-Digest", "x"}, Field{"Content-Type", "text/plain"}, Field{"X-Old", "1"})
	newer := letters(7, 9, Field{"Cache-Control", "max-age=9"}, Field{"Content-Digest", "y"}, Field{"Content-Md5", "y"}, Field{"X-New", "1"})
	newer = with(newer, "Date", "Fri, 02 Jan 2026 04:00:00 GMT")
	got, ok := Assemble(&older, newer, received)
	want := http.Header{
		"Cache-Control": {"max-age=9"}, "Content-Length": {"6"}, "Content-Range": {"bytes 3-8/26"}, "Content-Type": {"text/plain"},
		"Date": {"Fri, 02 Jan 2026 04:00:00 GMT"}, "Etag": {`"a"`}, "X-Old": {"1"}, "X-New": {"1"},
	}
	if diff := cmp.Diff(want, Header(got.Header)); !ok || diff != "" {
		t.Errorf("%v (-want +got):\n%s", ok, diff)
	}
}

// Pieces that come in any order are at no time anything but a piece of the whole, and
// once they are the whole, they are a 200.
func TestAssembleAny(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var kept *Part
		for range rapid.IntRange(1, 12).Draw(t, "parts") {
			from := rapid.IntRange(0, 25).Draw(t, "from")
			newer := letters(from, rapid.IntRange(from+1, 26).Draw(t, "to"))
			p, ok := Assemble(kept, newer, received)
			if !ok {
				t.Fatalf("%v is refused", newer)
			}
			s, size, ok := p.Span()
			if !ok || size != 26 || p.Body != alphabet[s.From:s.To] || (p.Status == 200) != (s.Len() == 26) {
				t.Fatalf("%v holds %v of %d, %v", p, s, size, ok)
			}
			if comes, _, _ := newer.Span(); !s.holds(comes) {
				t.Fatalf("%v is not in %v", newer, p)
			}
			kept = &p
		}
	})
}
