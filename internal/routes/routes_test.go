package routes

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/freshet-dev/freshet/internal/resolve"
)

func plan(t testing.TB, pattern, key string) *resolve.Plan {
	t.Helper()
	p := resolve.Compile(resolve.Rule{Pattern: pattern, Key: key, Query: []string{"q"}}, func(field string, err error) {
		t.Fatalf("%s: %v", field, err)
	})
	return &p
}

// reads returns the keys of reads of uri.
func reads(t *Table, uri string) (keys []string) {
	read := httptest.NewRequest("GET", uri, nil)
	t.Target(read, new(resolve.Plan), func(_ resolve.Kind, text string) { keys = append(keys, text) })
	return keys
}

// TestPaths: the paths that http.ServeMux matches, with their values.
func TestPaths(t *testing.T) {
	tests := []struct {
		pattern, key, uri string
		want              []string
	}{
		{"GET /a/{x}", "k:{x}", "/a/b", []string{"k:b"}},
		{"GET /a/{x}", "k:{x}", "/a/b%2Fc", []string{"k:b%2Fc"}},
		{"GET /a/{x}", "k:{x}", "/%61/b", []string{"k:b"}},
		{"GET /a/{x}", "k:{x}", "/a/b/", nil},
		{"GET /a/{x}", "k:{x}", "/a/", nil},
		{"GET /a/{x}", "k:{x}", "/c/../a/b", nil}, // a redirect, which no cache answers
		{"GET /a/{x...}", "k:{x}", "/a/b/c", []string{"k:b%2Fc"}},
		{"GET /a/{x...}", "k:{x}", "/a/", []string{"k:"}},
		{"GET /a/", "k:{q=1}", "/a/b?q=2", []string{"k:2"}},
		{"GET /a/", "k:{q=1}", "/a", nil},
		{"GET /a/{$}", "k", "/a/", []string{"k"}},
		{"GET /a/{$}", "k", "/a/b", nil},
		{"example.com/a", "k", "http://example.com:8080/a", []string{"k"}},
		{"example.com/a", "k", "http://example.org/a", nil},
		{"/", "k:{q}", "/a?q=1&q=2", nil},
		{"PUT /a", "k", "/a", nil},
		{"PUT /a", "", "/a", nil},
	}
	for _, tt := range tests {
		var table Table
		table.Add(plan(t, tt.pattern, tt.key))
		if diff := cmp.Diff(tt.want, reads(&table, tt.uri)); diff != "" {
			t.Errorf("%s with %s (-want +got):\n%s", tt.pattern, tt.uri, diff)
		}
	}
}

// TestAddedAgain: a rule takes the place of an equal one, and of no other.
func TestAddedAgain(t *testing.T) {
	var table Table
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for range 50 {
				table.Add(plan(t, "GET /a", "k"))
				table.Add(plan(t, "/a", "k"))
				table.Add(plan(t, "GET /a", "l"))
				table.Add(plan(t, "GET /b", "k"))
				reads(&table, "/a")
			}
		})
	}
	all.Wait()
	if len(table.routes) != 3 {
		t.Errorf("%d rules are registered, want 3", len(table.routes))
	}
}

// TestMethodsAreOne: what is found of a path does not depend on who asks.
func TestMethodsAreOne(t *testing.T) {
	var table Table
	table.Add(plan(t, "QUERY /a", "k"))
	table.Add(plan(t, "HEAD /a", "l"))
	if diff := cmp.Diff([]string{"k", "l"}, reads(&table, "/a")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func BenchmarkTarget(b *testing.B) {
	var t Table
	for i := range 100 {
		t.Add(plan(b, fmt.Sprintf("GET /r%d/{id}", i), "k:{id}"))
	}
	read, own := httptest.NewRequest(http.MethodGet, "/r7/1", nil), new(resolve.Plan)
	b.ReportAllocs()
	for b.Loop() {
		t.Target(read, own, func(resolve.Kind, string) {})
	}
}
