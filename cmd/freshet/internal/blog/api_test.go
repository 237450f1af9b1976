package blog

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/freshet-dev/freshet/cmd/freshet/internal/blog/blogdb"
	"github.com/freshet-dev/freshet/memstore"
)

func decodeAnswer[T any](t *testing.T, w *httptest.ResponseRecorder) (v T) {
	t.Helper()
	if err := json.Unmarshal(w.Body.Bytes(), &v); err != nil {
		t.Fatalf("%v in %s", err, w.Body)
	}
	return v
}

func TestBadInput(t *testing.T) {
	d := newDemo(t, 0, memstore.Open)
	long := strings.Repeat("x", 10_000)
	tests := []struct {
		name, method, target, body string
		want                       int
	}{
		{"word as id", "GET", "/posts/abc", "", 400},
		{"sign", "GET", "/posts/+7", "", 400},
		{"fraction", "GET", "/posts/7.0", "", 400},
		{"space", "GET", "/posts/%207", "", 400},
		{"NUL", "GET", "/posts/7%00", "", 400},
		{"slash", "GET", "/posts/7%2F8", "", 400},
		{"too large", "GET", "/posts/9223372036854775808", "", 400},
		{"long", "GET", "/posts/" + long, "", 400},
		{"negative", "GET", "/posts/-1", "", 404},
		{"unknown post", "GET", "/posts/999999", "", 404},
		{"unknown author", "GET", "/authors/201/posts", "", 404},
		{"unknown author of statistics", "GET", "/authors/201/stats", "", 404},
		{"malformed author", "GET", "/authors/*/stats", "", 400},
		{"unknown username", "GET", "/users/nobody/posts", "", 404},
		{"star", "GET", "/users/*/posts", "", 404},
		{"glob", "GET", "/users/%5Ba-z%5D%3F%5C/posts", "", 404},
		{"braces", "GET", "/users/%7Busername%7D/posts", "", 404},
		{"line break", "GET", "/users/john%0Adoe/posts", "", 404},
		{"invalid UTF-8", "GET", "/users/%ff%fe/posts", "", 404},
		{"long username", "GET", "/users/" + long + "/posts", "", 404},
		{"post of another user", "GET", "/users/maria0/posts/456", "", 404},
		{"page 0", "GET", "/users/johndoe/posts?page=0", "", 400},
		{"negative page", "GET", "/users/johndoe/posts?page=-1", "", 400},
		{"empty page", "GET", "/users/johndoe/posts?page=", "", 400},
		{"word as page", "GET", "/users/johndoe/posts?page=two", "", 400},
		{"huge page", "GET", "/users/johndoe/posts?page=9223372036854775807", "", 400},
		{"too many items", "GET", "/users/johndoe/posts?items_per_page=101", "", 400},
		{"two pages", "GET", "/users/johndoe/posts?page=1&page=2", "", 200},
		{"page after the last", "GET", "/users/johndoe/posts?page=1000000&items_per_page=100", "", 200},
		{"broken query", "GET", "/users/johndoe/posts?page=%zz&;", "", 200},
		{"unknown organization", "GET", "/organizations/11/departments/1/employees", "", 404},
		{"malformed department", "GET", "/organizations/1/departments/x/employees", "", 400},
		{"no search text", "GET", "/search", "", 400},
		{"empty search text", "GET", "/search?q=", "", 400},
		{"long search text", "GET", "/search?q=" + long, "", 400},
		{"search for NUL", "GET", "/search?q=%00", "", 400},
		{"search for invalid UTF-8", "GET", "/search?q=%ff", "", 400},
		{"search for syntax", "GET", "/search?q=*%3F%5B%5D%5C%7B%7D%3A%25%27%22%0A%23", "", 200},
		{"unknown profile", "GET", "/users/0/profile", "", 404},
		{"malformed profile", "GET", "/users/johndoe/profile", "", 400},
		{"unknown route", "GET", "/nothing", "", 404},
		{"unknown method", "PATCH", "/posts/456", `{}`, 405},
		{"put without body", "PUT", "/posts/456", "", 400},
		{"put half a body", "PUT", "/posts/456", `{"title":"x`, 400},
		{"put no JSON", "PUT", "/posts/456", "title=x", 400},
		{"put a list", "PUT", "/posts/456", `[]`, 400},
		{"put two objects", "PUT", "/posts/456", `{"title":"x"} {}`, 400},
		{"put junk after", "PUT", "/posts/456", `{"title":"x"} x`, 400},
		{"put a number", "PUT", "/posts/456", `{"title":5}`, 400},
		{"put an empty title", "PUT", "/posts/456", `{"title":""}`, 400},
		{"put a long title", "PUT", "/posts/456", `{"title":"` + long + `"}`, 400},
		{"put NUL", "PUT", "/posts/456", `{"body":"a\u0000b"}`, 400},
		{"put too much", "PUT", "/posts/456", `{"body":"` + strings.Repeat("x", maxRequest) + `"}`, 413},
		{"put too much blank", "PUT", "/posts/456", `{"body":"x"}` + strings.Repeat(" ", maxRequest), 413},
		{"put nowhere", "PUT", "/posts/999999", `{"title":"x"}`, 404},
		{"put malformed", "PUT", "/posts/x", `{"title":"x"}`, 400},
		{"delete nowhere", "DELETE", "/posts/999999", "", 404},
		{"delete malformed", "DELETE", "/posts/x", "", 400},
		{"post of nobody", "POST", "/posts", `{"title":"x","body":"y"}`, 400},
		{"post of an unknown", "POST", "/posts?user_id=201", `{"title":"x","body":"y"}`, 404},
		{"post of a star", "POST", "/posts?user_id=*", `{"title":"x","body":"y"}`, 400},
		{"post without body", "POST", "/posts?user_id=123", `{"title":"x"}`, 400},
		{"put nobody's profile", "PUT", "/users/201/profile", `{"name":"x"}`, 404},
		{"put a malformed profile", "PUT", "/users/x/profile", `{"name":"x"}`, 400},
		{"put an empty name", "PUT", "/users/5/profile", `{"name":""}`, 400},
		{"put a list as name", "PUT", "/users/5/profile", `{"name":["x"]}`, 400},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for _, h := range []http.Handler{d.bare, d.cached, d.cached} {
				w := send(h, tt.method, tt.target, tt.body)
				if w.Code != tt.want {
					t.Fatalf("%s %.100s: %d, want %d: %.200s", tt.method, tt.target, w.Code, tt.want, w.Body)
				}
				if w.Header().Get("Content-Type") != "application/json" {
					continue // net/http's own answer
				}
				if got := decodeAnswer[failure](t, w); (got.Error == "") == (tt.want >= 400) || len(got.Error) > 200 {
					t.Errorf("error %.300q", got.Error)
				}
			}
		})
	}
}

