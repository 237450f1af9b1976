package resolve

import (
	"crypto/tls"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/freshet-dev/freshet/internal/template"
)

func parse(t testing.TB, text string) *template.Template {
	t.Helper()
	parsed, err := template.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return parsed
}

func request(target string) *http.Request { return httptest.NewRequest("GET", target, nil) }

func TestReadRefuses(t *testing.T) {
	p := Plan{Key: parse(t, "x:{id:int}"), Named: []string{"id"}}
	tests := []struct {
		name, target string
		change       func(*http.Request)
		want         string
	}{
		{"fine", "/?id=1", func(*http.Request) {}, ""},
		{"fine over TLS", "/?id=1", func(r *http.Request) { r.TLS = new(tls.ConnectionState) }, ""},
		{"no value", "/", func(*http.Request) {}, "{id} has no value"},
		{"unfit", "/?id=x", func(*http.Request) {}, "{id} does not fit the type int"},
		{"empty", "/?id=", func(*http.Request) {}, "{id} does not fit the type int"},
		{"repeated", "/?id=1&id=1", func(*http.Request) {}, "repeated parameter"},
		{"malformed", "/?id=1&a=%", func(*http.Request) {}, "malformed query"},
		{"body", "/?id=1", func(r *http.Request) { r.ContentLength = 1 }, "request body"},
		{"body of unknown length", "/?id=1", func(r *http.Request) { r.ContentLength = -1 }, "request body"},
	}
	for _, tt := range tests {
		r := request(tt.target)
		tt.change(r)
		at, why := p.Read(r)
		if why != tt.want || (why != "") != (at == Place{}) {
			t.Errorf("%s: %+v, %q; want %q", tt.name, at, why, tt.want)
		}
	}
	query := request("/?id=1")
	query.Method = "QUERY"
	if _, why := p.Read(query); why != "request body" {
		t.Errorf("a QUERY whose content is not held: %q", why)
	}
	if _, why := new(Plan).Read(request("/")); why != "no key" {
		t.Errorf("without a key: %q", why)
	}
}

// Two requests have one place only if all that the plan lets an answer depend on
// is equal.
func TestPlacesAreApart(t *testing.T) {
	p := Plan{
		Key: parse(t, "{a}_{b}"), Named: []string{"a", "b"}, VaryHeaders: []string{"X-One", "X-Two"},
		Caller: func(r *http.Request) string { return r.Header.Get("X-Caller") },
	}
	type input struct{ A, B, C, D, One, Two, Caller, Path string }
	place := func(t *rapid.T, in input) Place {
		query := url.Values{"a": {in.A}, "b": {in.B}, "c": {in.C}, "cq1": {in.D}}
		r := request("/?" + query.Encode())
		r.URL.Path = "/" + in.Path
		r.Header = http.Header{"X-One": {in.One}, "X-Two": {in.Two}, "X-Caller": {in.Caller}}
		at, why := p.Read(r)
		if why != "" {
			t.Fatalf("%+v: %s", in, why)
		}
		return at
	}
	word := rapid.StringMatching(`[ab1q:/_%]{0,4}`)
	inputs := rapid.Custom(func(t *rapid.T) input {
		return input{
			word.Draw(t, "a"), word.Draw(t, "b"), word.Draw(t, "c"), word.Draw(t, "d"),
			word.Draw(t, "one"), word.Draw(t, "two"), word.Draw(t, "caller"), word.Draw(t, "path"),
		}
	})
	rapid.Check(t, func(t *rapid.T) {
		x := inputs.Draw(t, "x")
		y := inputs.Draw(t, "y")
		if rapid.Bool().Draw(t, "nearly equal") {
			y = x
			y.A, y.B = x.A+"_"+x.B, ""
		}
		if (place(t, x).Identity == place(t, y).Identity) != (x == y) {
			t.Errorf("%+v and %+v: one identity must mean equal, and equal one identity", x, y)
		}
	})
}

func TestTagsOf(t *testing.T) {
	p := Plan{Tags: []*template.Template{parse(t, "z"), parse(t, "of:{id=1}"), parse(t, "z")}}
	tests := []struct {
		target string
		want   []string
		why    string
	}{
		{"/", []string{"of:1", "z"}, ""},
		{"/?id=*", []string{"of:%2A", "z"}, ""},
		{"/?id=1&id=2", nil, "repeated parameter"},
	}
	for _, tt := range tests {
		tags, why := p.TagsOf(request(tt.target))
		if diff := cmp.Diff(tt.want, tags); diff != "" || why != tt.why {
			t.Errorf("%s: %q (-want +got):\n%s", tt.target, why, diff)
		}
	}
}

func TestWrite(t *testing.T) {
	p := Compile(Rule{
		Key: "a:{id:int}", Invalidate: []string{"b"}, InvalidateMatch: []string{"c:{page=1}*"}, InvalidateTags: []string{"d:{id}"},
	}, func(field string, err error) { t.Errorf("%s: %v", field, err) })
	type drops []string
	tests := []struct {
		target string
		want   drops
	}{
		{"/?id=07", drops{"key a:7", "key b", "match c:1*", "tag d:7"}},
		{"/", drops{"match a:*", "key b", "match c:1*", "all "}},
		{"/?id=x&page=*", drops{"match a:*", "key b", "match c:%2A*", "all "}},
		{"/?id=1&id=2&id=3", drops{
			"key a:1", "key b", "match c:1*", "tag d:1",
			"key a:3", "key b", "match c:1*", "tag d:3",
		}},
		{"/?id=1&id=x", drops{
			"key a:1", "key b", "match c:1*", "tag d:1",
			"match a:*", "key b", "match c:1*", "all ",
		}},
		{"/?other=1&other=2&id=1", drops{"key a:1", "key b", "match c:1*", "tag d:1"}},
	}
	for _, tt := range tests {
		var got drops
		p.Write(request(tt.target), func(kind Kind, text string) {
			got = append(got, []string{"key", "tag", "match", "all"}[kind]+" "+text)
		})
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.target, diff)
		}
	}
}

func BenchmarkRead(b *testing.B) {
	p := Plan{Key: parse(b, "post_cache:{post_id:int}"), Named: []string{"post_id"}, Pattern: "GET /posts/{post_id}"}
	r := request("/posts/123")
	r.Pattern = p.Pattern
	r.SetPathValue("post_id", "123")
	b.ReportAllocs()
	for b.Loop() {
		if _, why := p.Read(r); why != "" {
			b.Fatal(why)
		}
	}
}
