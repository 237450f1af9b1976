package freshet_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/freshet-dev/freshet"
)

// answering answers with a status and header fields, names and values in turn. The
// name BASE in a value is the server's own authority.
func answering(status int, header ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		for i := 0; i < len(header); i += 2 {
			w.Header().Add(header[i], strings.ReplaceAll(header[i+1], "BASE", r.Host))
		}
		w.WriteHeader(status)
	}
}

// wantDropped checks whether paths, which are stored, have been dropped since.
func (s *site) wantDropped(dropped bool, paths ...string) {
	s.t.Helper()
	for _, path := range paths {
		if state := s.get(path).state(); (state != hit) != dropped {
			s.t.Errorf("%s: %s", path, state)
		}
	}
}

// RFC 9111, section 4.4: an unsafe request, of a method known or not, that is not
// answered with an error makes what is stored of its URI stale, whatever its rule says.
// An answer of 5xx does so, too: nobody knows what has changed.
func TestUnsafeInvalidatesItsURI(t *testing.T) {
	for _, method := range []string{"PUT", "POST", "PATCH", "DELETE", "PROPPATCH", "FROB"} {
		for status, drops := range map[int]bool{200: true, 201: true, 204: true, 303: true, 400: false, 404: false, 412: false, 500: true} {
			s := newSite(t)
			s.handle("GET /posts/{id}", freshet.Rule{Key: "post:{id:int}"}, uri)
			s.handle("QUERY /posts/{id}", freshet.Rule{Key: "search:{id:int}"}, uri)
			s.handle(method+" /posts/{name}", freshet.Rule{}, answering(status))
			for _, path := range []string{"/posts/7", "/posts/7?page=2", "/posts/8"} {
				s.want(s.get(path), stored)
			}
			s.want(s.do("QUERY", "/posts/7"), stored)
			s.do(method, "/posts/07")
			s.wantDropped(drops, "/posts/7", "/posts/7?page=2")
			s.wantDropped(false, "/posts/8")
			if state := s.do("QUERY", "/posts/7").state(); (state != hit) != drops {
				t.Errorf("%s answered with %d, QUERY: %s", method, status, state)
			}
		}
	}
}

// Section 4.4: safe methods make nothing stale.
func TestSafeMethodsInvalidateNothing(t *testing.T) {
	s := newSite(t)
	s.handle("/x", freshet.Rule{Key: "x"}, answering(200, "Location", "/y", "Content-Location", "/y", "Cache-Group-Invalidation", `"g"`))
	for _, method := range []string{"GET", "HEAD", "QUERY", "OPTIONS", "TRACE"} {
		s.do(method, "/x")
	}
	if targets := s.store.invalidated(); targets != nil {
		t.Errorf("invalidated %v", targets)
	}
}

// Section 4.4: the URIs of Location and Content-Location, if they are of the same
// origin.
func TestRelatedURIs(t *testing.T) {
	tests := []struct {
		location string
		same     bool
	}{
		{"/posts/9", true},
		{"9", true},
		{"./../posts/9#top", true},
		{"http://BASE/posts/9", true},
		{"//BASE/posts/9", true},
		{"https://BASE/posts/9", true}, // TLS may end in front of this server
		{"/posts/%39", true},
		{"/posts/9?page=2", true},
		{"http://example.com/posts/9", false},
		{"//BASE.example.com/posts/9", false},
		{"http://127.0.0.1:1/posts/9", false},
		{"http://user@BASE/posts/9", false},
		{"ftp://BASE/posts/9", false},
		{"/posts/9/more", false},
		{"/posts/x", false},
		{"/posts/%zz", false},
		{"", false},
	}
	for _, tt := range tests {
		for _, field := range []string{"Location", "Content-Location", "content-location"} {
			for status, counts := range map[int]bool{201: true, 303: true, 404: false, 500: false} {
				s := newSite(t)
				s.handle("GET /posts/{id}", freshet.Rule{Key: "post:{id:int}"}, uri)
				s.handle("POST /posts/", freshet.Rule{}, answering(status, field, tt.location))
				s.want(s.get("/posts/8"), stored)
				s.want(s.get("/posts/9"), stored)
				s.do("POST", "/posts/")
				if state := s.get("/posts/9").state(); (state != hit) != (tt.same && counts) {
					t.Errorf("%s: %s, answered with %d: %s", field, tt.location, status, state)
				}
				s.wantDropped(false, "/posts/8")
			}
		}
	}
}

