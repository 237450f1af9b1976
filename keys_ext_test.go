package freshet_test

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/freshet-dev/freshet"
)

// golden are the keys that the Python original makes, with templates as they are
// written here.
var golden = []struct {
	name    string
	pattern string
	rule    freshet.Rule
	path    string
	key     string
	ttl     time.Duration
}{
	{"id inferred", "GET /posts/{post_id}", freshet.Rule{Key: "post_cache:{}"}, "/posts/123", "post_cache:123", time.Hour},
	{"id named id", "GET /users/{id}", freshet.Rule{Key: "user_data:{}"}, "/users/123", "user_data:123", time.Hour},
	{"id among others", "GET /users/{username}/posts/{post_id}", freshet.Rule{Key: "{username}_posts:{}"},
		"/users/johndoe/posts/456", "johndoe_posts:456", time.Hour},
	{"number from the query", "GET /users/{user_id}/posts/{post_id}", freshet.Rule{Key: "user_{user_id}_posts_page_{page=1}:{post_id}"},
		"/users/123/posts/789?page=2", "user_123_posts_page_2:789", time.Hour},
	{"page in the prefix", "GET /users/{username}/posts/{id}", freshet.Rule{Key: "{username}_posts:page_{page:int=1}:{id}"},
		"/users/johndoe/posts/456", "johndoe_posts:page_1:456", time.Hour},
	{"prefix and id", "GET /{username}/post/{id}", freshet.Rule{Key: "{username}_post_cache:{id}"}, "/john/post/123", "john_post_cache:123", time.Hour},
	{"username", "GET /user/{username}", freshet.Rule{Key: "user_cache:{username}"}, "/user/johndoe", "user_cache:johndoe", time.Hour},
	{"string", "GET /search", freshet.Rule{Key: "search:{query:str}", Query: []string{"query"}}, "/search?query=shoes", "search:shoes", time.Hour},
	{"defaults", "GET /users/{username}/posts",
		freshet.Rule{Key: "{username}_posts:page_{page=1}:items_per_page_{items_per_page=10}:{username}", TTL: 300 * time.Second},
		"/users/johndoe/posts", "johndoe_posts:page_1:items_per_page_10:johndoe", 300 * time.Second},
	{"defaults overridden", "GET /users/{username}/posts",
		freshet.Rule{Key: "{username}_posts:page_{page=1}:items_per_page_{items_per_page=10}:{username}", TTL: 300 * time.Second},
		"/users/johndoe/posts?page=2&items_per_page=25", "johndoe_posts:page_2:items_per_page_25:johndoe", 300 * time.Second},
	{"two ids", "GET /organizations/{org_id}/departments/{dept_id}/employees",
		freshet.Rule{Key: "org_{org_id}_dept_{dept_id}_employees:{dept_id}", TTL: 30 * time.Minute},
		"/organizations/1/departments/2/employees", "org_1_dept_2_employees:2", 30 * time.Minute},
	{"static", "GET /countries", freshet.Rule{Key: "countries", TTL: 24 * time.Hour}, "/countries", "countries", 24 * time.Hour},
	{"int in canonical form", "GET /posts/{post_id}", freshet.Rule{Key: "post_cache:{post_id:int}"}, "/posts/007", "post_cache:7", time.Hour},
	{"sub-second", "GET /now", freshet.Rule{Key: "now", TTL: 20 * time.Millisecond}, "/now", "now", 20 * time.Millisecond},
}

func TestGoldenKeys(t *testing.T) {
	for _, tt := range golden {
		t.Run(tt.name, func(t *testing.T) {
			s := newSite(t)
			s.handle(tt.pattern, tt.rule, uri)
			s.want(s.get(tt.path), stored)
			fills := s.store.filled()
			if len(fills) != 1 || fills[0].Ref != (freshet.Ref{Key: tt.key}) || fills[0].TTL != tt.ttl {
				t.Errorf("filled %+v, want one under %q for %v", fills, tt.key, tt.ttl)
			}
		})
	}
}

