package rfc9111

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// ranged returns a GET with this Range.
func ranged(lines ...string) *http.Request {
	return &http.Request{Method: http.MethodGet, Header: http.Header{"Range": lines}}
}

// RFC 9110, sections 14.1.1, 14.1.2 and 14.2, of 1000 bytes. Nil is that Range is
// ignored, no span is a 416.
func TestRanges(t *testing.T) {
	none := []Span{}
	tests := []struct {
		name  string
		value string
		want  []Span
	}{
		{"first bytes", "bytes=0-499", []Span{{0, 500}}},
		{"one byte", "bytes=0-0", []Span{{0, 1}}},
		{"to the end", "bytes=990-", []Span{{990, 1000}}},
		{"past the end", "bytes=990-2000", []Span{{990, 1000}}},
		{"suffix", "bytes=-10", []Span{{990, 1000}}},
		{"suffix longer than all", "bytes=-2000", []Span{{0, 1000}}},
		{"everything", "bytes=0-", []Span{{0, 1000}}},
		{"case of the unit", "BYTES=0-0", []Span{{0, 1}}},
		{"leading zeros", "bytes=0000-009", []Span{{0, 10}}},
		{"spaces and empty elements", "bytes=, 0-0 ,\t, -1,", []Span{{0, 1}, {999, 1000}}},
		{"a last byte past all numbers", "bytes=5-9223372036854775807", []Span{{5, 1000}}},
		{"a last byte further past", "bytes=5-92233720368547758070", []Span{{5, 1000}}},
		{"a suffix past all numbers", "bytes=-92233720368547758070", []Span{{0, 1000}}},

		{"starts at the end", "bytes=1000-", none},
		{"starts past the end", "bytes=1001-1002", none},
		{"starts past all numbers", "bytes=92233720368547758070-", none},
		{"suffix of nothing", "bytes=-0", none},
		{"none of two", "bytes=1000-,-0", none},
		{"one of two", "bytes=1000-,0-0", []Span{{0, 1}}},

		{"the order asked for", "bytes=900-909,0-9,500-509", []Span{{900, 910}, {0, 10}, {500, 510}}},
		{"overlap", "bytes=0-99,50-149", []Span{{0, 150}}},
		{"one in the other", "bytes=0-99,50-59", []Span{{0, 100}}},
		{"adjacent", "bytes=0-9,10-19", []Span{{0, 20}}},
		{"a gap smaller than a frame", "bytes=0-9,90-99", []Span{{0, 100}}},
		{"a gap larger than a frame", "bytes=0-9,91-99", []Span{{0, 10}, {91, 100}}},
		{"one that joins two", "bytes=0-9,500-509,10-499", []Span{{0, 510}}},
		{"sixteen", "bytes=" + strings.Repeat("0-0,", 16), []Span{{0, 1}}},

		{"seventeen", "bytes=" + strings.Repeat("0-0,", 17), nil},
		{"another unit", "lines=0-1", nil},
		{"no unit", "0-1", nil},
		{"space in front of =", "bytes =0-1", nil},
		{"nothing", "bytes=", nil},
		{"nothing but commas", "bytes=,,", nil},
		{"backwards", "bytes=9-0", nil},
		{"one backwards", "bytes=0-1,9-0", nil},
		{"only a hyphen", "bytes=-", nil},
		{"no hyphen", "bytes=5", nil},
		{"two hyphens", "bytes=--5", nil},
		{"sign", "bytes=+1-5", nil},
		{"no number", "bytes=a-b", nil},
		{"half a number", "bytes=1-5x", nil},
		{"space in a range", "bytes=1 - 5", nil},
		{"other digits", "bytes=١-٢", nil},
	}
	for _, tt := range tests {
		got, ok := Ranges(ranged(tt.value), nil, 1000)
		if ok != (tt.want != nil) || ok && !cmp.Equal(append(none, got...), tt.want) {
			t.Errorf("%s: %v %v, want %v", tt.name, got, ok, tt.want)
		}
	}
}

