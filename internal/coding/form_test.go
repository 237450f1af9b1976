package coding

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/freshet-dev/freshet/internal/capture"
)

func TestWorth(t *testing.T) {
	const large = 1 << 10
	json := Field{"Content-Type", "application/json; charset=utf-8"}
	tests := []struct {
		name   string
		header []Field
		size   int
		want   bool
	}{
		{"json", []Field{json}, large, true},
		{"small", []Field{json}, large - 1, false},
		{"no type", nil, large, false},
		{"no type wanted", []Field{{"<Content-Type", ""}}, large, false},
		{"coded already", []Field{{"Content-Encoding", "br"}, json}, large, false},
		{"coded in front and here", []Field{{">Content-Encoding", "br"}, json}, large, false},
		{"coding in front taken out", []Field{{"<Content-Encoding", ""}, json}, large, true},
		{"part", []Field{{"Content-Range", "bytes 0-1/2"}, json}, large, false},
		{"no-transform", []Field{{"Cache-Control", "max-age=60 , No-Transform"}, json}, large, false},
		{"no-transform on a second line", []Field{{"Cache-Control", "max-age=60"}, {"Cache-Control", "no-transform"}, json}, large, false},
		{"no-transform with a value", []Field{{"Cache-Control", "no-transform=1"}, json}, large, false},
		{"another directive", []Field{{"Cache-Control", "no-transformer, x-no-transform"}, json}, large, true},
		{"digest", []Field{{"Content-Digest", "sha-256=:x:"}, json}, large, false},
		{"digest of the representation", []Field{json, {"Repr-Digest", "sha-256=:x:"}}, large, false},
		{"validators", []Field{{"Etag", `"a"`}, json, {"Last-Modified", "x"}}, large, true},
	}
	for _, tt := range tests {
		if got := Worth(tt.header, tt.size); got != tt.want {
			t.Errorf("%s: %v", tt.name, got)
		}
	}
}

func TestCompressible(t *testing.T) {
	for _, media := range []string{"text/html", "TEXT/HTML; charset=utf-8", "application/json", "application/problem+json", "Application/LD+JSON;x=y",
		"image/svg+xml", "application/atom+xml", "application/javascript", "text/javascript", "application/wasm", "application/xml"} {
		if !compressible(media) {
			t.Errorf("%s is not", media)
		}
	}
	for _, media := range []string{"", "image/png", "image/jpeg", "video/mp4", "application/zip", "application/gzip", "application/octet-stream",
		"application/pdf", "font/woff2", "json", "application/vnd.api+cbor", "application/x+zip"} {
		if compressible(media) {
			t.Errorf("%s is", media)
		}
	}
}

func TestPays(t *testing.T) {
	for _, tt := range []struct {
		size, coded int
		want        bool
	}{{1000, 900, true}, {1000, 901, false}, {1000, 2000, false}, {1024, 1, true}} {
		if got := Pays(tt.size, tt.coded); got != tt.want {
			t.Errorf("%d instead of %d: %v", tt.coded, tt.size, got)
		}
	}
}

func TestHeader(t *testing.T) {
	tests := []struct {
		name         string
		header, want []Field
	}{
		{"all", []Field{{"Accept-Ranges", "bytes"}, {"Content-Length", "9000"}, {"Content-Type", "text/plain"}, {"Etag", `"a"`}, {"X-A", "1"}},
			[]Field{{"Content-Type", "text/plain"}, {"Etag", `"a--gzip"`}, {"X-A", "1"}, {"Content-Encoding", "gzip"}, {"Content-Length", "5"}, {">Vary", "Accept-Encoding"}}},
		{"nothing", nil, []Field{{"Content-Encoding", "gzip"}, {"Content-Length", "5"}, {">Vary", "Accept-Encoding"}}},
		{"weak", []Field{{"Etag", `W/"a"`}}, []Field{{"Etag", `W/"a"`}, {"Content-Encoding", "gzip"}, {"Content-Length", "5"}, {">Vary", "Accept-Encoding"}}},
		{"no tag", []Field{{"Etag", `"`}}, []Field{{"Etag", `"`}, {"Content-Encoding", "gzip"}, {"Content-Length", "5"}, {">Vary", "Accept-Encoding"}}},
		{"varies", []Field{{"Vary", "Origin"}, {"X-A", "1"}}, []Field{{"Vary", "Origin"}, {"Vary", "Accept-Encoding"}, {"X-A", "1"}, {"Content-Encoding", "gzip"}, {"Content-Length", "5"}}},
	}
	for _, tt := range tests {
		before := slices.Clone(tt.header)
		got := Header(tt.header, "gzip", 5)
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
		if diff := cmp.Diff(before, tt.header); diff != "" {
			t.Errorf("%s: the answer's own header has changed (-before +after):\n%s", tt.name, diff)
		}
	}
}

