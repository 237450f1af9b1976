package rfc9111

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Instants of the same day, the forms of date that are obsolete included.
const (
	date8   = "Tue, 15 Nov 1994 08:12:30 GMT"
	date8s  = "Tue, 15 Nov 1994 08:12:31 GMT"
	date8m  = "Tue, 15 Nov 1994 08:13:29 GMT"
	date8mm = "Tue, 15 Nov 1994 08:13:30 GMT"
	date850 = "Tuesday, 15-Nov-94 08:12:30 GMT"
	dateC   = "Tue Nov 15 08:12:30 1994"
)

// RFC 9110, section 13.1.2, and 8.8.3.2 for the comparison.
func TestIfNoneMatch(t *testing.T) {
	tests := []struct {
		name  string
		lines []string
		etag  string
		want  bool
	}{
		{"same", []string{`"a"`}, `"a"`, true},
		{"other", []string{`"b"`}, `"a"`, false},
		{"ours weak", []string{`"a"`}, `W/"a"`, true},
		{"theirs weak", []string{`W/"a"`}, `"a"`, true},
		{"both weak", []string{`W/"a"`}, `W/"a"`, true},
		{"case of the tag", []string{`"A"`}, `"a"`, false},
		{"case of the mark", []string{`w/"a"`}, `"a"`, false},
		{"empty tag", []string{`""`}, `""`, true},
		{"list", []string{`"x", W/"y" ,"a"`}, `"a"`, true},
		{"first of a list", []string{`"a","x"`}, `"a"`, true},
		{"two lines", []string{`"x"`, `"a"`}, `"a"`, true},
		{"empty elements", []string{`, ,"a",,`}, `"a"`, true},
		{"comma in a tag", []string{`"x,y", "b"`}, `"x,y"`, true},
		{"part of a tag", []string{`"x,y"`}, `"y"`, false},
		{"obs-text", []string{"\"\xe9\""}, "\"\xe9\"", true},
		{"star", []string{" * "}, `"a"`, true},
		{"star for an answer without a tag", []string{"*"}, "", true},
		{"star in a list", []string{`*, "a"`}, `"a"`, false},
		{"empty", []string{""}, `"a"`, false},
		{"no tag of ours", []string{`""`}, "", false},
		{"ours is none", []string{`a`}, "a", false},
		{"ours goes on", []string{`"a"`}, `"a"x`, false},
		{"unclosed", []string{`"a`}, `"a`, false},
		{"unquoted", []string{`a`}, `"a"`, false},
		{"malformed behind it", []string{`"a", b`}, `"a"`, false},
		{"malformed before it", []string{`b, "a"`}, `"a"`, false},
		{"no comma", []string{`"b" "a"`}, `"a"`, false},
		{"space in a tag", []string{`"x y", "a"`}, `"a"`, false},
		{"control byte in a tag", []string{"\"\x7f\", \"a\""}, `"a"`, false},
	}
	for _, tt := range tests {
		h := http.Header{"Last-Modified": {date8}}
		if tt.etag != "" {
			h["Etag"] = []string{tt.etag}
		}
		for method, want := range map[string]bool{"GET": tt.want, "HEAD": tt.want, "QUERY": tt.want, "POST": false} {
			r := &http.Request{Method: method, Header: http.Header{"If-None-Match": tt.lines, "If-Modified-Since": {date8}}}
			if got := NotModified(r, h); got != want {
				t.Errorf("%s: %s %v, want %v", tt.name, method, got, want)
			}
		}
	}
	r := &http.Request{Method: "GET", Header: http.Header{"If-None-Match": {`"a"`}}}
	if NotModified(r, http.Header{"Etag": {`"a"`, `"b"`}}) {
		t.Error("one of two tags counts as the answer's")
	}
}