func TestGoldenTargets(t *testing.T) {
	s := newSite(t)
	s.handle("PUT /posts/{post_id}", freshet.Rule{Key: "post_cache:{}"}, uri)
	s.handle("POST /posts", freshet.Rule{
		Key: "new_post:{user_id}", Query: []string{"user_id"},
		Invalidate: []string{"user_posts:{user_id}", "latest_posts:global", "user_stats:{user_id}"},
	}, uri)
	s.handle("PUT /users/{user_id}/profile", freshet.Rule{
		Key:             "user_profile:{user_id}",
		InvalidateMatch: []string{"user_{user_id}_*", "*_user_{user_id}_*", "search_results_*"},
		InvalidateTags:  []string{"user:{user_id}"},
	}, uri)
	s.do("PUT", "/posts/123")
	s.do("POST", "/posts?user_id=123")
	s.do("PUT", "/users/5/profile")
	want := [][]freshet.Target{
		{freshet.Key("post_cache:123")},
		{freshet.Key("new_post:123"), freshet.Key("user_posts:123"), freshet.Key("latest_posts:global"), freshet.Key("user_stats:123")},
		{freshet.Key("user_profile:5"), freshet.Match("user_5_*"), freshet.Match("*_user_5_*"), freshet.Match("search_results_*"), freshet.Tag("user:5")},
	}
	if diff := cmp.Diff(want, s.store.invalidated()); diff != "" {
		t.Errorf("targets (-want +got):\n%s", diff)
	}
}

// The profile example of the specification: of all these only one stays.
func TestGoldenProfile(t *testing.T) {
	s := newSite(t)
	s.handle("GET /x/{key}", freshet.Rule{Key: "{key}"}, uri)
	s.handle("PUT /users/{user_id}/profile", freshet.Rule{
		Key:             "user_profile:{user_id:int}",
		InvalidateMatch: []string{"user_{user_id}_*", "*_user_{user_id}_*", "search_results_*"},
	}, uri)
	keys := []string{"user_5_posts_page_1", "x_user_5_y", "search_results_a", "user_55_posts", "friend_user_5_", "user_5_"}
	for _, key := range keys {
		s.want(s.get("/x/"+key), stored)
	}
	s.do("PUT", "/users/005/profile")
	for _, key := range keys {
		state := "fwd=stale; stored; detail=\"banned-match\""
		if key == "user_55_posts" {
			state = hit
		}
		s.want(s.get("/x/"+key), state)
	}
}

// hashRouter is a router that knows nothing of PathValue: /thing/7 is thing 7.
type hashRouter struct{ h http.Handler }

func (hr hashRouter) ServeHTTP(w http.ResponseWriter, r *http.Request) { hr.h.ServeHTTP(w, r) }

func lastSegment(r *http.Request, name string) (string, bool) {
	if name != "id" {
		return "", false
	}
	return r.URL.Path[strings.LastIndexByte(r.URL.Path, '/')+1:], true
}

func TestParams(t *testing.T) {
	for _, pattern := range []string{"", "GET /thing/{id}"} {
		t.Run("pattern "+pattern, func(t *testing.T) {
			s := newSite(t)
			s.serve(hashRouter{s.cache.Handler(freshet.Rule{Key: "thing:{id:int}", Pattern: pattern, Params: lastSegment}, http.HandlerFunc(uri))})
			s.want(s.get("/thing/7"), stored)
			s.want(s.get("/thing/7"), hit)
			// The query must not stand in for the path: the key is still 8's.
			s.wantBody(s.get("/thing/8?id=7"), stored, "GET /thing/8?id=7")
			s.wantBody(s.get("/thing/7"), hit, "GET /thing/7")
			s.do("PUT", "/thing/7?id=8")
			if diff := cmp.Diff([][]freshet.Target{{freshet.Key("thing:7")}}, s.store.invalidated()); diff != "" {
				t.Errorf("targets (-want +got):\n%s", diff)
			}
		})
	}
}

// A pattern that is known but whose values never arrive must not make one entry
// of all paths, whatever the rule's defaults.
func TestForgottenParams(t *testing.T) {
	s := newSite(t)
	s.serve(s.cache.Handler(freshet.Rule{Key: "thing:{id=1}", Pattern: "GET /thing/{id}"}, http.HandlerFunc(uri)))
	s.get("/thing/7")
	s.wantBody(s.get("/thing/8"), stored, "GET /thing/8")
}

func TestMiddleware(t *testing.T) {
	s := newSite(t)
	wrap := s.cache.Middleware(freshet.Rule{Key: "post:{id}"})
	s.mux.Handle("/posts/{id}", wrap(http.HandlerFunc(uri)))
	s.want(s.get("/posts/1"), stored)
	s.wantBody(s.get("/posts/1"), hit, "GET /posts/1")
	s.do("DELETE", "/posts/1")
	s.want(s.get("/posts/1"), stored)
	// Around the whole mux there are no path values: every request bypasses.
	s.serve(wrap(s.mux))
	r := s.get("/posts/2")
	if got := r.Header.Values("Cache-Status"); !strings.Contains(strings.Join(got, ","), "{id} has no value") {
		t.Errorf("Cache-Status %q, want a bypass for want of {id}", got)
	}
}

