package traffic

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/freshet-dev/freshet/cmd/freshet/chaos/internal/api"
	"github.com/freshet-dev/freshet/cmd/freshet/chaos/internal/fleet"
	"github.com/freshet-dev/freshet/cmd/freshet/chaos/internal/ledger"
	"github.com/freshet-dev/freshet/cmd/freshet/chaos/internal/report"
)

// liar is an API process that answers what a test wants.
func liar(t *testing.T, status int, cached string, body any) *fleet.Life {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Status", cached)
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(body)
	}))
	t.Cleanup(s.Close)
	return &fleet.Life{Name: "p1.1", URL: s.URL, Client: s.Client(), Own: ledger.NewMarks(9)}
}

func traffic() *Traffic {
	l := api.Layout{Rows: 9, Orgs: 3, Owners: 3}
	return &Traffic{Layout: l, Ledger: ledger.New(l.Rows, 0), Report: new(report.Report)}
}

// TestPlanted: whatever can be wrong with an answer is found, and nothing else.
func TestPlanted(t *testing.T) {
	view := api.View{Kind: "mine", Path: "/mine", Caller: "1", Rows: []int{1, 4}}
	good := api.Answer{Path: "/mine", Caller: "1", Rows: []api.Row{{ID: 1, Version: 7}, {ID: 4, Version: 2}}}
	changed := func(f func(*api.Answer)) api.Answer {
		a := good
		a.Rows = append([]api.Row(nil), good.Rows...)
		f(&a)
		return a
	}
	tests := []struct {
		name   string
		status int
		body   any
		want   map[string]int64
	}{
		{"nothing", 200, good, nil},
		{"not found is an answer", 404, good, nil},
		{"old", 200, changed(func(a *api.Answer) { a.Rows[0].Version = 6 }), map[string]int64{"stale": 1}},
		{"another path", 200, changed(func(a *api.Answer) { a.Path = "/items/1" }), map[string]int64{"foreign": 1}},
		{"another caller", 200, changed(func(a *api.Answer) { a.Caller = "2" }), map[string]int64{"foreign": 1}},
		{"a row missing", 200, changed(func(a *api.Answer) { a.Rows = a.Rows[:1] }), map[string]int64{"broken": 1}},
		{"an error", 500, "database", map[string]int64{"error": 1}},
		{"out of service", 503, "not ready", map[string]int64{"error": 1}},
		{"no answer in it", 200, "hello", map[string]int64{"error": 1}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tr := traffic()
			tr.Ledger.Everywhere.Raise(1, 7)
			tr.Read(liar(t, tt.status, "freshet; hit; ttl=9", tt.body), view)
			if diff := cmp.Diff(tt.want, tr.Report.Violations()); diff != "" {
				t.Errorf("violations (-want +got):\n%s", diff)
			}
		})
	}
}

// TestPromises: what an answer to a write says decides for whom its change has to
// be visible from then on.
func TestPromises(t *testing.T) {
	answer := api.Answer{Path: "/orgs/1/items/1", Rows: []api.Row{{ID: 1, Version: 7}}}
	c := change{"put", http.MethodPut, "/orgs/1/items/1", "", []int{1}}
	tests := []struct {
		name, cached, kind string
		everywhere, own    uint64
		violations         int64
	}{
		{name: "invalidated", cached: `freshet; fwd=method; detail="invalidated"`, kind: "put", everywhere: 7},
		{name: "pending", cached: `freshet; fwd=method; detail="invalidation-pending"`, kind: "put", own: 7},
		{name: "began early", cached: `freshet; fwd=method; detail="invalidated"`, kind: "stream"},
		{name: "says nothing", cached: `freshet; fwd=method`, kind: "put", violations: 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tr := traffic()
			l := liar(t, 200, tt.cached, answer)
			c := c
			c.kind = tt.kind
			tr.promised(c, send(l, c.method, c.path, "", ""))
			if got := tr.Ledger.Everywhere.Of(1); got != tt.everywhere {
				t.Errorf("mark everywhere %d, want %d", got, tt.everywhere)
			}
			if got := l.Own.Of(1); got != tt.own {
				t.Errorf("mark of the process %d, want %d", got, tt.own)
			}
			if got := tr.Report.Violations()["error"]; got != tt.violations {
				t.Errorf("%d violations, want %d", got, tt.violations)
			}
		})
	}
}

// TestUnreachable: a process that nobody has touched has to answer.
func TestUnreachable(t *testing.T) {
	tr := traffic()
	l := &fleet.Life{Name: "p1.1", URL: "http://127.0.0.1:1", Client: http.DefaultClient, Own: ledger.NewMarks(9)}
	tr.Read(l, api.View{Path: "/items/1", Rows: []int{1}})
	if n := tr.Report.Violations()["error"]; n != 1 {
		t.Errorf("%d violations, want 1", n)
	}
}

func TestViewsCoverAllRows(t *testing.T) {
	l := api.Layout{Rows: 9, Orgs: 3, Owners: 3}
	rows, paths := map[string]map[int]bool{}, map[string]bool{}
	for _, v := range l.Views() {
		if rows[v.Kind] == nil {
			rows[v.Kind] = map[int]bool{}
		}
		for _, id := range v.Rows {
			rows[v.Kind][id] = true
		}
		if paths[v.Path+v.Caller] || !strings.HasPrefix(v.Path, "/") {
			t.Errorf("view %v is there twice, or has a strange path", v)
		}
		paths[v.Path+v.Caller] = true
	}
	for kind, ids := range rows {
		if len(ids) != l.Rows && kind != "pair" {
			t.Errorf("views of kind %s show %d rows, want %d", kind, len(ids), l.Rows)
		}
	}
}
