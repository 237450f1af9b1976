package pattern

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParse(t *testing.T) {
	tests := []struct {
		text          string
		want          Route
		reads, writes bool
		id            string // or the beginning of ID's error
	}{
		{"/posts/{post_id}", Route{"", "/posts/{post_id}", []string{"post_id"}}, true, true, "post_id"},
		{"GET /posts/{post_id}", Route{"GET", "/posts/{post_id}", []string{"post_id"}}, true, false, "post_id"},
		{"HEAD \t /a", Route{"HEAD", "/a", nil}, true, false, "the pattern"},
		{"QUERY /a", Route{"QUERY", "/a", nil}, true, false, "the pattern"},
		{"PROPFIND /a", Route{"PROPFIND", "/a", nil}, false, true, "the pattern"},
		{"PUT\texample.com/{a}/{id}", Route{"PUT", "example.com/{a}/{id}", []string{"a", "id"}}, false, true, "id"},
		{"/{width}/{post_id}", Route{"", "/{width}/{post_id}", []string{"width", "post_id"}}, true, true, "post_id"},
		{"/{user_id}/{post_id}", Route{"", "/{user_id}/{post_id}", []string{"user_id", "post_id"}}, true, true, "the pattern"},
		{"/{a}/{b}", Route{"", "/{a}/{b}", []string{"a", "b"}}, true, true, "the pattern"},
		{"/files/{path...}", Route{"", "/files/{path...}", []string{"path"}}, true, true, "path"},
		{"/files/{$}", Route{"", "/files/{$}", nil}, true, true, "the pattern"},
		{"/files/", Route{"", "/files/", nil}, true, true, "the pattern"},
		{"/{größe}", Route{"", "/{größe}", []string{"größe"}}, true, true, "größe"},
	}
	for _, tt := range tests {
		t.Run(tt.text, func(t *testing.T) {
			r, err := Parse(tt.text)
			if diff := cmp.Diff(tt.want, r); diff != "" || err != nil {
				t.Fatalf("Parse: %v (-want +got):\n%s", err, diff)
			}
			if r.Reads() != tt.reads || r.Writes() != tt.writes {
				t.Errorf("reads %v, writes %v", r.Reads(), r.Writes())
			}
			id, err := r.ID()
			if err != nil {
				id = err.Error()
			}
			if !strings.HasPrefix(id, tt.id) {
				t.Errorf("ID is %q, want %q", id, tt.id)
			}
		})
	}
}

func TestParseErrors(t *testing.T) {
	for _, text := range []string{
		"", "GET", "GET posts", "/{}", "/{...}", "/{a-b}", "/{id:[0-9]+}", "/x-{id}", "/{id}.json", "/{id", "/id}", "/*", "/a/b*",
		"/{a}/{a}", "/{a...}/b", "GET /a//b", "{a}/b", "G(T /a",
	} {
		if r, err := Parse(text); err == nil {
			t.Errorf("%q is %+v, want an error", text, r)
		} else if diff := cmp.Diff(Route{}, r); diff != "" {
			t.Errorf("%q: a route beside the error: %s", text, diff)
		}
	}
}

func TestNothingIsKnown(t *testing.T) {
	var r Route
	if _, err := r.ID(); err == nil || !r.Reads() || !r.Writes() {
		t.Errorf("ID: %v, reads %v, writes %v", err, r.Reads(), r.Writes())
	}
}
