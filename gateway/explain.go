package gateway

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/freshet-dev/freshet"
)

// String says in lines what the gateway has understood: the upstreams, the routes in
// the order in which they go before each other, and what becomes of everything else.
// It shows defaults where they count, and no secret.
func (c *Config) String() string {
	var e explanation
	e.server(&c.Server)
	if len(c.Origins) == 0 {
		e.line(0, "origins: all; what is kept is kept for each host and scheme")
	} else {
		e.line(0, "origins: %s; others get 421", strings.Join(c.Origins, ", "))
	}
	for _, name := range slices.Sorted(maps.Keys(c.Upstreams)) {
		e.upstream(name, c.Upstreams[name])
	}
	routes := slices.Clone(c.Routes)
	slices.SortStableFunc(routes, func(a, b *Route) int { return precedence(a.Pattern, b.Pattern) })
	for _, r := range routes {
		rule := c.routeRule(r)
		e.line(0, "route %s", cmp.Or(r.Name, r.Pattern))
		if r.Name != "" {
			e.line(1, "pattern: %s", r.Pattern)
		}
		reads, writes := methods(r.Pattern)
		e.handling(&r.Handling, rule, r.Upstream, reads, writes)
	}
	e.line(0, "everything else")
	e.handling(&c.Default.Handling, c.fallbackRule(), c.Default.Upstream, true, true)
	e.line(0, "compression: %s", onOff(c.Compress.On(true)))
	e.line(0, "PURGE on the main address: %s", onOff(c.PurgeMethod.On(false)))
	return e.String()
}

// explanation is what String says.
type explanation struct{ strings.Builder }

func (e *explanation) line(depth int, format string, args ...any) {
	e.WriteString(strings.Repeat("  ", depth))
	fmt.Fprintf(e, format, args...)
	e.WriteByte('\n')
}

func onOff(on bool) string {
	if on {
		return "on"
	}
	return "off"
}

func (e *explanation) upstream(name string, u *Upstream) {
	e.line(0, "upstream %s: %s", name, strings.Join(u.Servers, ", "))
	if u.Host != "" {
		e.line(1, "host sent: %s", u.Host)
	}
	e.line(1, "limits: %v to connect, %v to the answer, %v between its parts", u.Timeouts.Connect, u.Timeouts.Answer, u.Timeouts.Stall)
	e.line(1, "retries: %d, on failed connections%s", *u.Retries, statuses(u.RetryOn))
	if u.Health != nil {
		e.line(1, "health: GET %s every %v, within %v; left alone after %d failures", u.Health.Path, u.Health.Every, u.Health.Timeout, u.Fails)
	} else {
		e.line(1, "health: left alone for %v after %d failures", u.Rest, u.Fails)
	}
	if u.TLS != nil && u.TLS.Insecure {
		e.line(1, "TLS: insecure, certificates are not checked")
	}
}

func statuses(list []int) string {
	if len(list) == 0 {
		return ""
	}
	return " and status " + strings.Trim(fmt.Sprint(list), "[]")
}

// handling says what becomes of requests under a rule.
func (e *explanation) handling(h *Handling, rule freshet.Rule, upstream string, reads, writes bool) {
	e.line(1, "upstream: %s", upstream)
	if !h.Cache.On(true) {
		e.line(1, "cache: off, nothing is stored or invalidated")
		return
	}
	if reads {
		e.line(1, "key: %s", named(rule.Key))
		e.line(1, "lifetime: %s", lifetimeOf(rule))
		e.list("tags", rule.Tags)
		e.callers(h)
		e.list("told apart by header", slices.DeleteFunc(slices.Clone(rule.VaryHeaders), func(name string) bool { return name == spelling }))
	}
	if writes {
		e.list("invalidates", dropped(rule))
		e.list("invalidates by pattern", rule.InvalidateMatch)
		e.list("invalidates by tag", rule.InvalidateTags)
	}
}

// named returns a key's template, or what it stands for.
func named(key string) string {
	if key == uriKey {
		return "the request's URI"
	}
	return key
}

// dropped returns the templates of the keys that a write of a rule drops.
func dropped(r freshet.Rule) (all []string) {
	if r.Key != "" {
		all = append(all, named(r.Key))
	}
	for _, key := range r.Invalidate {
		all = append(all, named(key))
	}
	return all
}

func (e *explanation) list(what string, values []string) {
	if len(values) > 0 {
		e.line(1, "%s: %s", what, strings.Join(values, ", "))
	}
}

func (e *explanation) callers(h *Handling) {
	switch {
	case h.Shared:
		e.line(1, "callers: all get the same answers, whatever their credentials")
	case h.Caller != nil:
		e.line(1, "callers: told apart by %s", cmp.Or(h.Caller.Header, "the cookie "+h.Caller.Cookie))
	default:
		e.line(1, "callers: those with credentials only get what answers say is for all")
	}
}

// lifetimeOf says where the lifetime of answers comes from.
func lifetimeOf(r freshet.Rule) string {
	ttl := cmp.Or(r.TTL, freshet.DefaultTTL)
	var text string
	switch r.Lifetime {
	case freshet.LifetimeAnswer:
		text = "what answers say"
	case freshet.LifetimeHeuristic:
		text = fmt.Sprintf("what answers say, else by Last-Modified, at most %v", ttl)
	case freshet.LifetimeRule:
		text = fmt.Sprintf("%v, whatever answers say", ttl)
	default:
		text = fmt.Sprintf("%v, less if answers say so", ttl)
	}
	for _, more := range [...]struct {
		what string
		d    time.Duration
	}{{"stale while it is loaded", r.StaleWhileRevalidate}, {"stale if loading fails", r.StaleIfError}, {"404 and 410", r.ErrorTTL}} {
		if more.d > 0 {
			text += fmt.Sprintf("; %s: %v", more.what, more.d)
		}
	}
	return text
}

// precedence orders patterns so that of two that match the same request, the one that
// http.ServeMux prefers comes first: hosts before none, then segment by segment words
// before wildcards before the rest of the path, then methods before none.
func precedence(a, b string) int {
	aMethod, aHost, aPath := split(a)
	bMethod, bHost, bPath := split(b)
	return cmp.Or(
		-cmp.Compare(aHost, bHost),
		slices.CompareFunc(aPath, bPath, func(x, y string) int {
			return cmp.Or(cmp.Compare(breadth(x), breadth(y)), cmp.Compare(x, y))
		}),
		-cmp.Compare(aMethod, bMethod),
	)
}

// split takes a pattern apart.
func split(pattern string) (method, host string, path []string) {
	if first, rest, ok := strings.Cut(pattern, " "); ok {
		method, pattern = first, strings.TrimLeft(rest, " \t")
	}
	slash := max(0, strings.IndexByte(pattern, '/'))
	path = strings.Split(pattern[slash:], "/")
	if last := len(path) - 1; path[last] == "" {
		path[last] = "{...}" // a subtree
	}
	return method, pattern[:slash], path
}

// breadth is how much a segment of a pattern matches.
func breadth(segment string) int {
	switch {
	case strings.HasSuffix(segment, "...}"):
		return 2
	case strings.HasPrefix(segment, "{") && segment != "{$}":
		return 1
	default:
		return 0
	}
}
