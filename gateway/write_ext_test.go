package gateway_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
)

// api is an upstream whose answers tell how often each was made; a header of the
// request that begins with Answer- is one of its answer's.
func api() http.Handler {
	var n atomic.Int64
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "max-age=600")
		for name, lines := range r.Header {
			if name, ok := strings.CutPrefix(name, "Answer-"); ok {
				w.Header()[name] = lines
			}
		}
		if r.Header.Get("Status") != "" {
			w.WriteHeader(http.StatusConflict)
		}
		fmt.Fprintf(w, "%s %d", r.RequestURI, n.Add(1))
	})
}

// stores asks for paths until they are stored.
func (s *site) stores(paths ...string) {
	s.Helper()
	for _, path := range paths {
		s.get(path)
		if got := s.get(path).cached(); got != "hit" {
			s.Fatalf("%s is not stored: %s", path, got)
		}
	}
}

// hits checks which of paths are still answered from the cache.
func (s *site) hits(what string, paths map[string]bool) {
	s.Helper()
	for path, wanted := range paths {
		if got := s.get(path).cached(); (got == "hit") != wanted {
			s.Errorf("after %s, %s: %s", what, path, got)
		}
	}
}

// TestWritesByDefault: what no rule speaks of is invalidated as HTTP says.
func TestWritesByDefault(t *testing.T) {
	s := open(t, api(), plain)
	s.stores("/a", "/a?x=1", "/b")
	s.do("POST", "/a", "text")
	s.hits("POST /a", map[string]bool{"/a": false, "/a?x=1": true, "/b": true})

	s.stores("/a", "/b", "/c")
	s.do("DELETE", "/a", "", "Answer-Location: /b?", "Answer-Content-Location: "+s.url+"/c")
	s.hits("DELETE /a", map[string]bool{"/a": false, "/b": true, "/c": false})
	s.do("PUT", "/x", "", "Answer-Location: b")
	s.hits("PUT /x", map[string]bool{"/b": false})

	s.stores("/a", "/b")
	s.do("POST", "/a", "", "Answer-Location: http://elsewhere.example/b")
	s.hits("POST with a foreign Location", map[string]bool{"/b": true})
	s.stores("/a")
	s.do("POST", "/a", "", "Status: 409")
	s.hits("a refused POST", map[string]bool{"/a": true})
	for _, safe := range []string{"HEAD", "OPTIONS"} {
		s.do(safe, "/a", "")
		s.hits(safe, map[string]bool{"/a": true})
	}
}

const shop = plain + `
routes:
  - {pattern: "GET /posts/{post_id}", key: "post:{post_id:int}", ttl: 1h, tags: ["author:{post_id}"]}
  - {pattern: "GET /posts", key: "posts:{page:int=1}", ttl: 1h, tags: [lists]}
  - pattern: PUT /posts/{post_id}
    key: post:{post_id:int}
    invalidate: ["posts:1"]
    invalidate_match: ["top_*"]
    invalidate_tags: [lists]
  - {pattern: "POST /posts", invalidate_match: ["posts:*"]}
  - {pattern: "GET /top/{n}", key: "top_{n}", ttl: 1h}
  - {pattern: "GET /page", ttl: 1h}
  - {pattern: "GET /live", cache: off}
  - {pattern: "PUT /else", invalidate_match: ["nothing"]}
`

func TestWritesByRule(t *testing.T) {
	s := open(t, api(), shop)
	s.stores("/posts/7", "/posts/8", "/posts", "/posts?page=2", "/top/3", "/page", "/else")
	s.do("PUT", "/posts/007", "text")
	s.hits("PUT /posts/007", map[string]bool{
		"/posts/7": false, "/posts/8": true, "/posts": false, "/posts?page=2": false, "/top/3": false, "/page": true, "/else": true,
	})
	s.stores("/posts/9", "/posts", "/page", "/else")
	s.do("POST", "/posts", "text", "Answer-Location: /else")
	s.hits("POST /posts", map[string]bool{"/posts": false, "/posts/9": true, "/page": true, "/else": false})
	s.stores("/posts/9", "/else")
	s.do("POST", "/posts", "text", "Answer-Location: /posts/9", "Answer-Content-Location: /page")
	s.hits("POST /posts", map[string]bool{"/posts/9": false, "/page": false, "/else": true})
	// What no route writes is still the URI's.
	s.stores("/posts/7", "/page")
	s.do("DELETE", "/posts/7", "")
	s.do("PATCH", "/page", "text")
	s.hits("DELETE", map[string]bool{"/posts/7": false, "/page": false})
	s.stores("/else", "/page")
	s.do("PUT", "/else", "text")
	s.hits("PUT /else", map[string]bool{"/else": false, "/page": true})
	for range 2 {
		if got := s.get("/live").Header.Get("Cache-Status"); got != "" {
			t.Errorf("/live, which is not cached: %s", got)
		}
	}
}