func TestPutTakesWhatGetAnswers(t *testing.T) {
	d := newDemo(t, 0, memstore.Open)
	for _, target := range []string{"/posts/456", "/users/123/profile"} {
		before := get(d.cached, target).Body.String()
		w := send(d.cached, "PUT", target, before)
		if w.Code != http.StatusOK || w.Body.String() != before || get(d.cached, target).Body.String() != before {
			t.Errorf("PUT %s of its own answer: %d %s, want %s", target, w.Code, w.Body, before)
		}
	}
	body := `{"id":1,"user_id":9,"username":"x","title":"new","created_at":"x","colour":"red"}`
	before := decodeAnswer[blogdb.Post](t, get(d.cached, "/posts/456"))
	got := decodeAnswer[blogdb.Post](t, send(d.cached, "PUT", "/posts/456", body))
	before.Title = "new"
	if diff := cmp.Diff(before, got); diff != "" {
		t.Errorf("PUT with fields that are not for writing (-want +got):\n%s", diff)
	}
}

func TestCreateAndDelete(t *testing.T) {
	d := newDemo(t, 0, memstore.Open)
	w := send(d.cached, "POST", "/posts?user_id=123", `{"title":"a <title>","body":"b"}`)
	made := decodeAnswer[blogdb.Post](t, w)
	if w.Code != http.StatusCreated || w.Header().Get("Location") != "/posts/501" || made.Username != "johndoe" {
		t.Fatalf("POST: %d %v %s", w.Code, w.Header(), w.Body)
	}
	for range 2 {
		if got := get(d.cached, "/posts/501").Body.String(); got != w.Body.String() {
			t.Errorf("GET: %s, want %s", got, w.Body)
		}
	}
	if w := send(d.cached, "DELETE", "/posts/501", ""); w.Code != http.StatusNoContent || w.Body.Len() != 0 {
		t.Errorf("DELETE: %d %s", w.Code, w.Body)
	}
	if w := get(d.cached, "/posts/501"); w.Code != http.StatusNotFound {
		t.Errorf("GET after DELETE: %d %s", w.Code, w.Body)
	}
}

func TestOneEntryForOneID(t *testing.T) {
	d := newDemo(t, 0, memstore.Open)
	get(d.cached, "/posts/7")
	if !isHit(get(d.cached, "/posts/007")) {
		t.Error("/posts/007 is no hit after /posts/7")
	}
}

func TestUserPostsPages(t *testing.T) {
	d := newDemo(t, 0, memstore.Open)
	all := decodeAnswer[userPosts](t, get(d.cached, "/users/johndoe/posts?items_per_page=100"))
	if all.Total < 3 || len(all.Posts) != all.Total || all.UserID != 123 {
		t.Fatalf("all posts: %+v", all)
	}
	second := decodeAnswer[userPosts](t, get(d.cached, "/users/johndoe/posts?page=2&items_per_page=1"))
	if diff := cmp.Diff(all.Posts[1:2], second.Posts); diff != "" || second.Page != 2 || second.ItemsPerPage != 1 {
		t.Errorf("second page %+v (-want +got):\n%s", second, diff)
	}
	after := get(d.cached, "/users/johndoe/posts?page=1000")
	if !strings.Contains(after.Body.String(), `"posts":[]`) {
		t.Errorf("page after the last: %s", after.Body)
	}
}

func TestRuns(t *testing.T) {
	d := newDemo(t, 0, memstore.Open)
	for range 3 {
		get(d.cached, "/posts/456")
	}
	get(d.cached, "/posts/457")
	send(d.cached, "PUT", "/posts/456", `{"title":"x"}`)
	get(d.cached, "/posts/456")
	w := get(d.cached, "/debug/runs")
	counts := decodeAnswer[map[string]int](t, w)
	want := map[string]int{"GET /posts/{post_id}": 3, "PUT /posts/{post_id}": 1, "GET /countries": 0}
	for pattern, n := range want {
		if got, listed := counts[pattern]; got != n || !listed {
			t.Errorf("%s has run %d times, want %d", pattern, got, n)
		}
	}
	if len(counts) != 15 || w.Header().Get("Cache-Control") != "no-store" {
		t.Errorf("%d routes, %v", len(counts), w.Header())
	}
}

func TestIndex(t *testing.T) {
	d := newDemo(t, 0, memstore.Open)
	w := get(d.cached, "/")
	for _, want := range []string{"GET /search", "search_results_{q:str}:{page:int=1}", "GET /debug/runs"} {
		if !strings.Contains(w.Body.String(), want) {
			t.Errorf("the index has no %q:\n%s", want, w.Body)
		}
	}
}