// RFC 9110, section 13.1.3, and RFC 9111, section 4.3.2, for answers without
// Last-Modified.
func TestIfModifiedSince(t *testing.T) {
	tests := []struct {
		name           string
		since          []string
		modified, made string
		want           bool
	}{
		{"same", []string{date8}, date8, "", true},
		{"later", []string{date8s}, date8, "", true},
		{"changed since", []string{date8}, date8s, "", false},
		{"changed since, made before", []string{date8s}, date8m, date8, false},
		{"obsolete form", []string{date850}, date8, "", true},
		{"C's form", []string{dateC}, date8, "", true},
		{"ours obsolete", []string{date8}, date850, "", true},
		{"no date of ours", []string{date8}, "", "", false},
		{"no date", []string{"x"}, date8, "", false},
		{"another zone", []string{"Tue, 15 Nov 1994 08:12:30 UTC"}, date8, "", false},
		{"another day of the week", []string{"Mon, 15 Nov 1994 08:12:30 GMT"}, date8, "", false},
		{"ours is no date", []string{date8}, "x", date8, false},
		{"two", []string{date8, date8}, date8, "", false},
		{"empty", []string{""}, date8, "", false},
		{"made before", []string{date8s}, "", date8, true},
		{"made in the same second", []string{date8}, "", date8, false},
		{"made since", []string{date8}, "", date8s, false},
		{"made, but no date", []string{date8}, "", "x", false},
	}
	for _, tt := range tests {
		h := http.Header{}
		for name, value := range map[string]string{"Last-Modified": tt.modified, "Date": tt.made} {
			if value != "" {
				h[name] = []string{value}
			}
		}
		for method, want := range map[string]bool{"GET": tt.want, "HEAD": tt.want, "QUERY": false} {
			r := &http.Request{Method: method, Header: http.Header{"If-Modified-Since": tt.since}}
			if got := NotModified(r, h); got != want {
				t.Errorf("%s: %s %v, want %v", tt.name, method, got, want)
			}
		}
	}
}

// RFC 9110, section 13.2.2: the tag goes before the date, whatever it says.
func TestIfNoneMatchBeforeDate(t *testing.T) {
	h := http.Header{"Etag": {`"a"`}, "Last-Modified": {date8}}
	for _, tag := range []string{`"b"`, "", "x"} {
		r := &http.Request{Method: "GET", Header: http.Header{"If-None-Match": {tag}, "If-Modified-Since": {date8}}}
		if NotModified(r, h) {
			t.Errorf("%q: the date decides", tag)
		}
	}
}

// RFC 9110, sections 13.1.5 and 8.8.2.2.
func TestIfRange(t *testing.T) {
	tests := []struct {
		name                 string
		lines                []string
		etag, modified, made string
		want                 bool
	}{
		{"none", nil, "", "", "", true},
		{"same tag", []string{`"a"`}, `"a"`, "", "", true},
		{"other tag", []string{`"b"`}, `"a"`, "", "", false},
		{"no tag of ours", []string{`"a"`}, "", "", "", false},
		{"ours weak", []string{`"a"`}, `W/"a"`, "", "", false},
		{"theirs weak", []string{`W/"a"`}, `"a"`, "", "", false},
		{"both weak", []string{`W/"a"`}, `W/"a"`, "", "", false},
		{"a list", []string{`"a", "b"`}, `"a"`, "", "", false},
		{"two lines", []string{`"a"`, `"a"`}, `"a"`, "", "", false},
		{"star", []string{"*"}, `"a"`, "", "", false},
		{"empty", []string{""}, `"a"`, "", "", false},
		{"empty, nor any date", []string{""}, "", "", date8mm, false},
		{"no tag, no date", []string{`a`}, `a`, "a", "a", false},
		{"date", []string{date8}, "", date8, date8mm, true},
		{"date, changed at most a minute ago", []string{date8}, "", date8, date8m, false},
		{"date, changed later", []string{date8}, "", date8s, date8mm, false},
		{"date, changed before", []string{date8s}, "", date8, date8mm, false},
		{"date, in another form", []string{date850}, "", date8, date8mm, false},
		{"date, ours is none", []string{date8}, "", "", date8mm, false},
		{"date, when made is unknown", []string{date8}, "", date8, "", false},
	}
	for _, tt := range tests {
		h := http.Header{}
		for name, value := range map[string]string{"Etag": tt.etag, "Last-Modified": tt.modified, "Date": tt.made} {
			if value != "" {
				h[name] = []string{value}
			}
		}
		r := &http.Request{Method: "GET", Header: http.Header{"Range": {"bytes=0-0"}}}
		if tt.lines != nil {
			r.Header["If-Range"] = tt.lines
		}
		if _, got := Ranges(r, h, 10); got != tt.want {
			t.Errorf("%s: %v", tt.name, got)
		}
	}
}

