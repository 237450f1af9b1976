package capture

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/freshet-dev/freshet/internal/rfc9111"
)

// now is when the answers in these tests are served.
var now = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// stored returns a 200 with this body as a cache keeps it.
func stored(body string, fields ...Field) *Answer {
	return &Answer{
		Status: http.StatusOK,
		Header: append([]Field{
			{"Cache-Control", "max-age=60"}, {"Content-Length", strconv.Itoa(len(body))}, {"Content-Type", "text/plain"},
			{"Date", "Fri, 02 Jan 2026 03:04:00 GMT"}, {"Etag", `"a"`}, {"Last-Modified", "Fri, 02 Jan 2026 03:00:00 GMT"},
		}, fields...),
		Body: body, Loaded: now, Fresh: time.Minute,
	}
}

// serve returns what a answers to a request with these fields.
func serve(a *Answer, method string, header http.Header) *httptest.ResponseRecorder {
	w, r := httptest.NewRecorder(), httptest.NewRequest(method, "/", nil)
	if header != nil {
		r.Header = header
	}
	a.Serve(w, r, nil, now)
	return w
}

// RFC 9111, sections 4.2.3 and 5.1; RFC 9211, section 2.
func TestServeAge(t *testing.T) {
	tests := []struct {
		name        string
		fresh, age  time.Duration
		loaded      time.Time
		status      *rfc9111.Status
		wantAge     string
		wantInCache string
	}{
		{"just loaded", time.Minute, 0, now, nil, "0", "freshet; hit; ttl=60"},
		{"some time ago", time.Minute, 0, now.Add(-20 * time.Second), nil, "20", "freshet; hit; ttl=40"},
		{"old when loaded", time.Minute, 30 * time.Second, now.Add(-20 * time.Second), nil, "50", "freshet; hit; ttl=10"},
		{"stale", time.Minute, 0, now.Add(-70 * time.Second), nil, "70", "freshet; hit; ttl=-10"},
		{"clock set back", time.Minute, 5 * time.Second, now.Add(time.Hour), nil, "5", "freshet; hit; ttl=55"},
		{"stale, and why", time.Minute, 0, now.Add(-70 * time.Second), &rfc9111.Status{Hit: true, Detail: []string{"refreshing"}}, "70",
			`freshet; hit; ttl=-10; detail="refreshing"`},
		{"collapsed", time.Minute, 0, now, &rfc9111.Status{Forward: "uri-miss", Collapsed: true}, "0", "freshet; fwd=uri-miss; collapsed"},
	}
	for _, tt := range tests {
		a := stored("x", Field{"Age", "999"})
		a.Fresh, a.Age, a.Loaded = tt.fresh, tt.age, tt.loaded
		w := httptest.NewRecorder()
		w.Header().Set("Cache-Status", "front; fwd=miss")
		a.Serve(w, httptest.NewRequest("GET", "/", nil), tt.status, now)
		want := []string{tt.wantAge, "front; fwd=miss", tt.wantInCache}
		if diff := cmp.Diff(want, append(w.Header()["Age"], w.Header()["Cache-Status"]...)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
}

// RFC 9110, section 13.2.1: conditions are about answers that would be 200 or 206.
func TestServeConditional(t *testing.T) {
	same := http.Header{"If-None-Match": {`W/"a"`}}
	for _, tt := range []struct {
		name   string
		status int
		method string
		header http.Header
		want   int
		body   string
	}{
		{"GET", 200, "GET", same, 304, ""},
		{"HEAD", 200, "HEAD", same, 304, ""},
		{"date", 200, "GET", http.Header{"If-Modified-Since": {"Fri, 02 Jan 2026 03:00:00 GMT"}}, 304, ""},
		{"another", 200, "GET", http.Header{"If-None-Match": {`"b"`}}, 200, "01234"},
		{"HEAD, another", 200, "HEAD", http.Header{"If-None-Match": {`"b"`}}, 200, ""},
		{"404", 404, "GET", same, 404, "01234"},
		{"404, anything", 404, "GET", http.Header{"If-None-Match": {"*"}}, 404, "01234"},
		{"203", 203, "GET", same, 203, "01234"},
		{"301", 301, "GET", same, 301, "01234"},
		{"404, a range", 404, "GET", http.Header{"Range": {"bytes=0-0"}}, 404, "01234"},
		{"before Range", 200, "GET", http.Header{"If-None-Match": {`"a"`}, "Range": {"bytes=0-0"}}, 304, ""},
		{"before a Range of nothing", 200, "GET", http.Header{"If-None-Match": {`"a"`}, "Range": {"bytes=9-"}}, 304, ""},
		{"another, and Range", 200, "GET", http.Header{"If-None-Match": {`"b"`}, "Range": {"bytes=0-0"}}, 206, "0"},
		{"another, and If-Range", 200, "GET", http.Header{"If-None-Match": {`"b"`}, "Range": {"bytes=0-0"}, "If-Range": {`"b"`}}, 200, "01234"},
	} {
		a := stored("01234")
		a.Status = tt.status
		w := serve(a, tt.method, tt.header)
		if w.Code != tt.want || w.Body.String() != tt.body {
			t.Errorf("%s: %d %q, want %d %q", tt.name, w.Code, w.Body, tt.want, tt.body)
		}
		if w.Header().Get("Age") == "" || w.Header().Get("Cache-Status") == "" {
			t.Errorf("%s: no Age or Cache-Status: %v", tt.name, w.Header())
		}
	}
}

// RFC 9110, section 15.3.7.1: a 206 has all that the 200 would have.
func TestServePart(t *testing.T) {
	a := stored("0123456789", Field{"Content-Digest", "sha-256=:a:"}, Field{"Content-Md5", "b"}, Field{"Repr-Digest", "sha-256=:a:"}, Field{"Vary", "Accept"})
	w := serve(a, "GET", http.Header{"Range": {"bytes=2-4"}, "If-Range": {`"a"`}})
	want := http.Header{
		"Age": {"0"}, "Cache-Status": {"freshet; hit; ttl=60"}, "Cache-Control": {"max-age=60"}, "Content-Length": {"3"},
		"Content-Range": {"bytes 2-4/10"}, "Content-Type": {"text/plain"}, "Date": {"Fri, 02 Jan 2026 03:04:00 GMT"},
		"Etag": {`"a"`}, "Last-Modified": {"Fri, 02 Jan 2026 03:00:00 GMT"}, "Repr-Digest": {"sha-256=:a:"}, "Vary": {"Accept"},
	}
	if diff := cmp.Diff(want, w.Header()); diff != "" || w.Code != 206 || w.Body.String() != "234" {
		t.Errorf("%d %q, header (-want +got):\n%s", w.Code, w.Body, diff)
	}
	for name, header := range map[string]http.Header{
		"changed":   {"Range": {"bytes=2-4"}, "If-Range": {`"b"`}},
		"malformed": {"Range": {"bytes=4-2"}},
	} {
		if w := serve(a, "GET", header); w.Code != 200 || w.Body.String() != a.Body || w.Header().Get("Content-Range") != "" {
			t.Errorf("%s: %d %q %v", name, w.Code, w.Body, w.Header())
		}
	}
	if w := serve(a, "HEAD", http.Header{"Range": {"bytes=2-4"}}); w.Code != 200 || w.Header().Get("Content-Length") != "10" || w.Body.Len() != 0 {
		t.Errorf("HEAD: %d %v", w.Code, w.Header())
	}
	if w := serve(stored(""), "GET", http.Header{"Range": {"bytes=0-"}}); w.Code != 200 {
		t.Errorf("of nothing: %d", w.Code)
	}
}

// RFC 9110, section 15.5.17.
func TestServeUnsatisfiable(t *testing.T) {
	a := stored("01234", Field{"Access-Control-Allow-Origin", "*"}, Field{"Cdn-Cache-Control", "max-age=60"}, Field{"Content-Encoding", "x"},
		Field{"Content-Security-Policy", "none"}, Field{"Expires", "x"}, Field{"Vary", "Origin"})
	w := serve(a, "GET", http.Header{"Range": {"bytes=5-"}})
	want := http.Header{
		"Access-Control-Allow-Origin": {"*"}, "Age": {"0"}, "Cache-Status": {"freshet; hit; ttl=60"}, "Content-Length": {"0"},
		"Content-Range": {"bytes */5"}, "Content-Security-Policy": {"none"}, "Date": {"Fri, 02 Jan 2026 03:04:00 GMT"}, "Vary": {"Origin"},
	}
	if diff := cmp.Diff(want, w.Header()); diff != "" || w.Code != 416 || w.Body.Len() != 0 {
		t.Errorf("%d %q, header (-want +got):\n%s", w.Code, w.Body, diff)
	}
}

// A part that is stored answers requests for what lies in it.
func TestServeFromPart(t *testing.T) {
	a := stored("3456", Field{"Content-Range", "bytes 3-6/10"})
	a.Status = http.StatusPartialContent
	for _, tt := range []struct {
		header http.Header
		status int
		of     string
		body   string
	}{
		{http.Header{"Range": {"bytes=3-6"}}, 206, "bytes 3-6/10", "3456"},
		{http.Header{"Range": {"bytes=4-5"}}, 206, "bytes 4-5/10", "45"},
		{http.Header{"Range": {"bytes=20-"}}, 416, "bytes */10", ""},
		{http.Header{"Range": {"bytes=4-5"}, "If-None-Match": {`"a"`}}, 304, "", ""},
	} {
		w := serve(a, "GET", tt.header)
		if w.Code != tt.status || w.Header().Get("Content-Range") != tt.of || w.Body.String() != tt.body {
			t.Errorf("%v: %d %v %q", tt.header, w.Code, w.Header(), w.Body)
		}
	}
}

// RFC 9110, section 14.6: whatever is asked for, what comes is made of pieces of the
// representation, in no more bytes than that has.
func TestServeAnyRanges(t *testing.T) {
	spec := rapid.OneOf(
		rapid.Map(rapid.IntRange(950, 3000), func(n int) string { return fmt.Sprintf("%d-", n) }),
		rapid.Map(rapid.IntRange(0, 60), func(n int) string { return fmt.Sprintf("-%d", n) }),
		rapid.Custom(func(t *rapid.T) string {
			from := rapid.IntRange(0, 3000).Draw(t, "from")
			return fmt.Sprintf("%d-%d", from, from+rapid.IntRange(0, 50).Draw(t, "more"))
		}),
	)
	rapid.Check(t, func(t *rapid.T) {
		body := ""
		for i := range rapid.OneOf(rapid.IntRange(1, 10), rapid.IntRange(1000, 2500)).Draw(t, "size") {
			body += string(rune('a' + i*i%23))
		}
		specs := rapid.SliceOfN(spec, 1, 8).Draw(t, "ranges")
		a := stored(body)
		w := serve(a, "GET", http.Header{"Range": {"bytes=" + strings.Join(specs, ",")}})
		if length := w.Header().Get("Content-Length"); length != strconv.Itoa(w.Body.Len()) || w.Body.Len() > len(body) {
			t.Fatalf("Content-Length %s, %d bytes of %d", length, w.Body.Len(), len(body))
		}
		got := make([]bool, len(body)) // which bytes have come
		switch w.Code {
		case 200:
			check(t, body, "bytes 0-"+strconv.Itoa(len(body)-1)+"/"+strconv.Itoa(len(body)), w.Body.String(), got)
		case 416:
		case 206:
			each(t, w, func(of, piece string) { check(t, body, of, piece, got) })
		default:
			t.Fatalf("status %d", w.Code)
		}
		for i := range body {
			if asked(specs, i, len(body)) && !got[i] {
				t.Fatalf("byte %d of %d is missing: %v", i, len(body), specs)
			}
		}
	})
}

// each calls f with the parts of a 206.
func each(t *rapid.T, w *httptest.ResponseRecorder, f func(of, piece string)) {
	kind, params, err := mime.ParseMediaType(w.Header().Get("Content-Type"))
	if err != nil {
		t.Fatal(err)
	}
	if kind != "multipart/byteranges" {
		f(w.Header().Get("Content-Range"), w.Body.String())
		return
	}
	if w.Header().Get("Content-Range") != "" {
		t.Fatal("Content-Range of an answer in parts")
	}
	parts, count := multipart.NewReader(w.Body, params["boundary"]), 0
	for ; ; count++ {
		part, err := parts.NextRawPart()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		piece, err := io.ReadAll(part)
		if err != nil || part.Header.Get("Content-Type") != "text/plain" {
			t.Fatal(part.Header, err)
		}
		f(part.Header.Get("Content-Range"), string(piece))
	}
	if count < 2 {
		t.Fatalf("%d parts in a multipart answer", count)
	}
}

// check compares a piece with the bytes that it is said to be.
func check(t *rapid.T, body, of, piece string, got []bool) {
	s, size, ok := rfc9111.ContentRange(of)
	if !ok || size != int64(len(body)) || body[s.From:s.To] != piece {
		t.Fatalf("%q is not %s of %q", piece, of, body)
	}
	for i := s.From; i < s.To; i++ {
		if got[i] {
			t.Fatalf("byte %d comes twice", i)
		}
		got[i] = true
	}
}

// asked reports whether byte i of size is in one of specs, written anew and simply.
func asked(specs []string, i, size int) bool {
	for _, spec := range specs {
		first, last, _ := strings.Cut(spec, "-")
		from, _ := strconv.Atoi(first)
		to, _ := strconv.Atoi(last)
		switch {
		case first == "" && i >= size-to, first != "" && last == "" && i >= from, first != "" && last != "" && from <= i && i <= to:
			return true
		}
	}
	return false
}

// RFC 9110, section 14.2: Range may be ignored, and is where parts would cost more.
func TestServePartsNotLarger(t *testing.T) {
	var specs []string
	for from := 0; from < 1000; from += 100 {
		specs = append(specs, fmt.Sprintf("%d-%d", from, from+4))
	}
	header := http.Header{"Range": {"bytes=" + strings.Join(specs, ",")}}
	for size, want := range map[int]int{1000: 200, 5000: 206} {
		if w := serve(stored(strings.Repeat("x", size)), "GET", header); w.Code != want || w.Body.Len() > size {
			t.Errorf("of %d bytes: %d, %d bytes", size, w.Code, w.Body.Len())
		}
	}
}

// What ends a line in a stored Content-Type cannot begin another in a part.
func TestServePartsHeadIsOneLine(t *testing.T) {
	a := stored(strings.Repeat("x", 2000))
	a.Header[2].Value = "text/plain\r\nX-Evil: 1\r\n\r\n<script>"
	w := serve(a, "GET", http.Header{"Range": {"bytes=0-0,1000-1000"}})
	if w.Code != 206 || bytes.Contains(w.Body.Bytes(), []byte("\nX-Evil")) || bytes.Contains(w.Body.Bytes(), []byte("\n<script>")) {
		t.Errorf("%d %q", w.Code, w.Body)
	}
}

// The same through net/http's server and client.
func TestServeOverHTTP(t *testing.T) {
	a := stored(strings.Repeat("0123456789", 300))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { a.Serve(w, r, nil, now) }))
	defer server.Close()
	for value, want := range map[string]string{
		"bytes=10-14":       "206 5 bytes 10-14/3000",
		"bytes=0-0,2000-":   "206 1221 ",
		"bytes=5000-":       "416 0 bytes */3000",
		"lines=0-1":         "200 3000 ",
		"bytes=0-99,50-149": "206 150 bytes 0-149/3000",
	} {
		r, err := http.NewRequest(http.MethodGet, server.URL, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Range", value)
		answer, err := server.Client().Do(r)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(answer.Body)
		_ = answer.Body.Close()
		if got := fmt.Sprintf("%d %d %s", answer.StatusCode, len(body), answer.Header.Get("Content-Range")); err != nil || got != want {
			t.Errorf("%s: %s, want %s; %v", value, got, want, err)
		}
	}
}
