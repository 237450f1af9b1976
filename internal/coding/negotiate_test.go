package coding

import (
	"net/http"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// offer is what most tests offer, in the order of preference.
func offer(names ...string) (offered []Coding) {
	for _, name := range names {
		offered = append(offered, Coding{Name: name, Encode: func(dst, src []byte) ([]byte, error) { return append(dst, src...), nil }})
	}
	return offered
}

func negotiated(lines []string, offered []Coding) string {
	if c := Negotiate(lines, offered); c != nil {
		return c.Name
	}
	return ""
}

// TestNegotiate has the rules of RFC 9110, section 12.5.3, and what is read the safe
// way.
func TestNegotiate(t *testing.T) {
	tests := []struct {
		name  string
		lines []string
		want  string
	}{
		{"no field", nil, ""},
		{"empty field", []string{""}, ""},
		{"one", []string{"gzip"}, "gzip"},
		{"a browser's", []string{"gzip, deflate, br, zstd"}, "br"},
		{"none of ours", []string{"deflate, compress"}, ""},
		{"case", []string{"GZip"}, "gzip"},
		{"x-gzip", []string{"x-gzip"}, "gzip"},
		{"two lines", []string{"deflate", "gzip"}, "gzip"},
		{"empty members", []string{",, gzip ,\t,"}, "gzip"},

		{"preferred", []string{"br;q=0.5, gzip;q=0.8"}, "gzip"},
		{"three decimals", []string{"br;q=0.998, gzip;q=0.999"}, "gzip"},
		{"white space", []string{"br ; \tq=0.5 , gzip;q=0.8"}, "gzip"},
		{"upper-case weight", []string{"br;Q=0.5, gzip;Q=1.000"}, "gzip"},
		{"equal: ours first", []string{"zstd;q=0.5, gzip;q=0.5, br;q=0.5"}, "br"},
		{"refused", []string{"br;q=0, gzip"}, "gzip"},
		{"all refused", []string{"br;q=0, gzip;q=0.0, zstd;q=0.000"}, ""},
		{"named twice", []string{"br, gzip", "br;q=0"}, "gzip"},
		{"x-gzip and gzip", []string{"x-gzip;q=0, gzip"}, ""},

		{"anything", []string{"*"}, "br"},
		{"anything else", []string{"*, br;q=0"}, "zstd"},
		{"anything else, less", []string{"gzip, *;q=0.1"}, "gzip"},
		{"nothing else", []string{"gzip, *;q=0"}, "gzip"},
		{"nothing", []string{"*;q=0"}, ""},

		{"identity", []string{"identity"}, ""},
		{"identity preferred", []string{"identity, gzip;q=0.5"}, ""},
		{"identity as good", []string{"identity;q=0.5, gzip;q=0.5"}, "gzip"},
		{"identity less", []string{"gzip;q=0.5, identity;q=0.2"}, "gzip"},
		{"identity above the others", []string{"identity;q=0.5, *;q=0.3, gzip;q=0.4"}, ""},
		{"identity refused", []string{"identity;q=0, gzip;q=0.1"}, "gzip"},
		{"identity refused, none of ours", []string{"identity;q=0, deflate"}, ""},

		{"weight above 1", []string{"gzip;q=1.001"}, ""},
		{"weight of 2", []string{"gzip;q=2"}, ""},
		{"four decimals", []string{"gzip;q=0.1234"}, ""},
		{"negative", []string{"gzip;q=-1"}, ""},
		{"no weight", []string{"gzip;q="}, ""},
		{"no dot", []string{"gzip;q=05"}, ""},
		{"a point alone", []string{"gzip;q=.5"}, ""},
		{"not a number", []string{"gzip;q=x"}, ""},
		{"space in the weight", []string{"gzip;q= 1"}, ""},
		{"another parameter", []string{"gzip;level=9"}, ""},
		{"two parameters", []string{"gzip;q=1;level=9"}, ""},
		{"no name", []string{";q=1"}, ""},
		{"two names", []string{"gzip br"}, ""},
		{"quoted", []string{`"gzip"`}, ""},
		{"one bad of many", []string{"br, gzip;q=oops"}, ""},
		{"bad on another line", []string{"br", "gz/ip"}, ""},
	}
	offered := offer("br", "zstd", "gzip")
	for _, tt := range tests {
		if got := negotiated(tt.lines, offered); got != tt.want {
			t.Errorf("%s: %q: %q, want %q", tt.name, tt.lines, got, tt.want)
		}
	}
	if got := negotiated([]string{"gzip, *"}, nil); got != "" {
		t.Errorf("%q though nothing is offered", got)
	}
}

func TestWanted(t *testing.T) {
	gzip := []string{"gzip"}
	tests := []struct {
		name   string
		header http.Header
		want   string
	}{
		{"nothing said", http.Header{}, ""},
		{"coding", http.Header{"Accept-Encoding": gzip}, "gzip"},
		{"part", http.Header{"Accept-Encoding": gzip, "Range": {"bytes=0-1"}}, ""},
		{"no-transform", http.Header{"Accept-Encoding": gzip, "Cache-Control": {"max-age=1", "x, no-transform"}}, ""},
		{"another directive", http.Header{"Accept-Encoding": gzip, "Cache-Control": {"no-cache"}}, "gzip"},
	}
	for _, tt := range tests {
		got := ""
		if c := Wanted(&http.Request{Header: tt.header}, offer("gzip")); c != nil {
			got = c.Name
		}
		if got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
	if Wanted(&http.Request{Header: http.Header{"Accept-Encoding": gzip}}, nil) != nil {
		t.Error("a coding though none is offered")
	}
}

// TestNegotiateNeverRefused: whatever a client sends, it gets nothing that it refuses
// by name, and only what is offered.
func TestNegotiateNeverRefused(t *testing.T) {
	offered := offer("br", "gzip")
	rapid.Check(t, func(t *rapid.T) {
		line := rapid.OneOf(
			rapid.String(),
			rapid.StringMatching(`(gzip|br|\*|identity|x-gzip|deflate)(;q=[01](\.[0-9]{0,3})?)?(, ?(gzip|br|\*|identity)(;q=[01](\.[0-9]{0,3})?)?){0,4}`),
		).Draw(t, "line")
		got := negotiated([]string{line}, offered)
		if got != "" && got != "br" && got != "gzip" {
			t.Fatalf("%q", got)
		}
		refused := got != "" && negotiated([]string{line, got + ";q=0"}, offered) == got
		if refused {
			t.Errorf("%q though it is refused", got)
		}
		if got != "" && !strings.Contains(strings.ToLower(line), got) && !strings.Contains(line, "*") {
			t.Errorf("%q though nobody has named it", got)
		}
	})
}

func BenchmarkNegotiate(b *testing.B) {
	offered, lines := offer("br", "zstd", "gzip"), []string{"gzip, deflate, br, zstd"}
	b.ReportAllocs()
	for b.Loop() {
		Negotiate(lines, offered)
	}
}