// TestVary: whatever middleware in front and the handler have set, a hit has
// Accept-Encoding in Vary, once, beside what it had.
func TestVary(t *testing.T) {
	tests := []struct {
		name   string
		header []Field
		want   []string // where "Cookie" stands in front
	}{
		{"none", nil, []string{"Cookie", "Accept-Encoding"}},
		{"replaced", []Field{{"Vary", "Origin"}}, []string{"Origin", "Accept-Encoding"}},
		{"added", []Field{{">Vary", "Origin"}, {">Vary", "Accept"}, {"X-A", "1"}}, []string{"Cookie", "Origin", "Accept", "Accept-Encoding"}},
		{"there", []Field{{">Vary", "Origin, accept-encoding"}}, []string{"Cookie", "Origin, accept-encoding"}},
		{"there, on the first of two lines", []Field{{"Vary", "Accept-Encoding"}, {"Vary", "Origin"}}, []string{"Accept-Encoding", "Origin"}},
		{"taken out", []Field{{"<Vary", ""}, {"X-A", "1"}}, []string{"Accept-Encoding"}},
		{"a longer name", []Field{{"Vary", "X-Accept-Encoding"}}, []string{"X-Accept-Encoding", "Accept-Encoding"}},
	}
	for _, tt := range tests {
		h := http.Header{"Vary": {"Cookie"}}
		capture.Restore(h, Vary(tt.header))
		if diff := cmp.Diff(tt.want, h["Vary"]); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
}

func TestKnown(t *testing.T) {
	offered := offer("br", "gzip")
	tests := []struct{ method, name, line, want string }{
		{"PUT", "If-Match", `"a"`, `"a"`},
		{"PUT", "If-Match", `"a--gzip"`, `"a"`},
		{"PUT", "If-Match", `"a--gzip", "b", "c--br"`, `"a", "b", "c"`},
		{"PUT", "If-Match", `W/"a"`, `W/"a"`},
		{"PUT", "If-Match", `"a--zstd"`, `"a--zstd"`},
		{"PUT", "If-Match", `"a-gzip"`, `"a-gzip"`},
		{"PUT", "If-Match", `*`, `*`},
		{"PUT", "If-Match", tag(`"a"`, "gzip"), `"a"`},
		{"GET", "If-Match", `"a--gzip"`, `"a"`},
		{"PUT", "If-None-Match", `"a--gzip"`, `"a"`},
		{"GET", "If-None-Match", `"a--gzip"`, `"a--gzip"`},
		{"HEAD", "If-None-Match", `"a--gzip"`, `"a--gzip"`},
		{"PUT", "X-A", `"a--gzip"`, `"a--gzip"`},
	}
	for _, tt := range tests {
		r := httptest.NewRequest(tt.method, "/", nil)
		r.Header.Set(tt.name, tt.line)
		if got := Known(r, offered).Header.Get(tt.name); got != tt.want || r.Header.Get(tt.name) != tt.line {
			t.Errorf("%s with %s: %s: %s, want %s", tt.method, tt.name, tt.line, got, tt.want)
		}
		if Known(r, nil) != r {
			t.Error("a copy though there is no coding")
		}
	}
}

// TestPlace: no two forms have the same identity or variant, and a variant is made of
// lower-case hexadecimal digits.
func TestPlace(t *testing.T) {
	ids, variants := make(map[[32]byte]bool), make(map[string]bool)
	for _, variant := range []string{"", "0123456789abcdef0123456789abcdef", "0123456789abcdef0123456789abcde0"} {
		for _, name := range []string{"gzip", "br", "zstd"} {
			v := Variant(variant, name)
			variants[v] = true
			if strings.Trim(v, "0123456789abcdef") != "" {
				t.Errorf("%q", v)
			}
			for _, id := range [][32]byte{{}, {1}} {
				ids[Identity(id, name)] = true
			}
		}
	}
	if len(variants) != 9 || len(ids) != 6 {
		t.Errorf("%d variants, %d identities", len(variants), len(ids))
	}
}
