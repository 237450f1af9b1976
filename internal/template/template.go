// Package template turns the keys, tags and patterns of a rule, such as
// user_{user_id:int}_posts:{page=1}, into the text for one request.
//
// A template is parsed once; resolving it appends to the caller's buffers and
// allocates nothing else. The grammar of a placeholder is
//
//	{name}  {name:type}  {name=default}  {name:type=default}  {}  {:type}  {=default}  {:type=default}
//
// where type is int, uuid, str or a union of them joined by |, or path, and a default is
// any text without braces and #. {} stands for a name given later by
// [Template.Bind].
//
// Values are escaped (see [Escape]), in keys and in patterns alike, so that a
// value can neither act as glob syntax nor name a cluster slot, and the pattern
// user_{id}_* finds the keys that user_{id}_posts made. What escaping cannot do
// is keep apart templates in which placeholders meet: {a}_{b} gives one key for
// ("1_2", "3") and ("1", "2_3"). For that, resolving returns an identity
// too, which differs whenever any value differs.
package template

import (
	"slices"
)

// Template is a parsed key, tag or pattern. It is immutable and may be used
// concurrently.
type Template struct {
	text    string
	pattern bool
	holes   []hole
	tail    string // the literal text after the last hole
}

// hole is a placeholder and the literal text before it.
type hole struct {
	before string
	Placeholder
	kinds kinds // Type, as resolving wants it
	at    int   // where its brace opens in the template's text
}

// Placeholder is what a template says about one of its placeholders.
type Placeholder struct {
	// Name is what values are asked for by; empty for {}.
	Name string
	// Type is empty for an untyped placeholder, else path, or int, uuid, str or a union
	// in that order, joined by |.
	Type string
	// Default is the value used when there is none, in canonical form and not
	// escaped. It fits Type. It counts only if HasDefault: {x=} has an empty
	// one.
	Default    string
	HasDefault bool
}

// String returns the placeholder as templates name it, without type and
// default.
func (p Placeholder) String() string { return "{" + p.Name + "}" }

// Values are the parameters of one request.
type Values interface {
	// Value returns the value called name, and false if there is none. A value
	// that is there but empty is a value.
	Value(name string) (value string, ok bool)
}

// ValueError says that a template cannot be resolved for a request: a value is
// absent or does not fit its type. It never quotes the value, which may be a
// secret.
type ValueError struct {
	// Name is the placeholder's, empty for {}.
	Name string
	// Problem completes a sentence that begins with the placeholder.
	Problem string
}

// Error returns the placeholder and its problem.
func (e *ValueError) Error() string { return "{" + e.Name + "} " + e.Problem }

// String returns the text that the template was parsed from.
func (t *Template) String() string { return t.text }

// Placeholders returns the placeholders in the order in which they stand in the
// template; one that stands there twice is returned twice.
func (t *Template) Placeholders() []Placeholder {
	list := make([]Placeholder, len(t.holes))
	for n := range t.holes {
		list[n] = t.holes[n].Placeholder
	}
	return list
}

// Bind returns a copy in which {} is the placeholder name. Where the template
// names that placeholder as well, each takes the type and the default that only
// the other states, as in [Parse].
func (t *Template) Bind(name string) *Template {
	bound := t.clone()
	for n := range bound.holes {
		if bound.holes[n].Name == "" {
			bound.holes[n].Name = name
		}
	}
	return bound.Adopt(bound)
}

// Adopt returns a copy in which every placeholder without a type takes the type
// that a placeholder of the same name has in from, and likewise for defaults.
// A rule's other templates adopt from its key, because they have to spell a
// value as the key does: an invalidation of user_posts:007 misses the entry
// user_posts:7.
//
// A default always fits its type: one that does not fit the adopted type is
// dropped, and an adopted default is taken only if it fits. An absent value is
// then a [ValueError], which makes a write drop too much; a key that no reader
// uses would make it drop too little.
func (t *Template) Adopt(from *Template) *Template {
	adopted := t.clone()
	for n := range adopted.holes {
		h := &adopted.holes[n]
		for m := range from.holes {
			if from.holes[m].Name == h.Name {
				h.adopt(&from.holes[m], t.holes[n].HasDefault)
			}
		}
	}
	return adopted
}

// Require returns t with the placeholder name, if there is one, without a default.
func (t *Template) Require(name string) *Template {
	t = t.clone()
	for n := range t.holes {
		if t.holes[n].Name == name {
			t.holes[n].Default, t.holes[n].HasDefault = "", false
		}
	}
	return t
}

func (t *Template) clone() *Template {
	copied := *t
	copied.holes = slices.Clone(t.holes)
	return &copied
}

// adopt takes from other what h does not state. stated tells whether h came with
// a default of its own: if the type drops that one, no other may take its place.
func (h *hole) adopt(other *hole, stated bool) {
	if h.kinds == 0 {
		h.Type, h.kinds = other.Type, other.kinds
		h.setDefault(h.Default, h.HasDefault)
	}
	if !stated && !h.HasDefault {
		h.setDefault(other.Default, other.HasDefault)
	}
}

// setDefault gives h a default if one is stated and fits, and none otherwise.
func (h *hole) setDefault(value string, stated bool) {
	canonical, fits := h.kinds.canonical(value)
	h.HasDefault = stated && fits
	h.Default = ""
	if h.HasDefault {
		h.Default = canonical
	}
}

// Append appends the resolved template to key and, for every placeholder in
// order, its escaped canonical value and a NUL byte to ident. Escaped values
// hold no NUL, so idents of one template are equal only if all values are. A
// default stands in for an absent value. The buffers grow as needed; nothing
// else is allocated.
//
// The error is a [*ValueError]; key and ident are then returned as they were
// given. The text of a template without literals is empty when its values are.
func (t *Template) Append(key, ident []byte, v Values) (k, i []byte, err error) {
	k, i = key, ident
	for n := range t.holes {
		h := &t.holes[n]
		k = append(k, h.before...)
		from := len(k)
		var problem string
		if k, problem = h.append(k, v); problem != "" {
			return key, ident, &ValueError{h.Name, problem}
		}
		i = append(i, k[from:]...)
		i = append(i, 0)
	}
	k = append(k, t.tail...)
	return k, i, nil
}

// Widen appends to dst a glob that covers everything the template can resolve
// to, given what is known of the values: a placeholder whose value is absent
// (and has no default) or does not fit becomes *. It is for a write that cannot
// tell which entries it has made stale, where dropping too many is safe and
// dropping too few is not. When Append succeeds, Widen appends the same text.
func (t *Template) Widen(dst []byte, v Values) []byte {
	for n := range t.holes {
		h := &t.holes[n]
		// Literal text goes into the glob as it is: that of a pattern is glob
		// syntax, and in that of a key Parse admits none.
		dst = append(dst, h.before...)
		var problem string
		if dst, problem = h.append(dst, v); problem != "" {
			dst = append(dst, '*')
		}
	}
	return append(dst, t.tail...)
}

// append appends h's value, or else returns dst as it was and the problem.
func (h *hole) append(dst []byte, v Values) (out []byte, problem string) {
	value, ok := v.Value(h.Name)
	if !ok {
		if !h.HasDefault {
			return dst, "has no value"
		}
		value = h.Default
	}
	if out, ok = h.kinds.append(dst, value); !ok {
		return dst, "does not fit the type " + h.Type
	}
	return out, ""
}
