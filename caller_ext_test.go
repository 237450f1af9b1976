package freshet_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/freshet-dev/freshet"
)

// whoami answers with the credentials that it was asked with.
func whoami(w http.ResponseWriter, r *http.Request) {
	_, _ = io.WriteString(w, r.Header.Get("Authorization")+r.Header.Get("Cookie")+r.Header.Get("X-User"))
}

func user(r *http.Request) string { return r.Header.Get("X-User") }

func TestCredentials(t *testing.T) {
	const bypass = `fwd=bypass; detail="credentials"`
	tests := []struct {
		name          string
		rule          freshet.Rule
		header, value string
		first, again  string
	}{
		{"authorization", freshet.Rule{}, "Authorization", "Bearer a", bypass, bypass},
		{"cookie", freshet.Rule{}, "Cookie", "sid=a", bypass, bypass},
		{"shared", freshet.Rule{Shared: true}, "Cookie", "sid=a", stored, hit},
		{"caller", freshet.Rule{Caller: user}, "X-User", "ann", stored, hit},
		{"caller unknown", freshet.Rule{Caller: user}, "Cookie", "sid=a", bypass, bypass},
		{"caller unknown, shared", freshet.Rule{Caller: user, Shared: true}, "Cookie", "sid=a", stored, hit},
		{"caller by the header", freshet.Rule{Caller: freshet.CallerByHeader("authorization")}, "Authorization", "Bearer a", stored, hit},
		{"another header", freshet.Rule{Caller: freshet.CallerByHeader("Cookie")}, "Authorization", "Bearer a", bypass, bypass},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newSite(t)
			tt.rule.Key = "me"
			s.handle("GET /me", tt.rule, whoami)
			s.wantBody(s.get("/me", tt.header, tt.value), tt.first, tt.value)
			s.wantBody(s.get("/me", tt.header, tt.value), tt.again, tt.value)
		})
	}
}

// The entry of a request without credentials must not answer one with, nor the
// other way round, unless the rule says so.
func TestCallersApart(t *testing.T) {
	tests := []struct {
		name string
		rule freshet.Rule
		keys []string
	}{
		{"in the key", freshet.Rule{Key: "me:{caller}", Caller: user}, []string{"me:", "me:ann", "me:bob", "me:ann%2Cbob"}},
		{"outside of the key", freshet.Rule{Key: "me", Caller: user}, []string{"me", "me", "me", "me"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newSite(t)
			s.handle("GET /me", tt.rule, whoami)
			for _, state := range []string{stored, hit} {
				for _, name := range []string{"", "ann", "bob", "ann,bob"} {
					s.wantBody(s.get("/me", "X-User", name), state, name)
				}
			}
			for i, f := range s.store.filled() {
				if f.Key != tt.keys[i] {
					t.Errorf("key %q, want %q", f.Key, tt.keys[i])
				}
			}
		})
	}
}

// A wildcard called caller must not take the place of the caller in the key.
func TestCallerIsNoWildcard(t *testing.T) {
	s := newSite(t)
	s.mux.Handle("GET /calls/{caller}", s.cache.Handler(freshet.Rule{Key: "calls:{caller}", Caller: user}, http.HandlerFunc(whoami)))
	s.wantBody(s.get("/calls/7", "X-User", "ann"), stored, "ann")
	s.wantBody(s.get("/calls/7", "X-User", "bob"), stored, "bob")
	s.wantBody(s.get("/calls/7?caller=bob", "X-User", "ann"), stored, "ann")
}

func TestCallerByHeaderHidesTheSecret(t *testing.T) {
	s := newSite(t)
	s.handle("GET /me", freshet.Rule{Key: "me:{caller}", Caller: freshet.CallerByHeader("Authorization"), Tags: []string{"of:{caller}"}}, uri)
	const secret = "hunter2"
	s.want(s.get("/me", "Authorization", secret), stored)
	s.want(s.get("/me", "Authorization", "other"), stored)
	for _, f := range s.store.filled() {
		if strings.Contains(f.Key+f.Variant+strings.Join(f.Tags, ""), secret) || len(f.Key) != len("me:")+32 {
			t.Errorf("key %q, tags %q", f.Key, f.Tags)
		}
	}
}