// All that a write makes stale goes in one call, before its answer: what its rule
// names, what is stored of its URI, and what the answer names. What is known before
// the handler runs is on record by then.
func TestAllInOneCall(t *testing.T) {
	store := newIntents(t)
	c, _ := open(t, store)
	mux := http.NewServeMux()
	handle := func(pattern string, rule freshet.Rule, h http.HandlerFunc) {
		if err := c.Handle(mux, pattern, rule, h); err != nil {
			t.Fatal(err)
		}
	}
	handle("GET /posts/{id}", freshet.Rule{Key: "post:{id}"}, uri)
	handle("GET /authors/{id}", freshet.Rule{Key: "author:{id}"}, uri)
	handle("PUT /posts/{id}", freshet.Rule{Invalidate: []string{"list"}}, func(w http.ResponseWriter, r *http.Request) {
		store.note("handler", nil)
		r.URL.Path, r.Host = "/posts/100", "example.com" // as some routers do
		answering(200, "Content-Location", "/posts/1", "Location", "/authors/7", "Cache-Group-Invalidation", `"a", "b"`)(w, r)
	})
	send(t.Context(), mux, "PUT", "/posts/1")
	store.wantJournal(t, "intend key:list key:post:1", "handler", "carry out key:list key:post:1 key:author:7 tag:a tag:b")
}

// Whatever rule stores answers for a URI, by whatever router, they are found.
func TestEveryRuleOfAURI(t *testing.T) {
	s := newSite(t)
	rule := func(pattern, key string) freshet.Rule {
		return freshet.Rule{Pattern: pattern, Key: key, Params: func(r *http.Request, name string) (string, bool) {
			return r.Header.Get("X-Tenant"), name == "tenant"
		}}
	}
	for _, r := range []freshet.Rule{
		rule("GET /a/{x}", "one:{x}"), rule("GET /a/{x}", "two:{x}"), rule("/a/{y}", "three:{y}"), rule("GET /{x}/b", "four:{x}"),
		rule("HEAD /a/b", "five"), rule("example.com/a/b", "six"), rule("example.org/a/b", "no"), rule("/a/", "seven"),
		rule("/a/{rest...}", "eight:{rest}"), rule("/a/b/", "no"), rule("PUT /a/{x}", "no"), rule("/a/b/{$}", "no"),
		rule("/a/{x}", "nine:{tenant}:{x}"), rule("/a/{x}", "ten:{x}:{page=1}:{sort}"), rule("GET /a/{x}", "one:{x}"),
	} {
		s.cache.Handler(r, text("x"))
	}
	s.handle("PUT /{rest...}", freshet.Rule{}, answering(200))
	s.want(s.do("PUT", "/a/b?sort=up", "Host", "example.com:80", "X-Tenant", "t"), writeDone)
	want := [][]freshet.Target{{
		freshet.Key("one:b"), freshet.Key("two:b"), freshet.Key("three:b"), freshet.Key("four:a"), freshet.Key("five"), freshet.Key("six"),
		freshet.Key("seven"), freshet.Key("eight:b"), freshet.Key("nine:t:b"), freshet.Key("ten:b:1:up"),
	}}
	if diff := cmp.Diff(want, s.store.invalidated()); diff != "" {
		t.Errorf("targets (-want +got):\n%s", diff)
	}
}

