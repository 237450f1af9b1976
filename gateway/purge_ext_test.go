package gateway_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

const token = "a token of some length"

// purge sends an order and returns the answer.
func (s *site) purge(order, given string) *httptest.ResponseRecorder {
	r := httptest.NewRequestWithContext(s.Context(), "POST", "/.freshet/purge", strings.NewReader(order))
	if given != "" {
		r.Header.Set("Authorization", given)
	}
	w := httptest.NewRecorder()
	s.gateway.Purge().ServeHTTP(w, r)
	return w
}

func admin(t *testing.T) string {
	return fmt.Sprintf("\nadmin: {token_file: %q}\n", secret(t, token+"\n"))
}

func TestPurge(t *testing.T) {
	const all = "/posts/7 /posts/8 /posts /top/3 /page /else /else?x=1"
	tests := []struct{ order, gone string }{
		{`{"keys": ["post:7", "posts:1"]}`, "/posts/7 /posts"},
		{`{"tags": ["author:8"]}`, "/posts/8"},
		{`{"match": ["post*"]}`, "/posts/7 /posts/8 /posts"},
		{`{"match": ["http://*/else*"]}`, "/else /else?x=1"},
		{`{"urls": ["SITE/posts/7", "SITE/else?x=1"]}`, "/posts/7 /else?x=1"},
		{`{"urls": ["SITE//posts/%37?y"]}`, "/posts/7"},
		{`{"urls": ["http://other.example/page"]}`, ""},
		{`{"groups": ["g"], "origin": "SITE"}`, "/page"},
		{`{"groups": ["g"], "origin": "http://other.example"}`, ""},
		{`{"all": true}`, all},
	}
	for _, tt := range tests {
		t.Run(tt.order, func(t *testing.T) {
			s := open(t, api(), shop+admin(t))
			s.get("/page", `Answer-Cache-Groups: "g"`)
			s.stores(strings.Fields(all)...)
			w := s.purge(strings.ReplaceAll(tt.order, "SITE", s.url), "Bearer "+token)
			var answer struct{ Version string }
			if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil || w.Code != http.StatusOK || len(answer.Version) < 10 {
				t.Fatalf("%d %s, %v", w.Code, w.Body, err)
			}
			wanted := make(map[string]bool)
			for path := range strings.FieldsSeq(all) {
				wanted[path] = true
			}
			for path := range strings.FieldsSeq(tt.gone) {
				wanted[path] = false
			}
			s.hits(tt.order, wanted)
		})
	}
}

// TestPurgeSoftly: what is stale is not served as fresh, but is served if the upstream
// fails, where that is allowed.
func TestPurgeSoftly(t *testing.T) {
	s := open(t, api(), plain+"routes: [{pattern: \"GET /a\", key: a, ttl: 1h}]"+admin(t))
	s.stores("/a")
	if w := s.purge(`{"keys": ["a"], "soft": true}`, "Bearer "+token); w.Code != http.StatusOK {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	if got := s.get("/a").cached(); got == "hit" {
		t.Error("what is softly purged is served as fresh")
	}
}

func TestOrdersThatAreRefused(t *testing.T) {
	s := open(t, api(), shop+admin(t))
	s.stores("/posts/7")
	for order, given := range map[string]string{
		`{"all": true}`:                        "",
		`{"all": true }`:                       "Bearer",
		`{"all":  true}`:                       "Bearer wrong",
		`{"all":   true}`:                      "Basic " + token,
		`{"all":    true}`:                     "Bearer " + token + "x",
		`{"all":     true}`:                    "Bearer " + token[1:],
		`{"keys": ["post:7"], "soft": "true"}`: "Bearer " + token,
		`{"keys": ["post:7"], "sofd": true}`:   "Bearer " + token,
		`{"keys": ["post:7"]} {}`:              "Bearer " + token,
		`{"keys": ["post:7", ""]}`:             "Bearer " + token,
		`{"keys": ["post:7"], "match": ["["]}`: "Bearer " + token,
		`{"urls": ["/posts/7"]}`:               "Bearer " + token,
		`{"urls": ["http://h.com/../x"]}`:      "Bearer " + token,
		`{"groups": ["g"]}`:                    "Bearer " + token,
		`{}`:                                   "Bearer " + token,
		``:                                     "Bearer " + token,
	} {
		wanted := http.StatusBadRequest
		if given != "Bearer "+token {
			wanted = http.StatusUnauthorized
		}
		if w := s.purge(order, given); w.Code != wanted {
			t.Errorf("%s with %q: %d %s", order, given, w.Code, w.Body)
		}
	}
	s.hits("all that", map[string]bool{"/posts/7": true})
}

// TestNoToken: without a configured token there is none that would do.
func TestNoToken(t *testing.T) {
	s := open(t, api(), plain+"purge_method: on")
	s.stores("/a")
	for _, given := range []string{"", "Bearer", "Bearer "} {
		if w := s.purge(`{"all": true}`, given); w.Code != http.StatusForbidden {
			t.Errorf("%q: %d %s", given, w.Code, w.Body)
		}
	}
	if got := s.do("PURGE", "/a", "", "Authorization: Bearer "); got.StatusCode != http.StatusForbidden {
		t.Errorf("PURGE: %s", got.Status)
	}
	s.hits("all that", map[string]bool{"/a": true})
}

func TestPurgeMethod(t *testing.T) {
	s := open(t, api(), shop+admin(t)+"purge_method: on")
	s.stores("/posts/7", "/else", "/else?x")
	const bearer = "Authorization: Bearer " + token
	for path, fields := range map[string][]string{"/posts/7": {bearer}, "/else": {bearer, "Freshet-Purge: soft"}} {
		if got := s.do("PURGE", path, "", fields...); got.StatusCode != http.StatusOK || !strings.Contains(got.body, `"version"`) {
			t.Errorf("%s: %s %s", path, got.Status, got.body)
		}
	}
	s.hits("PURGE", map[string]bool{"/posts/7": false, "/else": false, "/else?x": true})
	for wanted, fields := range map[int][]string{401: {"Authorization: Bearer no"}, 400: {bearer, "Freshet-Purge: sof"}} {
		if got := s.do("PURGE", "/else?x", "", fields...); got.StatusCode != wanted {
			t.Errorf("%q: %s", fields, got.Status)
		}
	}
	s.hits("refused PURGE", map[string]bool{"/else?x": true})
}

// TestPurgeMethodIsOff by default: it is the upstream's then.
func TestPurgeMethodIsOff(t *testing.T) {
	s := open(t, api(), plain+admin(t))
	if got := s.do("PURGE", "/a", ""); got.StatusCode != http.StatusOK || !strings.HasPrefix(got.body, "/a ") {
		t.Errorf("%s %s", got.Status, got.body)
	}
}
