package freshet

import (
	"cmp"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/freshet-dev/freshet/internal/pattern"
	"github.com/freshet-dev/freshet/internal/resolve"
	"github.com/freshet-dev/freshet/internal/rfc9111"
	"github.com/freshet-dev/freshet/internal/template"
)

// plan is a rule made ready: templates parsed, defaults filled in, everything
// checked. It does not change once compiled.
type plan struct {
	Rule
	requests resolve.Plan
	// drops are the templates of what a write invalidates, kinds says of each
	// what it names.
	drops []*template.Template
	kinds []TargetKind
}

// maxBody is the largest MaxBody: what an envelope is trusted to unpack to.
const maxBody = 64 << 20

// compiler collects every problem of a rule, so that one run shows them all.
type compiler struct {
	plan
	route    pattern.Route
	problems []error
}

func compile(r Rule) (*plan, error) {
	c := &compiler{plan: plan{Rule: r}}
	c.Name = cmp.Or(r.Name, r.Pattern, r.Key)
	c.pattern()
	c.limits()
	c.headers()
	c.keyTemplate()
	c.requests.Tags = c.templates("Tags", r.Tags, template.Parse)
	c.drop("Invalidate", TargetKey, r.Invalidate, template.Parse)
	c.drop("InvalidateMatch", TargetMatch, r.InvalidateMatch, template.ParsePattern)
	c.drop("InvalidateTags", TargetTag, r.InvalidateTags, template.Parse)
	if len(c.problems) > 0 {
		return nil, errors.Join(c.problems...)
	}
	c.requests.Pattern, c.requests.VaryHeaders, c.requests.IgnoreQuery = c.Pattern, c.VaryHeaders, c.IgnoreQuery
	c.requests.Shared, c.requests.Caller, c.requests.Params = c.Shared, c.Caller, c.Params
	c.requests.Digest = c.configDigest()
	return &c.plan, nil
}

func (c *compiler) fail(field, format string, args ...any) {
	c.problems = append(c.problems, &RuleError{c.Name, field, fmt.Errorf(format, args...)})
}

func (c *compiler) pattern() {
	if c.Pattern == "" {
		return
	}
	var err error
	if c.route, err = pattern.Parse(c.Pattern); err != nil {
		c.fail("Pattern", "%w", err)
	}
	if c.Caller != nil && slices.Contains(c.route.Wildcards, resolve.CallerName) {
		c.fail("Pattern", "{caller} is what Rule.Caller returns: give the wildcard of %q another name", c.Pattern)
	}
}

func (c *compiler) limits() {
	c.TTL = c.lifetime("TTL", c.TTL, DefaultTTL)
	c.ErrorTTL = c.lifetime("ErrorTTL", c.ErrorTTL, 0)
	switch {
	case c.MaxBody == 0:
		c.MaxBody = DefaultMaxBody
	case c.MaxBody < 0 || c.MaxBody > maxBody:
		c.fail("MaxBody", "%d is out of range: use 1 to %d bytes, or 0 for the default of %d", c.MaxBody, maxBody, DefaultMaxBody)
	}
}

func (c *compiler) lifetime(field string, d, byDefault time.Duration) time.Duration {
	if d == 0 {
		return byDefault
	}
	if d < time.Millisecond || d > MaxTTL {
		c.fail(field, "%v is out of range: use a millisecond to %v, or 0 for the default", d, MaxTTL)
	}
	return d
}

func (c *compiler) headers() {
	c.VaryHeaders = slices.Clone(c.VaryHeaders)
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
	c.IgnoreQuery = slices.Clone(c.IgnoreQuery)
}

func (c *compiler) keyTemplate() {
	if c.Key == "" {
		if c.route.Reads() {
			c.fail("Key", "it is empty: every route that reads needs the template of a key")
		}
		return
	}
	key := c.template("Key", c.Key, template.Parse)
	if key == nil {
		return
	}
	c.requests.Key, c.drops, c.kinds = key, append(c.drops, key), append(c.kinds, TargetKey)
	for _, p := range key.Placeholders() {
		c.requests.Named = append(c.requests.Named, p.Name)
	}
	for _, name := range c.route.Wildcards {
		if !slices.Contains(c.requests.Named, name) {
			c.requests.Unnamed = append(c.requests.Unnamed, name)
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

func (c *compiler) drop(field string, kind TargetKind, texts []string, parse func(string) (*template.Template, error)) {
	if len(texts) > 0 && !c.route.Writes() {
		c.fail(field, "%w", ErrReadInvalidates)
	}
	for _, t := range c.templates(field, texts, parse) {
		c.drops, c.kinds = append(c.drops, t), append(c.kinds, kind)
	}
}

// template parses one template of the rule, resolves its {} and checks that
// every placeholder can get a value. It returns nil after a problem.
func (c *compiler) template(field, text string, parse func(string) (*template.Template, error)) *template.Template {
	t, err := parse(text)
	if err == nil && slices.ContainsFunc(t.Placeholders(), func(p template.Placeholder) bool { return p.Name == "" }) {
		var id string
		id, err = c.route.ID()
		t = t.Bind(id)
	}
	if err != nil {
		c.fail(field, "%q: %w", text, err)
		return nil
	}
	if c.requests.Key != nil {
		// A value has one type within a rule. Otherwise a write to /users/007
		// would drop user_007_* while the reads of user 7 are kept as user_7_*.
		t = t.Adopt(c.requests.Key)
	}
	before := len(c.problems)
	for _, p := range t.Placeholders() {
		if err := c.source(p); err != nil {
			c.fail(field, "{%s} in %q: %w", p.Name, text, err)
		}
	}
	if len(c.problems) > before {
		return nil
	}
	return t
}

// keyType returns the type that the key states for the placeholder name, if any.
func (c *compiler) keyType(name string) string {
	if c.requests.Key != nil {
		for _, p := range c.requests.Key.Placeholders() {
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
	path := slices.Contains(c.route.Wildcards, p.Name)
	switch other := c.keyType(p.Name); {
	case other != "" && other != p.Type:
		return fmt.Errorf("it is of type %s here and of type %s in the key: a value has one type within a rule", p.Type, other)
	case p.Name == resolve.CallerName && c.Caller == nil && !path && !slices.Contains(c.Query, resolve.CallerName):
		return errors.New("it needs Rule.Caller, which tells callers apart")
	case path, c.route.Path == "", c.Params != nil, p.HasDefault, p.Name == resolve.CallerName, slices.Contains(c.Query, p.Name):
		return nil
	default:
		return fmt.Errorf("the pattern %q has no such wildcard: correct the name, or list the query parameter in Query, or give it a default as in {%s=1}",
			c.Pattern, p.Name)
	}
}

// configDigest covers what decides which bytes an entry holds and how long it
// may live: after a deployment that changes any of it, older entries miss.
func (c *compiler) configDigest() [32]byte {
	return sha256.Sum256(fmt.Appendf(nil, "1 %q %q %q %d %d %q %q %t %t",
		c.route.Path, c.Key, c.Tags, c.TTL, c.ErrorTTL, c.VaryHeaders, c.IgnoreQuery, c.Caller != nil, c.Shared))
}
