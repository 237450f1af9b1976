package rfc9111

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// fields makes a stored header of lines of the form "Name: value".
func fields(lines ...string) []Field {
	var all []Field
	for _, line := range lines {
		name, value, _ := strings.Cut(line, ":")
		all = append(all, Field{Name: name, Value: strings.TrimSpace(value)})
	}
	return all
}

// TestSelects is section 4.3.4: whether a 304 speaks of the stored answer.
func TestSelects(t *testing.T) {
	const date, later = "Last-Modified: Tue, 15 Nov 1994 12:45:26 GMT", "Last-Modified: Tue, 15 Nov 1994 12:45:27 GMT"
	tests := []struct {
		name           string
		stored, update []string
		want           bool
	}{
		{"strong", []string{`Etag: "a"`}, []string{`Etag: "a"`}, true},
		{"strong, another", []string{`Etag: "a"`}, []string{`Etag: "b"`}, false},
		{"strong, none stored", nil, []string{`Etag: "a"`}, false},
		{"strong, weak stored", []string{`Etag: W/"a"`}, []string{`Etag: "a"`}, false},
		{"strong, another date", []string{`Etag: "a"`, date}, []string{`Etag: "a"`, later}, true},
		{"strong, another, the same date", []string{`Etag: "a"`, date}, []string{`Etag: "b"`, date}, false},
		{"weak", []string{`Etag: W/"a"`}, []string{`Etag: W/"a"`}, true},
		{"weak, strong stored", []string{`Etag: "a"`}, []string{`Etag: W/"a"`}, true},
		{"weak, another", []string{`Etag: W/"a"`}, []string{`Etag: W/"b"`}, false},
		{"two tags", []string{`Etag: "a"`}, []string{`Etag: "a"`, `Etag: "b"`}, false},
		{"date", []string{date}, []string{date}, true},
		{"date, and a tag stored", []string{`Etag: "a"`, date}, []string{date}, true},
		{"date, another", []string{date}, []string{later}, false},
		{"date, none stored", nil, []string{date}, false},
		{"no validator", []string{`Etag: "a"`}, []string{"Date: x"}, true},
		{"no validator at all", nil, nil, true},
		{"marked", []string{`>Etag: "a"`}, []string{`>Etag: "b"`}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := Selects(fields(tt.stored...), fields(tt.update...)); got != tt.want {
				t.Error(got)
			}
		})
	}
}

// TestFreshen is section 3.2: what a 304 makes of a stored header.
func TestFreshen(t *testing.T) {
	now := "Date: " + at(noon)
	tests := []struct {
		name                 string
		stored, update, want []string
	}{
		{"nothing in it", []string{"A: 1"}, nil, []string{"A: 1", now}},
		{"replaces", []string{"A: 1", "B: 2", "B: 3"}, []string{"B: 4"}, []string{"A: 1", "B: 4", now}},
		{"adds", []string{"B: 1"}, []string{"A: 1", "A: 2"}, []string{"A: 1", "A: 2", "B: 1", now}},
		{"Cache-Control and validators", []string{"Cache-Control: max-age=1", `Etag: "a"`}, []string{"Cache-Control: no-cache", `Etag: "a"`},
			[]string{"Cache-Control: no-cache", now, `Etag: "a"`}},
		{"its Date", []string{"Date: old"}, []string{"Date: new"}, []string{"Date: new"}},
		{"no Date: that of its receipt", []string{"Date: old"}, nil, []string{now}},
		{"its Age", []string{"Age: 50"}, []string{"Age: 5"}, []string{"Age: 5", now}},
		{"no Age", []string{"Age: 50"}, nil, []string{now}},
		{"what describes the body stays", []string{"Content-Length: 5", "Content-Encoding: gzip", "Content-Digest: a"},
			[]string{"Content-Length: 0", "Content-Encoding: br", "Content-Digest: b", "Content-Range: bytes 0-1/2", "Content-Md5: c"},
			[]string{"Content-Digest: a", "Content-Encoding: gzip", "Content-Length: 5", now}},
		{"other Content- fields do not", []string{"Content-Type: a/b", "Content-Language: en"}, []string{"Content-Type: c/d", "Content-Language: de"},
			[]string{"Content-Language: de", "Content-Type: c/d", now}},
		{"what may not be stored", []string{"X-A: 1", "X-B: 1", "X-C: 1"},
			[]string{"Connection: x-a", "X-A: 2", "Proxy-Authenticate: x", `Cache-Control: private="x-b", no-cache="x-c"`},
			[]string{`Cache-Control: private="x-b", no-cache="x-c"`, now}},
		{"what may not be stored, by the stored header", []string{`Cache-Control: private="x-b"`}, []string{"X-B: 2"}, []string{`Cache-Control: private="x-b"`, now}},
		{"marks", []string{">Vary: A", "<X-A:", "X-B: 1"}, []string{">Vary: B", "X-A: 2", "<X-B:"}, []string{">Vary: B", now, "X-A: 2", "X-B: 1"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			stored := fields(tt.stored...)
			before := slices.Clone(stored)
			if diff := cmp.Diff(fields(tt.want...), Freshen(stored, fields(tt.update...), noon)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if !slices.Equal(stored, before) {
				t.Error("the stored header has changed, which others read")
			}
		})
	}
}

// TestFreshenedLifetime is that a 304 makes a stale answer fresh again, in the time that is
// counted from it (sections 4.3.3 and 4.3.4).
func TestFreshenedLifetime(t *testing.T) {
	old := fields("Age: 500", "Cache-Control: max-age=60", "Date: "+at(noon.Add(-time.Hour)), `Etag: "a"`)
	s := pure.Storage(request(), 200, Header(Freshen(old, fields(`Etag: "a"`), noon)), noon, noon)
	if s.Why != "" || s.Fresh != time.Minute || s.Age != 0 {
		t.Errorf("%+v", s)
	}
	s = pure.Storage(request(), 200, Header(Freshen(old, fields("Cache-Control: private"), noon)), noon, noon)
	if s.Why != "private" {
		t.Errorf("%+v", s)
	}
}

// TestHeadFreshens is section 4.3.5.
func TestHeadFreshens(t *testing.T) {
	const date = "Last-Modified: Tue, 15 Nov 1994 12:45:26 GMT"
	stored := fields(`Etag: "a"`, date, "Content-Length: 5")
	tests := []struct {
		name string
		head []string
		want bool
	}{
		{"nothing", nil, true},
		{"all the same", []string{`Etag: "a"`, date, "Content-Length: 5"}, true},
		{"another tag", []string{`Etag: "b"`, date, "Content-Length: 5"}, false},
		{"another date", []string{`Etag: "a"`, "Last-Modified: Tue, 15 Nov 1994 12:45:27 GMT"}, false},
		{"another length", []string{`Etag: "a"`, "Content-Length: 6"}, false},
		{"the same length, otherwise written", []string{"Content-Length: 05"}, true},
		{"no length", []string{"Content-Length: x"}, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := HeadFreshens(stored, fields(tt.head...)); got != tt.want {
				t.Error(got)
			}
		})
	}
	if HeadFreshens(nil, fields("Content-Length: 5")) {
		t.Error("a length updates an answer that has none")
	}
}
