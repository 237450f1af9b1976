package resolve

import (
	"net/http"
	"net/url"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestStored: the keys that reads of a URI have, and none where they bypass the cache.
func TestStored(t *testing.T) {
	caller := func(*http.Request) string { return "ann" }
	params := func(r *http.Request, name string) (string, bool) { return r.URL.Path, name == "path" }
	tests := []struct {
		name, target string
		rule         Rule
		want         []string
	}{
		{"key", "/?id=07", Rule{Key: "x:{id:int}"}, []string{"key x:7"}},
		{"default", "/", Rule{Key: "x:{id=1}"}, []string{"key x:1"}},
		{"no value", "/", Rule{Key: "x:{id}"}, nil},
		{"unfit", "/?id=a", Rule{Key: "x:{id:int}"}, nil},
		{"repeated", "/?id=1&id=2", Rule{Key: "x:{id}"}, nil},
		{"malformed", "/?id=1&a=%", Rule{Key: "x:{id}"}, nil},
		{"caller", "/?caller=bob", Rule{Key: "x:{caller}", Caller: caller}, []string{"match x:*"}},
		{"caller with a default", "/?id=1", Rule{Key: "x:{caller=all}:{id}", Caller: caller}, []string{"match x:*:1"}},
		{"caller outside of the key", "/?id=1", Rule{Key: "x:{id}", Caller: caller}, []string{"key x:1"}},
		{"caller outside of the key, no value", "/", Rule{Key: "x:{id}", Caller: caller}, nil},
		{"no caller", "/?caller=bob", Rule{Key: "x:{caller}", Query: []string{"caller"}}, []string{"key x:bob"}},
		{"params", "/a%2Fb", Rule{Key: "x:{path}", Params: params}, []string{"key x:%2Fa%2Fb"}},
		{"params of others", "/a", Rule{Key: "x:{path}:{tenant}", Params: params}, []string{"match x:%2Fa:*"}},
	}
	for _, tt := range tests {
		p := Compile(tt.rule, func(field string, err error) { t.Errorf("%s: %s: %v", tt.name, field, err) })
		var got []string
		p.Stored(request(tt.target), func(kind Kind, text string) {
			got = append(got, []string{"key", "tag", "match", "all"}[kind]+" "+text)
		})
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
}

func TestReading(t *testing.T) {
	put := request("http://h/a?b=c")
	put.Method, put.ContentLength = "PUT", 7
	put.SetPathValue("x", "y")
	for text, want := range map[string]string{"/d%2Fe?f#g": "/d%2Fe?f", "": "/", "http://other:1": "/", "/?": "/?", "/a b": "/a%20b"} {
		u, err := url.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		r := Reading(put, u)
		if r.RequestURI != want || r.URL.String() != want || r.Host != "h" || r.Method != "GET" || r.ContentLength != 0 || r.PathValue("x") != "" {
			t.Errorf("%q: %s %s %s, host %s", text, r.Method, r.RequestURI, r.URL, r.Host)
		}
	}
}
