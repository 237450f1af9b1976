package freshet_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/freshet-dev/freshet"
	"github.com/freshet-dev/freshet/memstore"
)

// echo answers with all that a handler of its route may look at: the names are
// those of its wildcards, and an id is read as a number.
func echo(names ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		for _, name := range names {
			value := r.PathValue(name)
			if id, err := strconv.ParseInt(value, 10, 64); name == "id" && err == nil {
				value = strconv.FormatInt(id, 10)
			}
			_, _ = fmt.Fprintf(w, "%s=%q ", name, value)
		}
		if len(names) == 0 {
			_, _ = fmt.Fprintf(w, "path=%q ", r.URL.EscapedPath())
		}
		q := r.URL.Query()
		if q["y"] == nil {
			q.Set("y", "") // the default that the rule states
		}
		if page, err := strconv.ParseInt(q.Get("page"), 10, 64); err == nil && len(q["page"]) == 1 {
			q.Set("page", strconv.FormatInt(page, 10))
		} else if q["page"] == nil {
			q.Set("page", "1")
		}
		_, _ = fmt.Fprintf(w, "query=%q user=%q lang=%q", q.Encode(), r.Header.Get("X-User"), r.Header.Values("Accept-Language"))
	}
}

var echoes = []struct {
	pattern string
	rule    freshet.Rule
	handler http.HandlerFunc
}{
	{"GET /two/{a}/{b}", freshet.Rule{Key: "{a}_{b}:{page:int=1}"}, echo("a", "b")},
	{"GET /eno/{a}/{b}", freshet.Rule{Key: "{b}_{a}:{page:int=1}"}, echo("a", "b")},
	{"GET /half/{a}/{b}", freshet.Rule{Key: "{a}"}, echo("a", "b")},
	{"GET /id/{id}", freshet.Rule{Key: "id:{id:int}"}, echo("id")},
	{"GET /rest/{rest...}", freshet.Rule{Key: "rest:{rest}"}, echo("rest")},
	{"GET /sub/", freshet.Rule{Key: "sub"}, echo()},
	{"GET /query/{x}", freshet.Rule{Key: "{x}:{y=}", Query: []string{"y"}}, echo("x")},
	{"GET /me/{x}", freshet.Rule{Key: "{caller}:{x}", Caller: user}, echo("x")},
}

// echoMuxes returns the same routes without a cache, and behind caches that know
// the patterns and that do not.
func echoMuxes(t testing.TB) (bare *http.ServeMux, cached [2]*http.ServeMux) {
	t.Helper()
	bare = http.NewServeMux()
	for _, e := range echoes {
		bare.Handle(e.pattern, e.handler)
	}
	for i := range cached {
		store, err := memstore.New(nil)
		if err != nil {
			t.Fatal(err)
		}
		cache, err := freshet.New(store, &freshet.Options{Logger: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = cache.Close(context.Background()) })
		cached[i] = http.NewServeMux()
		for _, e := range echoes {
			if e.rule.Caller == nil {
				e.rule.Caller = user
			}
			e.rule.VaryHeaders = []string{"Accept-Language"}
			if i == 0 {
				e.rule.Pattern = e.pattern
			}
			cached[i].Handle(e.pattern, cache.Handler(e.rule, e.handler))
		}
	}
	return bare, cached
}

func answerOf(h http.Handler, path, query, lang, user string) string {
	r := &http.Request{
		Method: "GET", Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Host: "example.com",
		URL: &url.URL{Path: path, RawQuery: query}, Header: http.Header{}, Body: http.NoBody,
	}
	if lang != "" {
		r.Header.Set("Accept-Language", lang)
	}
	if user != "" {
		r.Header.Set("X-User", user)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return fmt.Sprint(w.Code, " ", w.Body)
}

func wantEcho(t interface {
	Errorf(format string, args ...any)
}, bare http.Handler, cached [2]*http.ServeMux, path, query, lang, user string) {
	want := answerOf(bare, path, query, lang, user)
	for i, mux := range cached {
		for _, when := range []string{"first", "second"} {
			if diff := cmp.Diff(want, answerOf(mux, path, query, lang, user)); diff != "" {
				t.Errorf("%s answer of cache %d to %q ? %q, %q, %q (-want +got):\n%s", when, i, path, query, lang, user, diff)
			}
		}
	}
}

// Whatever is asked, a cached answer is the handler's own. The caches live
// through all inputs, so that any two of them may meet in one key.
func FuzzRequest(f *testing.F) {
	f.Add("/two/1_2/3", "a=1&b=2", "pt", "ann")
	f.Add("/two/1/2_3", "page=2&page=3", "", "")
	f.Add("/eno/2_3/1", "page=", "en, pt", "a:b")
	f.Add("/id/007", "id=8&caller=x", "", "bob")
	f.Add("/rest/", "rest=a%2Fb", "\x00", "%")
	f.Add("/sub/a/../b", ";=1", "", "")
	f.Add("/query/*", "y=1&x=2&y=", "", "")
	f.Add("/me/x", "page=01&%zz", "", "x:y")
	bare, cached := echoMuxes(f)
	f.Fuzz(func(t *testing.T, path, query, lang, user string) {
		if path == "" || path[0] != '/' {
			path = "/" + path
		}
		wantEcho(t, bare, cached, path, query, lang, user)
	})
}

// The same with values from a small alphabet, so that they do meet.
func TestRequestsThatMeet(t *testing.T) {
	bare, cached := echoMuxes(t)
	word := rapid.StringMatching(`[12_:%,&=a]{0,3}`)
	name := rapid.SampledFrom([]string{"a", "b", "x", "y", "page", "id", "rest", "caller"})
	prefix := rapid.SampledFrom([]string{"/two/", "/eno/", "/half/", "/id/", "/rest/", "/sub/", "/query/", "/me/"})
	rapid.Check(t, func(t *rapid.T) {
		for range 20 {
			path := prefix.Draw(t, "route") + word.Draw(t, "one")
			if rapid.Bool().Draw(t, "both") {
				path += "/" + word.Draw(t, "two")
			}
			query := ""
			for range rapid.IntRange(0, 3).Draw(t, "parameters") {
				query += name.Draw(t, "name") + "=" + url.QueryEscape(word.Draw(t, "value")) + "&"
			}
			wantEcho(t, bare, cached, path, query, word.Draw(t, "lang"), word.Draw(t, "user"))
		}
	})
}