// TestCallers: whoever is told apart gets nobody else's answer.
func TestCallers(t *testing.T) {
	s := open(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%s %s", r.Header.Get("Authorization"), r.Header.Get("Cookie"))
	}), plain+`
routes:
  - {pattern: "GET /h", key: "h:{caller}", caller: {header: authorization}, ttl: 1h}
  - {pattern: "GET /c", key: "c", caller: {cookie: sid}, ttl: 1h}
  - {pattern: "GET /s", key: "s", shared: true, ttl: 1h}
  - {pattern: "GET /n", key: "n", ttl: 1h}
`)
	get := func(path, field, wanted string, hit bool) {
		t.Helper()
		if got := s.get(path, field); got.body != wanted || (got.cached() == "hit") != hit {
			t.Errorf("%s %s: %q %s", path, field, got.body, got.cached())
		}
	}
	get("/h", "Authorization: a", "a ", false)
	get("/h", "Authorization: b", "b ", false)
	get("/h", "Authorization: a", "a ", true)
	get("/h", "X: y", " ", false)
	get("/c", "Cookie: sid=1; x=2", " sid=1; x=2", false)
	get("/c", "Cookie: x=3; sid=1", " sid=1; x=2", true)
	get("/c", "Cookie: sid=2", " sid=2", false)
	get("/s", "Authorization: a", "a ", false)
	get("/s", "Authorization: b", "a ", true)
	get("/n", "Authorization: a", "a ", false)
	get("/n", "Authorization: b", "b ", false)
	get("/n", "X: y", " ", false)
	get("/n", "X: y", " ", true)
}

// TestGroups: groups that answers name are invalidated by answers of the same origin.
func TestGroups(t *testing.T) {
	const group, drops = `Answer-Cache-Groups: "g"`, `Answer-Cache-Group-Invalidation: "g"`
	for name, file := range map[string]string{"by URI": plain, "by rule": plain + `routes: [{pattern: "GET /{x}", key: "x:{x}", ttl: 1h}]`} {
		t.Run(name, func(t *testing.T) {
			s := open(t, api(), file)
			fill := func(host string) {
				s.get("/a", "Host: "+host, group)
				if got := s.get("/a", "Host: "+host).cached(); got != "hit" {
					t.Fatalf("not stored: %s", got)
				}
			}
			fill("h.com")
			fill("i.com")
			s.do("POST", "/w", "text", "Host: h.com", drops)
			if got := s.get("/a", "Host: h.com").cached(); got == "hit" {
				t.Error("the group is still served")
			}
			if got := s.get("/a", "Host: i.com").cached(); got != "hit" {
				t.Errorf("the group of another origin is gone: %s", got)
			}
			fill("h.com")
			s.get("/w", "Host: h.com", drops)
			if got := s.get("/a", "Host: h.com").cached(); got != "hit" {
				t.Errorf("a read has invalidated the group: %s", got)
			}
		})
	}
}

// TestGroupsAreTags where there is only one origin: what answers name and what rules
// name is the same.
func TestGroupsAreTags(t *testing.T) {
	s := open(t, api(), plain+`
origins: ["http://h.com"]
routes:
  - {pattern: "GET /t", key: t, ttl: 1h, tags: [g]}
  - {pattern: "PUT /t", invalidate_tags: [g]}
`)
	const host = "Host: h.com"
	s.get("/a", host, `Answer-Cache-Groups: "g"`)
	s.get("/t", host)
	s.do("PUT", "/t", "text", host)
	if got := s.get("/a", host).cached(); got == "hit" {
		t.Error("the rule's tag does not cover the answer's group")
	}
	s.get("/t", host)
	s.do("POST", "/x", "text", host, `Answer-Cache-Group-Invalidation: "g"`)
	if got := s.get("/t", host).cached(); got == "hit" {
		t.Error("the answer's group does not cover the rule's tag")
	}
}
