package gateway

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/textproto"
	"slices"
	"strings"

	"github.com/freshet-dev/freshet"
	"github.com/freshet-dev/freshet/gateway/internal/target"
	"github.com/freshet-dev/freshet/internal/resolve"
)

// The parts of a request's URI, as templates name them.
const (
	schemeName = "uri_scheme"
	hostName   = "uri_host"
	pathName   = "uri_path"
	queryName  = "uri_query"
)

// uriKey is the key of what is kept by its URI: https://api.example.com/posts/7, with
// the query, escaped, behind it.
const uriKey = "{" + schemeName + "}://{" + hostName + "}{" + pathName + ":path}{" + queryName + "}"

// groupPrefix stands before the groups of one of several origins.
const groupPrefix = "{" + schemeName + "}://{" + hostName + "}|"

// spelling is the field in which the gateway tells itself, from admission to
// forwarding, that a path is not spelt as it is routed ([target.Path.Odd]), and how it
// is spelt. It makes a variant of its own, since the upstream may answer differently.
const spelling = "Freshet-Path"

// rule returns the rule of a route, or of the default.
func (c *Config) rule(h *Handling) freshet.Rule {
	r := freshet.Rule{
		TTL: h.TTL, ErrorTTL: h.ErrorTTL, Lifetime: lifetimes[h.Lifetime], Jitter: h.Jitter,
		StaleWhileRevalidate: h.StaleWhileRevalidate, StaleIfError: h.StaleIfError,
		SoftTimeout: h.SoftTimeout, HardTimeout: h.HardTimeout,
		EarlyRefresh: h.EarlyRefresh, RefreshAhead: h.RefreshAhead, IgnoreClient: h.IgnoreClient,
		Tags: h.Tags, FenceFor: h.FenceFor, NoIntent: h.NoIntent,
		Query: h.Query, IgnoreQuery: h.IgnoreQuery, VaryHeaders: append(slices.Clone(h.VaryHeaders), spelling),
		Shared: h.Shared, MaxBody: int64(h.MaxBody), Params: uri, ParamsLast: true,
	}
	if h.Caller != nil {
		r.Caller = h.Caller.tell()
	}
	if len(c.Origins) != 1 {
		// Groups are those of one origin (RFC 9875, section 2). Where there is only one,
		// they are tags by their own names, which rules can use, too.
		r.GroupPrefix = groupPrefix
	}
	return r
}

// fallbackRule is that of everything that no route matches: kept by URI.
func (c *Config) fallbackRule() freshet.Rule {
	r := c.rule(&c.Default.Handling)
	r.Name, r.Key, r.IgnoreQuery = "default", uriKey, []string{"*"}
	if c.Default.Lifetime == "" && c.Default.TTL == 0 {
		r.Lifetime = freshet.LifetimeAnswer
	}
	return r
}

// routeRule is that of a route.
func (c *Config) routeRule(route *Route) freshet.Rule {
	r := c.rule(&route.Handling)
	r.Name, r.Pattern, r.Key = cmp.Or(route.Name, route.Pattern), route.Pattern, route.Key
	r.Invalidate, r.InvalidateMatch, r.InvalidateTags = route.Invalidate, route.InvalidateMatch, route.InvalidateTags
	reads, writes := methods(route.Pattern)
	if reads && r.Key == "" {
		// The URI tells all apart; with the pattern, its wildcards would make variants.
		r.Pattern, r.Key, r.IgnoreQuery = "", uriKey, []string{"*"}
	}
	if r.Key != uriKey && len(c.Origins) != 1 {
		// What is asked for by another host, or another scheme, may be another thing,
		// and it reaches the upstream: unless it is in the key, one client could
		// choose what the links in everybody's answers look like.
		r.VaryHeaders = append(r.VaryHeaders, "Host", protoField)
	}
	if writes && r.Key != uriKey {
		// What the default keeps of the same URI.
		r.Invalidate = append(slices.Clone(r.Invalidate), uriKey)
	}
	return r
}

// planOf returns what says which keys a rule has for which URIs. The rule is valid.
func planOf(r freshet.Rule) resolve.Plan {
	return resolve.Compile(resolve.Rule{
		Pattern: r.Pattern, Key: r.Key, Query: r.Query, IgnoreQuery: r.IgnoreQuery, Caller: r.Caller, Params: r.Params,
	}, func(string, error) {})
}

// uriPlan is the plan of what is kept by its URI.
func uriPlan() resolve.Plan { return planOf(freshet.Rule{Key: uriKey, Params: uri}) }

// methods reports what kinds of requests a pattern matches.
func methods(pattern string) (reads, writes bool) {
	method, _, stated := strings.Cut(pattern, " ")
	reads = !stated || method == http.MethodGet || method == http.MethodHead || method == "QUERY"
	return reads, !stated || !reads
}

// uri is the Params of every rule.
func uri(r *http.Request, name string) (string, bool) {
	switch name {
	case schemeName:
		return scheme(r), true
	case hostName:
		return r.Host, true
	case pathName:
		// In form already, unless r stands for a URI that an answer names.
		p, err := target.ParsePath(r.URL.EscapedPath())
		return p.Routed, err == nil
	case queryName:
		if r.URL.RawQuery != "" || r.URL.ForceQuery {
			return "?" + r.URL.RawQuery, true
		}
		return "", true
	}
	return "", false
}

// tell returns what tells callers apart.
func (c *Caller) tell() func(*http.Request) string {
	if c.Header != "" {
		return freshet.CallerByHeader(textproto.CanonicalMIMEHeaderKey(c.Header))
	}
	return func(r *http.Request) string {
		var all []string
		for _, cookie := range r.CookiesNamed(c.Cookie) {
			all = append(all, cookie.Value)
		}
		if all == nil {
			return ""
		}
		// A digest: what is in a cookie lets its owner in, and keys can be read.
		sum := sha256.Sum256([]byte(strings.Join(all, ";")))
		return hex.EncodeToString(sum[:16])
	}
}