func TestWhole(t *testing.T) {
	h := http.Header{"If-None-Match": {`"a"`}, "If-Modified-Since": {"x"}, "Range": {"bytes=0-"}, "If-Range": {`"a"`}, "If-Match": {"*"}, "Accept": {"b"}}
	Whole(h)
	if diff := cmp.Diff(http.Header{"If-Match": {"*"}, "Accept": {"b"}}, h); diff != "" {
		t.Errorf("header (-want +got):\n%s", diff)
	}
}

// RFC 9110, section 15.4.5.
func TestWriteNotModified(t *testing.T) {
	required := http.Header{
		"Content-Location": {"/b"}, "Date": {date8}, "Etag": {`"a"`}, "Vary": {"Accept"},
		"Cache-Control": {"max-age=5"}, "Expires": {date8}, "X-Front": {"1"},
	}
	w := httptest.NewRecorder()
	for name, lines := range required {
		w.Header()[name] = lines
	}
	for _, name := range []string{
		"Content-Type", "Content-Length", "Content-Encoding", "Content-Language", "Content-Range",
		"Content-Digest", "Repr-Digest", "Content-Md5", "Last-Modified",
	} {
		w.Header().Set(name, "1")
	}
	WriteNotModified(w)
	if diff := cmp.Diff(required, w.Header()); diff != "" || w.Code != http.StatusNotModified || w.Body.Len() != 0 {
		t.Errorf("%d, header (-want +got):\n%s", w.Code, diff)
	}
	w = httptest.NewRecorder()
	w.Header().Set("Last-Modified", date8)
	WriteNotModified(w)
	if w.Header().Get("Last-Modified") == "" {
		t.Error("the only validator is gone")
	}
}

// What is not modified here is not modified for net/http either: being stricter costs an
// answer, being laxer would leave a client with what it must not keep.
func FuzzNotModified(f *testing.F) {
	for _, seed := range []string{`"a"`, `W/"a", "b"`, "*", `,"a",`, `"a" "b"`, `"a`, "\"\xff\""} {
		f.Add(seed, seed, date8, date8)
		f.Add("", seed, date8s, date850)
	}
	f.Fuzz(func(t *testing.T, list, etag, since, modified string) {
		// net/http has taken white space off by then. It knows no leap second, and
		// another century of years with two digits.
		if etag, since = trim(etag), trim(since); strings.Contains(since, ":60") || strings.Contains(since, "-") {
			return
		}
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		h := http.Header{"Etag": {etag}}
		r.Header.Set("If-Modified-Since", since)
		if list != "" {
			r.Header.Set("If-None-Match", list)
		}
		at, ok := ParseDate(modified, received)
		if ok {
			h.Set("Last-Modified", modified)
		}
		if !NotModified(r, h) {
			return
		}
		w := httptest.NewRecorder()
		if list != "" {
			w.Header().Set("Etag", etag)
		}
		http.ServeContent(w, r, "a.txt", at, strings.NewReader("x"))
		if w.Code != http.StatusNotModified {
			t.Errorf("%q of %q, %q of %q: net/http says %d", list, etag, since, modified, w.Code)
		}
	})
}
