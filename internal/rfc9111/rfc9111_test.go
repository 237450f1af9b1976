package rfc9111

import (
	"net/http"
	"slices"
	"testing"
	"time"
)

func TestForbids(t *testing.T) {
	tests := []struct {
		name  string
		lines []string
		want  bool
	}{
		{"none", nil, false},
		{"empty", []string{""}, false},
		{"public", []string{"public, max-age=60, s-maxage=0, must-revalidate"}, false},
		{"no-store", []string{"no-store"}, true},
		{"no-cache", []string{"No-Cache"}, true},
		{"private", []string{"PRIVATE"}, true},
		{"spaces", []string{"max-age=1 ,\t private "}, true},
		{"second line", []string{"public", "private"}, true},
		{"field names", []string{`private="Set-Cookie, X-A"`}, true},
		{"value", []string{"no-store=x"}, true},
		{"in quotes", []string{`ext="no-store"`}, false},
		{"longer name", []string{"private-ish, x-no-store"}, false},
	}
	for _, tt := range tests {
		if got := Forbids(tt.lines); got != tt.want {
			t.Errorf("%s: %v", tt.name, got)
		}
	}
}

func TestVaryCovered(t *testing.T) {
	headers := []string{"Accept", "Accept-Language"}
	tests := []struct {
		name string
		vary []string
		want bool
	}{
		{"none", nil, true},
		{"empty", []string{" , "}, true},
		{"covered", []string{"accept,ACCEPT-language"}, true},
		{"one is not", []string{"Accept", "Origin"}, false},
		{"star", []string{"*"}, false},
	}
	for _, tt := range tests {
		if got := VaryCovered(tt.vary, headers); got != tt.want {
			t.Errorf("%s: %v", tt.name, got)
		}
	}
}

func TestHopByHop(t *testing.T) {
	is := HopByHop(http.Header{"Connection": {"close, x-mine", " x-other "}})
	for _, name := range []string{"Connection", "Keep-Alive", "Transfer-Encoding", "Upgrade", "Trailer", "X-Mine", "X-Other"} {
		if !is(name) {
			t.Errorf("%s is not", name)
		}
	}
	if is("X-Theirs") || is("Content-Type") {
		t.Error("a field of the answer is")
	}
}

func TestStatuses(t *testing.T) {
	var kept, bodiless []int
	for status := 100; status < 600; status++ {
		if Heuristic(status) {
			kept = append(kept, status)
		}
		if status >= 200 && !BodyAllowed(status) {
			bodiless = append(bodiless, status)
		}
	}
	if want := []int{200, 203, 204, 300, 301, 308, 404, 410}; !slices.Equal(kept, want) {
		t.Errorf("stored are %v, want %v", kept, want)
	}
	if want := []int{204, 304}; !slices.Equal(bodiless, want) || BodyAllowed(103) {
		t.Errorf("without body are %v, want %v", bodiless, want)
	}
}

func TestToken(t *testing.T) {
	for _, name := range []string{"Accept", "x-a_b", "X!#$%&'+.^`|~9"} {
		if !Token(name) {
			t.Errorf("%q is none", name)
		}
	}
	for _, name := range []string{"", "*", "a b", "a:b", "a,b", "a\n", "é", "a=b", "a/b", `a"`, `a\b`, "{x}"} {
		if Token(name) {
			t.Errorf("%q is one", name)
		}
	}
}

func TestStatus(t *testing.T) {
	tests := []struct {
		status Status
		want   string
	}{
		{Status{Forward: "uri-miss"}, "freshet; fwd=uri-miss"},
		{Status{Forward: "stale", Stored: true, Collapsed: true}, "freshet; fwd=stale; stored; collapsed"},
		{Status{Forward: "bypass", Detail: []string{"a", "b"}}, `freshet; fwd=bypass; detail="a, b"`},
		{Status{Forward: "bypass", Detail: []string{"say \"x\\\"\r\n\x7fé"}}, `freshet; fwd=bypass; detail="say \"x\\\""`},
	}
	for _, tt := range tests {
		if got := tt.status.String(); got != tt.want {
			t.Errorf("%s, want %s", got, tt.want)
		}
	}
	if got := HitStatus(90 * time.Second); got != "freshet; hit; ttl=90" {
		t.Error(got)
	}
	if got := HitStatus(-time.Second); got != "freshet; hit; ttl=-1" {
		t.Error(got)
	}
}