// A URI has the entries of all callers. A write whose own rule has the same key means
// those of its own.
func TestCallersOfAURI(t *testing.T) {
	for key, others := range map[string]bool{"": true, "write:{caller}": true, "me:{caller=x}": false} {
		t.Run(key, func(t *testing.T) {
			s := newSite(t)
			s.handle("GET /me", freshet.Rule{Key: "me:{caller=x}", Caller: user}, whoami)
			s.handle("PUT /me", freshet.Rule{Key: key, Caller: user}, answering(204))
			for _, name := range []string{"ann", "bob"} {
				s.want(s.get("/me", "X-User", name), stored)
			}
			s.do("PUT", "/me", "X-User", "ann")
			for name, dropped := range map[string]bool{"ann": true, "bob": others} {
				if state := s.get("/me", "X-User", name).state(); (state != hit) != dropped {
					t.Errorf("%s: %s", name, state)
				}
			}
		})
	}
}

// A rule for whole URIs, whose pattern is not known, as a proxy has it.
func TestRelatedURIsWithoutAPattern(t *testing.T) {
	s := newSite(t)
	rule := freshet.Rule{Key: "{host}:{path}:{query}", Params: func(r *http.Request, name string) (string, bool) {
		switch name {
		case "host":
			return r.Host, true
		case "path":
			return r.URL.EscapedPath(), true
		default:
			return r.URL.RawQuery, name == "query"
		}
	}}
	s.mux.Handle("/", s.cache.Handler(rule, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == "POST" {
			answering(201, "Location", "/b/%2F?x=1")(w, r)
		}
	})))
	for _, path := range []string{"/a", "/a?x=1", "/b/%2F", "/b/%2F?x=1", "/b//?x=1"} {
		s.get(path)
	}
	s.want(s.do("POST", "/a"), writeDone)
	s.wantDropped(true, "/a", "/b/%2F?x=1")
	s.wantDropped(false, "/a?x=1", "/b/%2F")
}

// Rules that are made anew for each request are one.
func TestRulesMadeAgain(t *testing.T) {
	s := newSite(t)
	for range 100 {
		s.cache.Handler(freshet.Rule{Pattern: "GET /x/{id}", Key: "x:{id}"}, text("x"))
		s.cache.Middleware(freshet.Rule{Pattern: "GET /x/{id}", Key: "y:{id}"})(text("x"))
	}
	s.handle("DELETE /x/{id}", freshet.Rule{}, answering(204))
	s.do("DELETE", "/x/1")
	want := [][]freshet.Target{{freshet.Key("x:1"), freshet.Key("y:1")}}
	if diff := cmp.Diff(want, s.store.invalidated()); diff != "" {
		t.Errorf("targets (-want +got):\n%s", diff)
	}
}

// RFC 9875: an answer is in the groups that it names, and the answer to an unsafe
// request drops groups before its first byte, by the rule's prefix.
func TestGroups(t *testing.T) {
	many := make([]string, 32)
	for i := range many {
		many[i] = fmt.Sprintf("%q", strings.Repeat("x", 40)+fmt.Sprint(i))
	}
	tests := []struct {
		name, groups, drop string
		drops              bool
	}{
		{"one", `"a"`, `"a"`, true},
		{"of many", `"a", "b";x=1 , "c"`, `"c"; y`, true},
		{"many and long", strings.Join(many, ", "), many[31], true},
		{"another", `"a"`, `"b"`, false},
		{"case", `"a"`, `"A"`, false},
		{"escaped", `"a\"b"`, `"a\"b"`, true},
		{"glob syntax", `"ab"`, `"a*"`, false},
		{"token", `a`, `"a"`, false},
		{"token dropped", `"a"`, `a`, false},
		{"malformed", `"a"`, `"a", "b`, false},
		{"not a string", `"a"`, `"a", 1`, false},
		{"inner list", `"a"`, `("a")`, false},
	}
	for _, tt := range tests {
		for status, method := range map[int]string{200: "POST", 404: "DELETE", 500: "PATCH"} {
			t.Run(fmt.Sprint(tt.name, status), func(t *testing.T) {
				s := newSite(t)
				s.handle("GET /x", freshet.Rule{Key: "x", GroupPrefix: "g:", Tags: []string{"t"}}, answering(200, "Cache-Groups", tt.groups))
				s.handle(method+" /y", freshet.Rule{GroupPrefix: "g:"}, answering(status, "Cache-Group-Invalidation", tt.drop))
				s.handle("POST /z", freshet.Rule{GroupPrefix: "h:"}, answering(status, "Cache-Group-Invalidation", tt.drop))
				s.want(s.get("/x"), stored)
				s.do("POST", "/z")
				s.wantDropped(false, "/x")
				r := s.do(method, "/y")
				s.wantDropped(tt.drops, "/x")
				if done := r.state() == writeDone; tt.drops && !done {
					t.Errorf("Cache-Status %q", r.state())
				}
			})
		}
	}
}

