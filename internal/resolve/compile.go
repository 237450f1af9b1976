package resolve

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/freshet-dev/freshet/internal/pattern"
	"github.com/freshet-dev/freshet/internal/rfc9111"
	"github.com/freshet-dev/freshet/internal/template"
)

// Rule is what a rule says about its requests, as it is written. The fields are
// those of the same name that the root package documents.
type Rule struct {
	Pattern, Key, GroupPrefix                         string
	Tags, Invalidate, InvalidateMatch, InvalidateTags []string
	Query, IgnoreQuery, VaryHeaders                   []string
	TTL, ErrorTTL                                     time.Duration // with their defaults
	Lifetime                                          uint8         // where that of an answer comes from
	Shared                                            bool
	Caller                                            func(*http.Request) string
	Params                                            func(r *http.Request, name string) (string, bool)
}

// ErrReadInvalidates is the problem of what only a write can use.
var ErrReadInvalidates = errors.New("a route that only reads cannot invalidate: put it on the route that writes")

// compiler makes a plan of a rule.
type compiler struct {
	Plan
	rule     Rule
	report   func(field string, err error)
	problems int
}

// Compile makes r ready. It calls report for everything that is wrong with it,
// with the field, so that one run shows it all; the plan is of no use then, but
// for its Route.
func Compile(r Rule, report func(field string, err error)) Plan {
	c := &compiler{rule: r, report: report}
	c.Pattern, c.Shared, c.Caller, c.Params = r.Pattern, r.Shared, r.Caller, r.Params
	c.pattern()
	c.headers()
	c.key()
	c.Tags = c.templates("Tags", r.Tags, template.Parse)
	if r.GroupPrefix != "" {
		c.GroupPrefix = c.template("GroupPrefix", r.GroupPrefix, template.Parse)
	}
	c.drop("Invalidate", Key, r.Invalidate, template.Parse)
	c.drop("InvalidateMatch", Match, r.InvalidateMatch, template.ParsePattern)
	c.drop("InvalidateTags", Tag, r.InvalidateTags, template.Parse)
	c.Digest = c.digest()
	return c.Plan
}

func (c *compiler) fail(field, format string, args ...any) {
	c.problems++
	c.report(field, fmt.Errorf(format, args...))
}

func (c *compiler) pattern() {
	if c.Pattern == "" {
		return
	}
	var err error
	if c.Route, err = pattern.Parse(c.Pattern); err != nil {
		c.fail("Pattern", "%w", err)
	}
	if c.Caller != nil && slices.Contains(c.Route.Wildcards, CallerName) {
		c.fail("Pattern", "{caller} is what Rule.Caller returns: give the wildcard of %q another name", c.Pattern)
	}
}

func (c *compiler) headers() {
	c.VaryHeaders = slices.Clone(c.rule.VaryHeaders)
	for i, name := range c.VaryHeaders {
		canonical := http.CanonicalHeaderKey(name)
		switch {
		case !rfc9111.Token(name):
			c.fail("VaryHeaders", "%q is not the name of a header field", name)
		case canonical == "Authorization" || canonical == "Cookie":
			c.fail("VaryHeaders", "%s tells callers apart: set Caller instead", canonical)
		}
		c.VaryHeaders[i] = canonical
	}
	// Sorted, so that two spellings of one rule share their entries.
	slices.Sort(c.VaryHeaders)
	c.VaryHeaders = slices.Compact(c.VaryHeaders)
	// The caller's slice may change once the rule is registered.
	c.IgnoreQuery = slices.Clone(c.rule.IgnoreQuery)
}

