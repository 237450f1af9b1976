// Package resolve works out which entry answers a request, and what a request
// that changes something makes stale.
package resolve

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/freshet-dev/freshet/internal/pattern"
	"github.com/freshet-dev/freshet/internal/rfc9111"
	"github.com/freshet-dev/freshet/internal/template"
)

// CallerName is the placeholder that Plan.Caller gives the value of.
const CallerName = "caller"

// Plan is what a rule says about its requests. It must not change once it is in
// use.
type Plan struct {
	Key  *template.Template // nil on a write route without a key of its own
	Tags []*template.Template
	// GroupPrefix goes before the names of groups; nil for nothing.
	GroupPrefix *template.Template
	Pattern     string // of the route, as http.ServeMux knows it; empty if unknown
	Route       pattern.Route
	Unnamed     []string // the pattern's wildcards that the key does not name
	Named       []string // the placeholders of the key

	IgnoreQuery []string // "*" for all that the key does not name
	VaryHeaders []string // in canonical form, sorted
	Shared      bool     // credentials do not matter
	Caller      func(*http.Request) string
	Params      func(r *http.Request, name string) (string, bool)

	Digest [32]byte // of all else that decides what an entry means

	drops []drop // what a write invalidates
}

// Kind says what a text names that a write invalidates. The values are those of
// the root package's TargetKind.
type Kind uint8

// The kinds.
const (
	Key Kind = iota
	Tag
	Match
	All
)

// drop is a template of something that a write invalidates.
type drop struct {
	kind Kind
	text *template.Template
}

// Place is where the answer to a request is kept, and what it must have been made
// from: two requests have the same Identity only if the rule says that they have
// the same answer, whereas their keys may meet by chance.
type Place struct {
	Key, Variant string
	Identity     [32]byte
	// Credentialed says that the request tells who is asking, and that the rule says
	// neither that this does not matter nor how callers are told apart. Its place is
	// that of anonymous requests: only an answer that says so itself may be shared
	// with it (RFC 9111, section 3.5).
	Credentialed bool
}

// scratch is what resolving a request needs for a moment.
type scratch struct {
	plan   *Plan
	r      *http.Request
	form   url.Values
	caller string
	// anybody says that the caller is not known: the entries of all are meant.
	anybody bool
	// last takes the last of a parameter's values instead of the first;
	// repeated says that it makes a difference.
	last, repeated bool

	key, ident []byte
}

var scratches = sync.Pool{New: func() any { return new(scratch) }}

// take returns a scratch for r, and whether its query can be read. One that
// cannot still yields the parameters that net/url makes out, as it does for
// handlers.
func (p *Plan) take(r *http.Request) (s *scratch, readable bool) {
	s, readable = p.takeURI(r)
	if s.anybody = false; p.Caller != nil {
		s.caller = p.Caller(r)
	}
	return s, readable
}

// takeURI is take for a request that nobody has made.
func (p *Plan) takeURI(r *http.Request) (s *scratch, readable bool) {
	s = scratches.Get().(*scratch)
	*s = scratch{plan: p, r: r, anybody: true, key: s.key[:0], ident: s.ident[:0]}
	var err error
	if r.URL.RawQuery != "" {
		s.form, err = url.ParseQuery(r.URL.RawQuery)
	}
	return s, err == nil
}

func (s *scratch) free() {
	s.plan, s.r, s.form, s.caller = nil, nil, nil, ""
	scratches.Put(s)
}

// Value implements template.Values: from the path, and else from the query.
func (s *scratch) Value(name string) (string, bool) {
	if s.anybody && name == CallerName && s.plan.Caller != nil {
		return "", false
	}
	if value, ok := s.route(name); ok {
		return value, true
	}
	all := s.form[name]
	switch {
	case len(all) == 0:
		return "", false
	case len(all) > 1:
		s.repeated = true
	}
	if s.last {
		return all[len(all)-1], true
	}
	return all[0], true
}

// route returns the value that the client cannot choose beside the path. It goes
// before the query: otherwise PUT /posts/7?id=5 would drop post 5.
func (s *scratch) route(name string) (string, bool) {
	if name == CallerName && s.plan.Caller != nil {
		return s.caller, true
	}
	// What {name...} matches may be nothing.
	if value := s.r.PathValue(name); value != "" || strings.HasSuffix(s.r.Pattern, "{"+name+"...}") {
		return value, true
	}
	if s.plan.Params != nil {
		return s.plan.Params(s.r, name)
	}
	return "", false
}

// Read works out which entry answers r, or why none may, in the words shown in
// Cache-Status. A QUERY has gone through [Hold] before.
func (p *Plan) Read(r *http.Request) (at Place, bypass string) {
	if p.Key == nil {
		return at, "no key"
	}
	if why := rfc9111.Unanswerable(r); why != "" {
		return at, why
	}
	if r.Method == pattern.Query && r.GetBody == nil {
		return at, "request body"
	}
	s, readable := p.take(r)
	defer s.free()
	if !readable {
		// Readers of queries differ in what they make of a broken one.
		return at, "malformed query"
	}
	var err error
	s.ident = append(s.ident, p.Digest[:]...)
	if s.key, s.ident, err = p.Key.Append(s.key, s.ident, s); err != nil {
		return at, err.Error()
	}
	if s.repeated {
		return at, repeated
	}
	at.Key = string(s.key)
	from := len(s.ident)
	s.variant()
	if len(s.ident) > from {
		sum := sha256.Sum256(s.ident[from:])
		at.Variant = hex.EncodeToString(sum[:16])
	}
	if !s.matched() {
		// Nobody knows that the key names all that the path holds.
		s.part('u', r.Pattern, r.URL.EscapedPath())
	}
	at.Identity = sha256.Sum256(s.ident)
	at.Credentialed = s.caller == "" && !p.Shared && rfc9111.Credentials(r)
	return at, ""
}