func TestIDsThatDoNotFit(t *testing.T) {
	s := newSite(t)
	s.handle("/posts/{post_id}", freshet.Rule{Key: "post:{post_id:int}"}, uri)
	for _, id := range []string{"abc", "1.5", "+7", "%20", "99999999999999999999", "1%00", "*", "1%2F2"} {
		s.wantBody(s.get("/posts/"+id), `fwd=bypass; detail="{post_id} does not fit the type int"`, "GET /posts/"+id)
	}
	if fills := s.store.filled(); len(fills) != 0 {
		t.Errorf("filled %v", fills)
	}
	// A write cannot tell what it has changed: all posts go.
	s.do("PUT", "/posts/abc")
	if diff := cmp.Diff([][]freshet.Target{{freshet.Match("post:*")}}, s.store.invalidated()); diff != "" {
		t.Errorf("targets (-want +got):\n%s", diff)
	}
}

func TestHostileValues(t *testing.T) {
	s := newSite(t)
	s.handle("GET /files/{name...}", freshet.Rule{Key: "file:{name}"}, uri)
	s.handle("PUT /files/{name...}", freshet.Rule{Key: "file:{name}", InvalidateMatch: []string{"*:{name}"}}, uri)
	values := map[string]string{
		"*": "%2A", "%3F": "%3F", "[a]": "%5Ba%5D", "%5C": "%5C", "%7Bx%7D": "%7Bx%7D", "a:b": "a%3Ab", "%25": "%25",
		"a%0Ab": "a%0Ab", "%00": "%00", "%FF%FE": "%FF%FE", "a%2Fb": "a%2Fb", "a%23b": "a%23b", "%C3%A9": "%C3%A9", "": "",
	}
	for value, want := range values {
		s.wantBody(s.get("/files/"+value), stored, "GET /files/"+value)
		fills := s.store.filled()
		if got := fills[len(fills)-1].Key; got != "file:"+want {
			t.Errorf("key of %q is %q, want %q", value, got, "file:"+want)
		}
	}
	long := strings.Repeat("x", 10_000)
	s.want(s.get("/files/"+long), stored)
	s.want(s.get("/files/"+long), hit)
	// A name of * drops its own entry and no other.
	s.do("PUT", "/files/*")
	for value := range values {
		if state := s.get("/files/" + value).state(); (state == hit) == (value == "*") {
			t.Errorf("%q after PUT of *: %s", value, state)
		}
	}
}

// What {name...} matches may be nothing; that is no reason to ask the query.
func TestEmptyRest(t *testing.T) {
	for _, rule := range []freshet.Rule{{Key: "file:{name}"}, {Key: "file:{name}", Pattern: "GET /files/{name...}"}} {
		s := newSite(t)
		s.mux.Handle("GET /files/{name...}", s.cache.Handler(rule, http.HandlerFunc(uri)))
		s.want(s.get("/files/?name=secret"), stored)
		s.wantBody(s.get("/files/secret"), stored, "GET /files/secret")
		if key := s.store.filled()[0].Key; key != "file:" {
			t.Errorf("key %q", key)
		}
	}
}