func (c *compiler) key() {
	if c.rule.Key == "" {
		// Of a pattern that is broken nobody knows whether it reads.
		if c.Route.Reads() && (c.Pattern == "" || c.Route.Path != "") {
			c.fail("Key", "it is empty: every route that reads needs the template of a key")
		}
		return
	}
	key := c.template("Key", c.rule.Key, template.Parse)
	if key == nil {
		return
	}
	if c.Caller != nil {
		// Which always has a value, be it empty; without one, everybody is meant.
		key = key.Require(CallerName)
	}
	c.Key, c.drops = key, append(c.drops, drop{Key, key})
	for _, p := range key.Placeholders() {
		c.Named = append(c.Named, p.Name)
	}
	for _, name := range c.Route.Wildcards {
		if !slices.Contains(c.Named, name) {
			c.Unnamed = append(c.Unnamed, name)
		}
	}
}

func (c *compiler) templates(field string, texts []string, parse func(string) (*template.Template, error)) []*template.Template {
	var all []*template.Template
	for _, text := range texts {
		if t := c.template(field, text, parse); t != nil {
			all = append(all, t)
		}
	}
	return all
}

func (c *compiler) drop(field string, kind Kind, texts []string, parse func(string) (*template.Template, error)) {
	if len(texts) > 0 && !c.Route.Writes() {
		c.fail(field, "%w", ErrReadInvalidates)
	}
	for _, t := range c.templates(field, texts, parse) {
		c.drops = append(c.drops, drop{kind, t})
	}
}

// template parses one template of the rule, resolves its {} and checks that
// every placeholder can get a value. It returns nil after a problem.
func (c *compiler) template(field, text string, parse func(string) (*template.Template, error)) *template.Template {
	t, err := parse(text)
	if err == nil && slices.ContainsFunc(t.Placeholders(), func(p template.Placeholder) bool { return p.Name == "" }) {
		var id string
		id, err = c.Route.ID()
		t = t.Bind(id)
	}
	if err != nil {
		c.fail(field, "%q: %w", text, err)
		return nil
	}
	if c.Key != nil {
		// A value has one type within a rule. Otherwise a write to /users/007
		// would drop user_007_* while the reads of user 7 are kept as user_7_*.
		t = t.Adopt(c.Key)
	}
	before := c.problems
	for _, p := range t.Placeholders() {
		if err := c.source(p); err != nil {
			c.fail(field, "{%s} in %q: %w", p.Name, text, err)
		}
	}
	if c.problems > before {
		return nil
	}
	return t
}

// keyType returns the type that the key states for the placeholder name, if any.
func (c *compiler) keyType(name string) string {
	if c.Key != nil {
		for _, p := range c.Key.Placeholders() {
			if p.Name == name {
				return p.Type
			}
		}
	}
	return ""
}

// source checks that a request can have a value for p, of the type that the key
// gives it.
func (c *compiler) source(p template.Placeholder) error {
	path := slices.Contains(c.Route.Wildcards, p.Name)
	switch other := c.keyType(p.Name); {
	case other != "" && other != p.Type:
		return fmt.Errorf("it is of type %s here and of type %s in the key: a value has one type within a rule", p.Type, other)
	case p.Name == CallerName && c.Caller == nil && !path && !slices.Contains(c.rule.Query, CallerName):
		return errors.New("it needs Rule.Caller, which tells callers apart")
	case path, c.Route.Path == "", c.Params != nil, p.HasDefault, p.Name == CallerName, slices.Contains(c.rule.Query, p.Name):
		return nil
	default:
		return fmt.Errorf("the pattern %q has no such wildcard: correct the name, or list the query parameter in Query, or give it a default as in {%s=1}",
			c.Pattern, p.Name)
	}
}

// digest covers what decides which bytes an entry holds and how long it may live:
// after a deployment that changes any of it, older entries miss.
func (c *compiler) digest() [32]byte {
	return sha256.Sum256(fmt.Appendf(nil, "1 %q %q %q %q %d %d %d %q %q %t %t",
		c.Route.Path, c.rule.Key, c.rule.Tags, c.rule.GroupPrefix, c.rule.Lifetime, c.rule.TTL, c.rule.ErrorTTL, c.VaryHeaders, c.IgnoreQuery, c.Caller != nil, c.Shared))
}
