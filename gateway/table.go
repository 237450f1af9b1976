package gateway

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"

	"github.com/freshet-dev/freshet"
	"github.com/freshet-dev/freshet/gateway/internal/target"
	"github.com/freshet-dev/freshet/internal/resolve"
	"github.com/freshet-dev/freshet/internal/routes"
)

// table is what one configuration makes of requests. It does not change; a reload
// puts another one in its place.
type table struct {
	config *Config
	mux    *http.ServeMux
	rest   *served // what no route matches
	// redirects says that some pattern ends in a slash: the mux would then redirect
	// the path without it, which is the upstream's business.
	redirects bool
	codes     bool // the cache codes what it stores
	pools     map[string]*pool
	// uris finds the rules that keep something of a URI, byURI is the default's.
	uris  routes.Table
	byURI resolve.Plan
}

// served is the handler of a route, or of the default.
type served struct{ http.Handler }

// newTable builds the handlers of c on cache, which codes what it stores, or does not.
// c is valid.
func newTable(c *Config, cache *freshet.Cache, codes bool, pools map[string]*pool) *table {
	t := &table{config: c, mux: http.NewServeMux(), codes: codes, pools: pools, byURI: uriPlan()}
	t.rest = &served{t.serving(cache, &c.Default.Handling, c.fallbackRule(), c.Default.Upstream)}
	t.mux.Handle("/", t.rest)
	for _, r := range c.Routes {
		rule := c.routeRule(r)
		t.mux.Handle(r.Pattern, &served{t.serving(cache, &r.Handling, rule, r.Upstream)})
		plan := planOf(rule)
		t.uris.Add(&plan)
		t.redirects = t.redirects || strings.HasSuffix(r.Pattern, "/") || strings.HasSuffix(r.Pattern, "...}")
	}
	return t
}

// serving returns the handler that a rule puts in front of an upstream.
func (t *table) serving(cache *freshet.Cache, h *Handling, rule freshet.Rule, upstream string) http.Handler {
	proxy := t.pools[upstream]
	if !h.Cache.On(true) {
		return proxy
	}
	if t.codes {
		return cache.Handler(rule, uncoded{proxy})
	}
	return cache.Handler(rule, proxy)
}

// ServeHTTP answers an admitted request.
func (t *table) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "*" || len(t.config.Routes) == 0 {
		// As if the mux had found it: what is kept is told apart by that, too, and has
		// to be found when there are routes again.
		r.Pattern = "/"
		t.rest.ServeHTTP(w, r)
		return
	}
	if t.redirects && !strings.HasSuffix(r.URL.Path, "/") {
		if h, _ := t.mux.Handler(r); !isServed(h) {
			t.rest.ServeHTTP(w, r)
			return
		}
	}
	if t.evades(r) {
		badTarget.write(w)
		return
	}
	t.mux.ServeHTTP(w, r)
}

// evades reports whether a write is one by a route only in the eyes of an upstream to
// which %2F is a slash, as to many behind WSGI and CGI: what the route says to
// invalidate would stay.
func (t *table) evades(r *http.Request) bool {
	if safe(r.Method) || !strings.Contains(r.URL.RawPath, "%2F") {
		return false
	}
	p, err := target.ParsePath(strings.ReplaceAll(r.URL.RawPath, "%2F", "/"))
	if err != nil {
		return true
	}
	other := r.WithContext(r.Context())
	if other.URL, err = url.Parse(p.Routed); err != nil {
		return true
	}
	as, _ := t.mux.Handler(r)
	read, _ := t.mux.Handler(other)
	return as == t.rest && read != t.rest && isServed(read)
}

func isServed(h http.Handler) bool {
	_, ok := h.(*served)
	return ok
}

// patterns reports rules and patterns that cannot be registered.
func (c *Config) patterns() {
	mux := http.NewServeMux()
	for i, r := range c.Routes {
		path := fmt.Sprintf("routes[%d]", i)
		if err := register(mux, r.Pattern); err != nil && r.Pattern != "" {
			c.file.Report(path+".pattern", err)
		}
		rule := c.routeRule(r)
		rule.Pattern = r.Pattern // where it is the URI that is the key, too
		c.reportRule(path, rule)
	}
	c.reportRule("default", c.fallbackRule())
}

// reportRule reports what is wrong with a rule, in the words of the file.
func (c *Config) reportRule(path string, rule freshet.Rule) {
	// Params would hide a misspelt placeholder: anything could be one.
	rule.Params = nil
	rule.Query = append([]string{schemeName, hostName, pathName, queryName}, rule.Query...)
	var all interface{ Unwrap() []error }
	err := rule.Validate()
	if err == nil {
		return
	}
	problems := []error{err}
	if errors.As(err, &all) {
		problems = all.Unwrap()
	}
	for _, problem := range problems {
		var bad *freshet.RuleError
		if errors.As(problem, &bad) {
			c.file.Report(path+"."+snake(bad.Field), errors.New(inFile(bad.Err.Error())))
		} else {
			c.file.Report(path, problem)
		}
	}
}

// ruleFields matches the names of a rule's fields in what is said of its mistakes.
var ruleFields = regexp.MustCompile(`\b(?:Rule\.)?(Query|IgnoreQuery|Caller|Shared|InvalidateMatch|VaryHeaders|SoftTimeout|StaleIfError)\b`)

// inFile says text in the words of the file.
func inFile(text string) string {
	return ruleFields.ReplaceAllStringFunc(text, func(name string) string { return snake(strings.TrimPrefix(name, "Rule.")) })
}

// registered matches what a mux says about its caller's source.
var registered = regexp.MustCompile(` \(registered at [^)]*\)`)

// register registers pattern on mux, which panics if it cannot.
func register(mux *http.ServeMux, pattern string) (err error) {
	defer func() {
		if p := recover(); p != nil {
			text := registered.ReplaceAllString(fmt.Sprint(p), "")
			err = errors.New(strings.ReplaceAll(text, "\n", " "))
		}
	}()
	mux.Handle(pattern, http.NotFoundHandler())
	return nil
}

// snake returns the name of a rule's field as the file has it: MaxBody is max_body.
func snake(field string) string {
	var b strings.Builder
	for i, c := range field {
		upper := 'A' <= c && c <= 'Z'
		if upper && i > 0 && (field[i-1] < 'A' || field[i-1] > 'Z') {
			b.WriteByte('_')
		}
		b.WriteRune(c)
	}
	return strings.ToLower(b.String())
}
