package rfc9111

import (
	"net/http"
	"slices"
	"testing"
	"time"
)

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

func TestBodyAllowed(t *testing.T) {
	var bodiless []int
	for status := 200; status < 600; status++ {
		if !BodyAllowed(status) {
			bodiless = append(bodiless, status)
		}
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