// A group without a name is one like any other.
func TestNamelessGroup(t *testing.T) {
	s := newSite(t)
	s.handle("GET /x", freshet.Rule{Key: "x"}, answering(200, "Cache-Groups", `"", "a"`))
	s.handle("POST /y", freshet.Rule{}, answering(200, "Cache-Group-Invalidation", `""`))
	s.want(s.get("/x"), stored)
	s.want(s.do("POST", "/y"), writeDone)
	s.wantDropped(true, "/x")
}

// The prefix of groups is resolved as tags are, before the handler can change the
// request. Where it cannot be, nothing is stored that nobody could drop, and everything
// is dropped.
func TestGroupPrefix(t *testing.T) {
	s := newSite(t)
	rule := freshet.Rule{Key: "x:{id}", GroupPrefix: "{host}|{org}|", Query: []string{"org"}, Params: func(r *http.Request, name string) (string, bool) {
		return r.Host, name == "host"
	}}
	s.handle("/x/{id}", rule, func(w http.ResponseWriter, r *http.Request) {
		r.Host, r.URL.RawQuery = "", "org=9"
		answering(200, "Cache-Groups", `"a"`, "Cache-Group-Invalidation", `"a"`)(w, r)
	})
	s.want(s.get("/x/1?org=2", "Host", "h"), stored)
	if f := s.store.filled(); len(f) != 1 || !slices.Equal(f[0].Tags, []string{"h|2|a"}) {
		t.Errorf("filled %+v", f)
	}
	s.want(s.get("/x/1"), `fwd=uri-miss; detail="{org} has no value"`)
	s.want(s.get("/x/1?org=1&org=2"), `fwd=uri-miss; detail="repeated parameter"`)
	for _, query := range []string{"?org=2", "", "?org=1&org=2"} {
		s.want(s.do("PUT", "/x/1"+query, "Host", "h"), writeDone)
	}
	want := [][]freshet.Target{{freshet.Key("x:1"), freshet.Tag("h|2|a")}, {freshet.Key("x:1"), freshet.All()}, {freshet.Key("x:1"), freshet.All()}}
	if diff := cmp.Diff(want, s.store.invalidated()); diff != "" {
		t.Errorf("targets (-want +got):\n%s", diff)
	}
	if err := (freshet.Rule{Key: "x", Pattern: "/x", GroupPrefix: "{no}"}).Validate(); err == nil || !strings.Contains(err.Error(), "GroupPrefix") {
		t.Errorf("error %v", err)
	}
}

// A write that is refused drops the groups that its answer names, and nothing else,
// though it streams.
func TestGroupsOfARefusedWrite(t *testing.T) {
	store := newIntents(t)
	c, _ := open(t, store)
	h := routed(c.Handler(item, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = freshet.FromContext(r.Context()).Invalidate(freshet.Key("b"))
		answering(409, "Cache-Group-Invalidation", `"g"`)(w, r)
		if r.URL.RawQuery != "" {
			w.(http.Flusher).Flush()
		}
	})))
	send(t.Context(), h, "PUT", "/items/1")
	send(t.Context(), h, "PUT", "/items/1?stream")
	store.wantJournal(t,
		"intend key:item:1", "add key:b", "carry out tag:g",
		"intend key:item:1", "add key:b", "invalidate tag:g", "carry out tag:g")
}
