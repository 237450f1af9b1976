package template

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Parse parses a key or a tag. Errors say what is wrong, where (a byte offset),
// and what to write instead.
//
// Literal text is valid UTF-8 without white space, control characters, braces,
// # (what stores append to keys, and their own records, are told by it) and the
// glob bytes * ? [ ] \. A name is letters, digits and _, not beginning with a
// digit, as in the patterns of http.ServeMux. A name that stands in the template
// twice has one type and one default: they may be stated once, for all its
// placeholders, but not differently.
func Parse(text string) (*Template, error) { return parse(text, false) }

// ParsePattern parses a glob in the syntax of the Redis command KEYS. Literal
// text may then hold glob syntax, and is otherwise as in [Parse]. A class has
// to be closed and a backslash has to be followed by what it escapes, within
// the same literal: next to a placeholder, the value would take part in the
// syntax.
func ParsePattern(text string) (*Template, error) { return parse(text, true) }

func parse(text string, pattern bool) (*Template, error) {
	if text == "" {
		return nil, fail(0, "empty template: write the key it stands for, such as countries or post_cache:{post_id}")
	}
	t := &Template{text: text, pattern: pattern}
	pos := 0
	for {
		literal, brace, ok := next(text, pos)
		if err := checkLiteral(literal, pos, pattern, ok); err != nil {
			return nil, err
		}
		if !ok {
			t.tail = literal
			break
		}
		end, err := closing(text, brace)
		if err != nil {
			return nil, err
		}
		h := hole{before: literal, at: brace}
		if err := h.parse(text[brace+1 : end]); err != nil {
			return nil, err
		}
		t.holes = append(t.holes, h)
		pos = end + 1
	}
	return t.unify()
}

// fail returns the error of what stands at offset.
func fail(offset int, format string, args ...any) error {
	return fmt.Errorf("%s (offset %d)", fmt.Sprintf(format, args...), offset)
}

// next returns the literal text from pos to the next brace and the brace's
// offset, or ok false and all that is left.
func next(text string, pos int) (literal string, brace int, ok bool) {
	n := strings.IndexAny(text[pos:], "{}")
	if n < 0 {
		return text[pos:], 0, false
	}
	return text[pos : pos+n], pos + n, true
}

// closing returns the offset of the } that ends the placeholder whose { is at
// brace.
func closing(text string, brace int) (int, error) {
	if text[brace] == '}' {
		return 0, fail(brace, "stray }: it closes no placeholder")
	}
	n := strings.IndexAny(text[brace+1:], "{}")
	switch {
	case n < 0:
		return 0, fail(brace, "unclosed { in %q: add the } that ends the placeholder", text[brace:])
	case text[brace+1+n] == '{':
		return 0, fail(brace+1+n, "{ inside the placeholder %q: close that one first, placeholders cannot be nested", text[brace:brace+1+n])
	}
	return brace + 1 + n, nil
}

// parse reads what stands between the braces: name, type and default.
func (h *hole) parse(inner string) error {
	head, value, stated := strings.Cut(inner, "=")
	name, types, typed := strings.Cut(head, ":")
	if !validName(name) {
		return fail(h.at, "bad name %q in {%s}: use letters, digits and _, not beginning with a digit", name, inner)
	}
	h.Name = name
	if typed {
		if err := h.parseType(types, inner); err != nil {
			return err
		}
	}
	if strings.Contains(value, "#") {
		return fail(h.at, "# in the default of {%s}: the byte is reserved", inner)
	}
	h.setDefault(value, stated)
	if stated && !h.HasDefault {
		return fail(h.at, "default %q of {%s} does not fit the type %s", value, inner, h.Type)
	}
	return nil
}

// validName accepts what http.ServeMux accepts as a wildcard's name, and the
// empty name of {}.
func validName(name string) bool {
	for n, r := range name {
		if r != '_' && !unicode.IsLetter(r) && (n == 0 || !unicode.IsDigit(r)) {
			return false
		}
	}
	return true
}

func (h *hole) parseType(types, inner string) error {
	for name := range strings.SplitSeq(types, "|") {
		kind := kindNamed(name)
		switch {
		case kind == 0:
			return fail(h.at, "unknown type %q in {%s}: use int, str, uuid, path or a union such as int|str", name, inner)
		case h.kinds&kind != 0:
			return fail(h.at, "type %s stands twice in {%s}: state it once", name, inner)
		}
		h.kinds |= kind
		if h.kinds.mixed() {
			return fail(h.at, "path in a union in {%s}: it stands alone", inner)
		}
	}
	h.Type = h.kinds.String()
	return nil
}

