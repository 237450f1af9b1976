package rfc9111

import (
	"math"
	"net/textproto"
	"slices"
	"strings"
	"time"
)

// Directive is one of Cache-Control's.
type Directive uint8

// The directives of requests and answers that a shared cache has to know (RFC 9111,
// sections 5.2.1 and 5.2.2; RFC 5861; RFC 8246). Those from MaxAge on take a number
// of seconds.
const (
	NoStore Directive = iota
	NoCache
	NoTransform
	OnlyIfCached
	MustRevalidate
	ProxyRevalidate
	MustUnderstand
	Private
	Public
	Immutable
	MaxAge
	SMaxAge
	MinFresh
	MaxStale
	StaleWhileRevalidate
	StaleIfError
	directives // not a directive
)

// Longest is what larger numbers of seconds are read as (RFC 9111, section
// 1.2.2).
const Longest = (1 << 31) * time.Second

// directiveNames are the directives by their names in lower case.
var directiveNames = map[string]Directive{
	"no-store": NoStore, "no-cache": NoCache, "no-transform": NoTransform, "only-if-cached": OnlyIfCached,
	"must-revalidate": MustRevalidate, "proxy-revalidate": ProxyRevalidate, "must-understand": MustUnderstand,
	"private": Private, "public": Public, "immutable": Immutable,
	"max-age": MaxAge, "s-maxage": SMaxAge, "min-fresh": MinFresh, "max-stale": MaxStale,
	"stale-while-revalidate": StaleWhileRevalidate, "stale-if-error": StaleIfError,
}

// Directives is what a Cache-Control field says, or a targeted one (RFC 9213). What
// is malformed in it is read in the way that makes the cache do less: what forbids
// something counts, what allows something does not. The zero value says nothing.
type Directives struct {
	set     [directives]bool
	seconds [directives - MaxAge]time.Duration
	// qualified directives speak of the named fields only. One of the same name
	// without fields outweighs them.
	named map[Directive][]string
}

// Has reports whether the directive is there. NoCache and Private count only if they
// speak of the whole answer, not of the fields that they name.
func (d *Directives) Has(x Directive) bool { return d.set[x] }

// Seconds returns the number of a directive from MaxAge on, between 0 and
// Longest, and whether there is such a directive.
func (d *Directives) Seconds(x Directive) (time.Duration, bool) {
	return d.seconds[x-MaxAge], d.set[x]
}

// Names returns the fields, in canonical form, that NoCache or Private name.
func (d *Directives) Names(x Directive) []string { return d.named[x] }

// Parse reads the lines of a Cache-Control field. Of a directive that is repeated
// the strictest counts, and one that is malformed is read the strictest way:
//
//   - a number that is none is 0, that of min-fresh Longest (section 4.2.1);
//   - what takes no argument and has one counts where it forbids, not where it allows;
//   - what follows a directive up to the next comma, as in "max-age=60; private", can
//     forbid and not allow;
//   - a quote that is not closed makes it no-store and no-cache.
func Parse(lines []string) Directives {
	var d Directives
	for _, line := range lines {
		d.line(line)
	}
	return d
}

// line reads one line of the field: directives of the form token [ "=" ( token /
// quoted-string ) ], with commas between them (section 5.2).
func (d *Directives) line(line string) {
	s := scanner{text: line}
	for clean := true; ; {
		s.space()
		if s.done() {
			return
		}
		if s.skip(',') {
			clean = true
			continue
		}
		name := s.token()
		if name == "" {
			// Nothing that could be a directive begins here: what follows it up to
			// the next comma is not to be trusted.
			clean = false
			if s.peek() != '"' {
				s.at++
				continue
			}
		}
		arg, has := "", false
		if name == "" || s.skip('=') {
			var ok bool
			if arg, ok = s.argument(); !ok {
				d.set[NoStore], d.set[NoCache] = true, true
				return
			}
			has = name != ""
		}
		s.space()
		clean = clean && (s.done() || s.peek() == ',')
		d.add(lower(name), arg, has, clean)
	}
}

// member takes in one member of a targeted field, whose type has to be that of the
// directive (RFC 9213, section 2.1).
func (d *Directives) member(name string, value item) {
	has, number := value.kind != trueItem, directiveNames[name] >= MaxAge
	d.add(name, value.text, has, !has || value.kind == integerItem && number || value.kind == stringItem && !number)
}

// add takes in one directive; clean says that it was well-formed.
func (d *Directives) add(name, arg string, has, clean bool) {
	x, known := directiveNames[name]
	switch {
	case !known:
	case x >= MaxAge:
		d.number(x, arg, has, clean)
	case x == NoCache || x == Private:
		d.qualify(x, arg, has, clean)
	case x == Immutable:
		// Arguments of it have no meaning (RFC 8246, section 2).
		d.set[x] = d.set[x] || clean
	case x == Public || x == MustUnderstand:
		d.set[x] = d.set[x] || clean && !has
	default:
		d.set[x] = true
	}
}

// number takes in a directive with a number of seconds.
func (d *Directives) number(x Directive, arg string, has, clean bool) {
	n, ok := seconds(arg)
	switch {
	case clean && !has && x == MaxStale:
		n = Longest // stale by any time (section 5.2.1.2)
	case ok && clean:
	case x == MinFresh:
		n = Longest
	default:
		n = 0
	}
	switch old := &d.seconds[x-MaxAge]; {
	case !d.set[x]:
		*old = n
	case x == MinFresh:
		*old = max(*old, n)
	default:
		*old = min(*old, n)
	}
	d.set[x] = true
}

// qualify takes in a directive that may name fields. The token form counts like the
// quoted one (section 5.2); a list that is none speaks of the whole answer.
func (d *Directives) qualify(x Directive, arg string, has, clean bool) {
	names, ok := fieldNames(arg)
	if !has || !clean || !ok || slices.ContainsFunc(names, indispensable) {
		d.set[x] = true
		return
	}
	if d.named == nil {
		d.named = make(map[Directive][]string)
	}
	d.named[x] = append(d.named[x], names...)
}

// indispensable reports whether an answer without the field could not be reused in the
// right way.
func indispensable(name string) bool {
	return name == "Cache-Control" || name == "Vary" || name == "Content-Encoding"
}

// fieldNames reads a list of at least one field name.
func fieldNames(list string) (names []string, ok bool) {
	for name := range strings.SplitSeq(list, ",") {
		switch name = strings.Trim(name, " \t"); {
		case name == "":
		case !Token(name):
			return nil, false
		default:
			names = append(names, textproto.CanonicalMIMEHeaderKey(name))
		}
	}
	return names, len(names) > 0
}

// seconds reads delta-seconds (section 1.2.2): digits only, no sign, however many.
func seconds(text string) (time.Duration, bool) {
	if text == "" {
		return 0, false
	}
	n := int64(0)
	for i := range len(text) {
		c := text[i]
		if c < '0' || c > '9' {
			return 0, false
		}
		n = min(n*10+int64(c-'0'), math.MaxInt32+1)
	}
	return time.Duration(n) * time.Second, true
}