func TestVariants(t *testing.T) {
	s := newSite(t)
	vary := freshet.Rule{Key: "list:{page=1}", IgnoreQuery: []string{"utm"}, VaryHeaders: []string{"accept-language", "HOST"}}
	s.handle("GET /list", vary, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, r.RequestURI+r.Header.Get("Accept-Language")+r.Host)
	})
	s.handle("DELETE /list", freshet.Rule{Invalidate: []string{"list:{page=1}"}}, uri)
	tests := []struct{ name, path, header, value, state string }{
		{"plain", "/list", "", "", stored},
		{"plain again", "/list", "", "", hit},
		{"named", "/list?page=1", "", "", hit},
		{"named, another", "/list?page=2", "", "", stored},
		{"unnamed", "/list?a=1&b=2", "", "", stored},
		{"unnamed, reordered", "/list?b=2&a=1", "", "", hit},
		{"unnamed, named beside", "/list?b=2&page=1&a=1", "", "", hit},
		{"unnamed, other value", "/list?b=2&a=2", "", "", stored},
		{"unnamed, repeated", "/list?a=1&a=2", "", "", stored},
		{"unnamed, repeated in another order", "/list?a=2&a=1", "", "", stored},
		{"unnamed, empty", "/list?a=", "", "", stored},
		{"unnamed, bounds moved", "/list?a1=&b=", "", "", stored},
		{"unnamed, two", "/list?x=1&y=2", "", "", stored},
		{"unnamed, one that reads like two", "/list?x=1qy2", "", "", stored},
		{"ignored", "/list?utm=1", "", "", hit},
		{"ignored beside", "/list?utm=1&a=", "", "", hit},
		{"named, repeated", "/list?page=1&page=2", "", "", `fwd=bypass; detail="repeated parameter"`},
		{"malformed", "/list?a=%zz", "", "", `fwd=bypass; detail="malformed query"`},
		{"semicolon", "/list?a=1;b=2", "", "", `fwd=bypass; detail="malformed query"`},
		{"header", "/list", "Accept-Language", "pt", stored},
		{"header again", "/list", "Accept-Language", "pt", hit},
		{"header, other", "/list", "Accept-Language", "en", stored},
		{"header that does not vary", "/list", "Accept", "text/plain", hit},
		{"host", "/list", "Host", "other.example", stored},
		{"host again", "/list", "Host", "other.example", hit},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s.t = t
			var header []string
			if tt.header != "" {
				header = []string{tt.header, tt.value}
			}
			s.want(s.get(tt.path, header...), tt.state)
		})
	}
	s.t = t
	keys := make(map[string]int)
	for _, f := range s.store.filled() {
		keys[f.Key]++
	}
	if diff := cmp.Diff(map[string]int{"list:1": 12, "list:2": 1}, keys); diff != "" {
		t.Errorf("variants of each key (-want +got):\n%s", diff)
	}
	// One invalidation of the key drops them all, and no other key's.
	s.do("DELETE", "/list")
	for _, f := range []string{"/list", "/list?a=1&b=2", "/list?a=", "/list?a=2&a=1"} {
		if state := s.get(f).state(); state == hit {
			t.Errorf("%s is a hit after the invalidation", f)
		}
	}
	s.want(s.get("/list?page=2"), hit)
}

func TestIgnoreQueryAll(t *testing.T) {
	s := newSite(t)
	s.handle("GET /list", freshet.Rule{Key: "list:{page=1}", IgnoreQuery: []string{"*"}}, uri)
	s.want(s.get("/list?x=1"), stored)
	s.want(s.get("/list?y=2&x=3"), hit)
	s.want(s.get("/list?page=2"), stored)
	// page is named, so * does not ignore it: its second value may be read.
	s.want(s.get("/list?page=1&page=3"), `fwd=bypass; detail="repeated parameter"`)
}

func TestUnnamedPath(t *testing.T) {
	tests := []struct{ name, pattern, key, one, other string }{
		{"wildcard", "GET /{lang}/posts/{id}", "post:{id}", "/pt/posts/1", "/en/posts/1"},
		{"rest", "GET /docs/{rest...}", "docs", "/docs/a", "/docs/b"},
		{"subtree", "GET /docs/", "docs", "/docs/a", "/docs/b"},
		{"subtree, encoded", "GET /docs/", "docs", "/docs/a/b", "/docs/a%2Fb"},
		{"query of a wildcard's name", "GET /posts/{id}", "post:{id}", "/posts/1?id=2", "/posts/1?id=3"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newSite(t)
			s.handle(tt.pattern, freshet.Rule{Key: tt.key}, uri)
			for _, path := range []string{tt.one, tt.other} {
				s.wantBody(s.get(path), stored, "GET "+path)
			}
			for _, path := range []string{tt.one, tt.other} {
				s.wantBody(s.get(path), hit, "GET "+path)
			}
		})
	}
}

// Keys in which values meet are told apart by the identity kept in the entry.
func TestCollisionOfKeys(t *testing.T) {
	s := newSite(t)
	s.handle("GET /x/{a}/{b}", freshet.Rule{Key: "{a}_{b}"}, uri)
	s.handle("GET /y/{a}/{b}", freshet.Rule{Key: "{a}_{b}"}, uri)
	paths := []string{"/x/1_2/3", "/x/1/2_3", "/y/1/2_3"}
	for range 2 {
		for _, path := range paths {
			s.wantBody(s.get(path), stored, "GET "+path)
			s.wantBody(s.get(path), hit, "GET "+path)
		}
	}
	for _, f := range s.store.filled() {
		if f.Ref != (freshet.Ref{Key: "1_2_3"}) {
			t.Errorf("filled %v: the paths do not collide", f.Ref)
		}
	}
}

// One rule on two hosts is two routes, though nothing in it says so.
func TestUnroutedHosts(t *testing.T) {
	s := newSite(t)
	for _, host := range []string{"a.example", "b.example"} {
		s.mux.Handle(host+"/x", s.cache.Handler(freshet.Rule{Key: "x"}, text(host)))
	}
	for _, host := range []string{"a.example", "b.example", "a.example"} {
		s.wantBody(s.get("/x", "Host", host), stored, host)
	}
}