// checkLiteral checks the literal text at offset at. Whether a placeholder
// follows matters to what a pattern leaves open.
func checkLiteral(literal string, at int, pattern, followed bool) error {
	for n, r := range literal {
		if err := checkRune(literal[n:], r, at+n, pattern); err != nil {
			return err
		}
	}
	if pattern {
		return checkGlob(literal, at, followed)
	}
	return nil
}

// checkRune checks r, which rest begins with.
func checkRune(rest string, r rune, at int, pattern bool) error {
	switch {
	case r == utf8.RuneError && !strings.HasPrefix(rest, string(utf8.RuneError)):
		return fail(at, "byte %#02x is not UTF-8: literal text has to be", rest[0])
	case unicode.IsSpace(r):
		return fail(at, "white space %q in literal text: use _ or : between words", r)
	case unicode.IsControl(r):
		return fail(at, "control character %q in literal text: leave it out", r)
	case r == '#':
		return fail(at, "# in literal text: the byte is reserved, use another separator such as :")
	case !pattern && strings.ContainsRune(`*?[]\`, r):
		return fail(at, "glob syntax %q in a key: use InvalidateMatch for patterns", r)
	}
	return nil
}

// checkGlob refuses what Redis tolerates but nobody means: a class that is not
// closed and a backslash that escapes nothing. followed tells whether a
// placeholder stands behind the literal, which then is what would be swallowed.
func checkGlob(literal string, at int, followed bool) error {
	for n := 0; n < len(literal); n++ {
		switch literal[n] {
		case '\\':
			n++
			if n == len(literal) {
				return fail(at+n-1, `\ escapes nothing%s: write \\ for the byte itself`, inFront(followed))
			}
		case '[':
			length := classLength(literal[n:])
			if length < 0 {
				return fail(at+n, "[ is not closed%s: add ], or write \\[ for the byte itself", inFront(followed))
			}
			n += length - 1
		}
	}
	return nil
}

// inFront completes the message about a literal that ends too early.
func inFront(followed bool) string {
	if followed {
		return " before the placeholder, whose value cannot be part of glob syntax"
	}
	return ""
}

// classLength returns the length of the class that glob begins with, [ and ]
// included, or -1 if it is not closed. It reads as Redis does: the first ] ends
// the class even right after [ or [^, unless a backslash or a range takes it in
// ([a-]] is a range up to ]).
func classLength(glob string) int {
	n := 1
	if strings.HasPrefix(glob[n:], "^") {
		n++
	}
	for n < len(glob) {
		switch left := len(glob) - n; {
		case glob[n] == '\\' && left >= 2:
			n += 2
		case glob[n] == ']':
			return n + 1
		case left >= 3 && glob[n+1] == '-':
			n += 3
		default:
			n++
		}
	}
	return -1
}

// unify gives the placeholders of one name the same type and default, or says
// why it cannot. Types come first: only with its type is a default canonical,
// so that {page=01} and {page:int=1} agree.
func (t *Template) unify() (*Template, error) {
	if err := t.pairs((*hole).sameType); err != nil {
		return nil, err
	}
	unified := t.Adopt(t)
	for n := range t.holes {
		h, adopted := &t.holes[n], &unified.holes[n]
		if h.HasDefault && !adopted.HasDefault {
			return nil, fail(h.at, "default %q of %s does not fit the type %s, which it has elsewhere in the template",
				h.Default, h, adopted.Type)
		}
	}
	if err := unified.pairs((*hole).sameDefault); err != nil {
		return nil, err
	}
	return unified, nil
}

// pairs calls agree for every two placeholders of one name, until an error.
func (t *Template) pairs(agree func(h, earlier *hole) error) error {
	for n := range t.holes {
		for m := range n {
			if t.holes[n].Name != t.holes[m].Name {
				continue
			}
			if err := agree(&t.holes[n], &t.holes[m]); err != nil {
				return err
			}
		}
	}
	return nil
}

func (h *hole) sameType(earlier *hole) error {
	if h.kinds != 0 && earlier.kinds != 0 && h.kinds != earlier.kinds {
		return fail(h.at, "%s has the types %s and %s: state one", h, earlier.Type, h.Type)
	}
	return nil
}

func (h *hole) sameDefault(earlier *hole) error {
	if h.HasDefault && earlier.HasDefault && h.Default != earlier.Default {
		return fail(h.at, "%s has the defaults %q and %q: state one", h, earlier.Default, h.Default)
	}
	return nil
}