// repeated is why a request is refused that gives a parameter of the templates
// more than one value. Handlers differ in which they read: the answer might
// belong to another key, or tag, whose invalidation would not find it.
const repeated = "repeated parameter"

// matched reports whether the rule's pattern is the one that http.ServeMux found
// the handler by, so that its wildcards are all that tells the paths apart.
func (s *scratch) matched() bool { return s.r.Pattern != "" && s.r.Pattern == s.plan.Pattern }

// variant appends to the identity what tells the answers under one key apart:
// nothing at all for a request without any such thing. Every part begins with
// its kind and states its length, so that no two sets of values read the same.
func (s *scratch) variant() {
	p := s.plan
	if s.caller != "" && !slices.Contains(p.Named, CallerName) {
		s.part('c', CallerName, s.caller)
	}
	for _, name := range p.Unnamed {
		value, _ := s.route(name)
		s.part('p', name, value)
	}
	if s.matched() && strings.HasSuffix(p.Pattern, "/") {
		// A subtree: the rest of the path has no name.
		s.part('p', "", s.r.URL.EscapedPath())
	}
	if len(s.form) > 0 {
		s.unnamedQuery()
	}
	if s.r.Method == pattern.Query {
		s.part('b', pattern.Query, s.content())
	}
	for _, name := range p.VaryHeaders {
		if name == "Host" {
			s.part('h', name, s.r.Host)
		} else if lines := s.r.Header[name]; lines != nil {
			s.part('h', name, strings.Join(lines, ", "))
		}
	}
}

// unnamedQuery appends the parameters that the key does not name, sorted.
func (s *scratch) unnamedQuery() {
	ignored := s.plan.IgnoreQuery
	if slices.Contains(ignored, "*") {
		return
	}
	names := make([]string, 0, len(s.form))
	for name := range s.form {
		_, routed := s.route(name)
		if (routed || !slices.Contains(s.plan.Named, name)) && !slices.Contains(ignored, name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		for _, value := range s.form[name] {
			s.part('q', name, value)
		}
	}
}

func (s *scratch) part(kind byte, name, value string) {
	s.ident = append(s.ident, kind)
	for _, text := range [2]string{name, value} {
		s.ident = strconv.AppendInt(s.ident, int64(len(text)), 10)
		s.ident = append(s.ident, ':')
		s.ident = append(s.ident, text...)
	}
}

// TagsOf resolves the plan's tags, sorted, or says why it cannot. Without all its
// tags an answer could not be invalidated, so it must not be stored.
func (p *Plan) TagsOf(r *http.Request) (tags []string, bypass string) {
	if len(p.Tags) == 0 {
		return nil, ""
	}
	s, _ := p.take(r)
	defer s.free()
	for _, t := range p.Tags {
		tag, why := s.label(t)
		if why != "" {
			return nil, why
		}
		tags = append(tags, tag)
	}
	slices.Sort(tags)
	return slices.Compact(tags), ""
}

// GroupPrefixOf resolves what goes before the names of groups to make them tags, or
// says why it cannot. The same holds for it as for tags.
func (p *Plan) GroupPrefixOf(r *http.Request) (prefix, bypass string) {
	if p.GroupPrefix == nil {
		return "", ""
	}
	s, _ := p.take(r)
	defer s.free()
	return s.label(p.GroupPrefix)
}

// label resolves t, or says why it cannot.
func (s *scratch) label(t *template.Template) (text, bypass string) {
	label, _, err := t.Append(s.key, s.ident, s)
	switch {
	case err != nil:
		return "", err.Error()
	case s.repeated:
		return "", repeated
	}
	return string(label), ""
}

// TagGroups makes tags of the names of groups. The nameless one without a prefix, since
// a tag has a name, is "" in the form that it has in the field.
func TagGroups(prefix string, groups []string) []string {
	tags := make([]string, len(groups))
	for i, group := range groups {
		tags[i] = cmp.Or(prefix+group, `""`)
	}
	return tags
}

// Write resolves what a request that changes something invalidates, and calls yield
// with each: the rule's key and its lists. A text that lacks a value is widened to
// the glob of all that it could have been. Of a repeated parameter the first value
// is taken and, in a second round, the last: handlers read the one or the other.
func (p *Plan) Write(r *http.Request, yield func(kind Kind, text string)) {
	s, _ := p.take(r)
	defer s.free()
	for {
		for _, d := range p.drops {
			text, _, err := d.text.Append(s.key, s.ident, s)
			switch {
			case err == nil:
				yield(d.kind, string(text))
			case d.kind == Tag:
				// Tags have no patterns: everything is the only safe superset.
				yield(All, "")
			default:
				yield(Match, string(d.text.Widen(s.key, s)))
			}
		}
		if s.last || !s.repeated {
			return
		}
		s.last = true
	}
}

// CallerByHeader returns a Plan.Caller that tells callers apart by a digest of a
// header's lines; a request without any is anonymous.
func CallerByHeader(name string) func(*http.Request) string {
	return func(r *http.Request) string {
		lines := r.Header.Values(name)
		if len(lines) == 0 {
			return ""
		}
		sum := sha256.Sum256([]byte(strings.Join(lines, ", ")))
		return hex.EncodeToString(sum[:16])
	}
}