// RFC 9110, section 14.2: what makes a request one for the whole.
func TestRangeIgnored(t *testing.T) {
	head := ranged("bytes=0-1")
	head.Method = http.MethodHead
	tests := []struct {
		name string
		r    *http.Request
		h    http.Header
		size int64
	}{
		{"HEAD", head, nil, 10},
		{"no Range", &http.Request{Method: http.MethodGet}, nil, 10},
		{"two lines", ranged("bytes=0-1", "bytes=2-3"), nil, 10},
		{"nothing there", ranged("bytes=0-1"), nil, 0},
		{"suffix of nothing there", ranged("bytes=-1"), nil, 0},
		{"the handler does not do parts", ranged("bytes=0-1"), http.Header{"Accept-Ranges": {"None"}}, 10},
	}
	for _, tt := range tests {
		if got, ok := Ranges(tt.r, tt.h, tt.size); ok {
			t.Errorf("%s: %v", tt.name, got)
		}
	}
	if _, ok := Ranges(ranged("bytes=0-1"), http.Header{"Accept-Ranges": {"bytes"}}, 10); !ok {
		t.Error("ignored though the handler does parts")
	}
}

// net/http answers single ranges in the same way.
func TestRangesLikeServeContent(t *testing.T) {
	digits := rapid.StringMatching(`|[0-9]|0[0-9]|1[0-9]|99999999999999`)
	rapid.Check(t, func(t *rapid.T) {
		size := rapid.Int64Range(1, 15).Draw(t, "size")
		value := "bytes=" + digits.Draw(t, "first") + "-" + digits.Draw(t, "last")
		w := httptest.NewRecorder()
		r := httptest.NewRequest("GET", "/", nil)
		r.Header.Set("Range", value)
		http.ServeContent(w, r, "a.txt", time.Time{}, strings.NewReader(strings.Repeat("x", int(size))))
		spans, ok := Ranges(r, nil, size)
		switch {
		case !ok: // net/http refuses it
			if w.Code != 416 {
				t.Errorf("%s of %d: ignored, net/http says %d", value, size, w.Code)
			}
		case len(spans) == 0:
			// It makes an exception for the suffix of no byte.
			if w.Code != 416 && value != "bytes=-0" && value != "bytes=-00" {
				t.Errorf("%s of %d: 416, net/http says %d", value, size, w.Code)
			}
		default:
			want, _, _ := ContentRange(w.Header().Get("Content-Range"))
			if w.Code != 206 || spans[0] != want {
				t.Errorf("%s of %d: %v, net/http says %d %v", value, size, spans, w.Code, want)
			}
		}
	})
}

// RFC 9110, section 14.4.
func TestContentRange(t *testing.T) {
	s, size, ok := ContentRange(" Bytes 42-1233/1234 ")
	if !ok || s != (Span{42, 1234}) || size != 1234 || s.In(size) != "bytes 42-1233/1234" || s.Len() != 1192 {
		t.Errorf("%v %d %v", s, size, ok)
	}
	for _, value := range []string{
		"", "bytes", "bytes 0-1", "bytes 0-1/*", "bytes */5", "bytes 0-5/5", "bytes 2-1/5", "bytes -1/5", "bytes 0-/5", "lines 0-1/5",
		"bytes=0-1/5", "bytes 0-1/5/6", "bytes 0-1/5, bytes 2-3/5", "bytes 0-1/99999999999999999999",
		"bytes 0-9223372036854775806/9223372036854775807", "bytes +0-1/5", "bytes  0-1/5",
	} {
		if s, size, ok := ContentRange(value); ok {
			t.Errorf("%q: %v of %d", value, s, size)
		}
	}
}

func FuzzRanges(f *testing.F) {
	for _, seed := range []string{"bytes=0-1", "bytes=-5,9-", "bytes=0-0,500-500,100-400", "bytes=9223372036854775807-", "lines=1"} {
		f.Add(seed, int64(1000))
	}
	f.Fuzz(func(t *testing.T, value string, size int64) {
		spans, ok := Ranges(ranged(value), nil, max(0, size))
		if len(spans) > 0 && !ok || len(spans) > maxRanges {
			t.Fatalf("%d spans, %v", len(spans), ok)
		}
		for i, s := range spans {
			if s.From < 0 || s.Len() <= 0 || s.To > size {
				t.Fatalf("%v of %d", s, size)
			}
			for _, other := range spans[:i] {
				if s.near(other, maxGap) {
					t.Fatalf("%v and %v are two", s, other)
				}
			}
		}
	})
}
