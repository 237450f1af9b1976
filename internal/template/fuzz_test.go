package template

import (
	"net/url"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"
)

// globMatch is the plainest reading of a glob, which has to be one that
// ParsePattern accepts.
func globMatch(glob, s string) bool {
	return (&globMatcher{failed: map[[2]int]bool{}}).match(glob, s)
}

// globMatcher remembers from where a star has failed before, by what was left
// of glob and text: the fuzzer likes stars, and without it their number is an
// exponent.
type globMatcher struct{ failed map[[2]int]bool }

func (m *globMatcher) match(glob, s string) bool {
	switch {
	case glob == "":
		return s == ""
	case glob[0] == '*':
		return m.star(glob, s)
	case s == "":
		return false
	case glob[0] == '?':
		return m.match(glob[1:], s[1:])
	case glob[0] == '\\':
		return glob[1] == s[0] && m.match(glob[2:], s[1:])
	case glob[0] == '[':
		rest, ok := classMatch(glob[1:], s[0])
		return ok && m.match(rest, s[1:])
	}
	return glob[0] == s[0] && m.match(glob[1:], s[1:])
}

func (m *globMatcher) star(glob, s string) bool {
	left := [2]int{len(glob), len(s)}
	if m.failed[left] {
		return false
	}
	matched := m.match(glob[1:], s) || s != "" && m.match(glob, s[1:])
	m.failed[left] = !matched
	return matched
}

// classMatch matches c against the class that begins behind [ and returns the
// glob behind its ].
func classMatch(glob string, c byte) (rest string, ok bool) {
	glob, negated := strings.CutPrefix(glob, "^")
	for glob[0] != ']' {
		switch {
		case glob[0] == '\\':
			ok = ok || glob[1] == c
			glob = glob[2:]
		case len(glob) >= 3 && glob[1] == '-':
			ok = ok || min(glob[0], glob[2]) <= c && c <= max(glob[0], glob[2])
			glob = glob[3:]
		default:
			ok = ok || glob[0] == c
			glob = glob[1:]
		}
	}
	return glob[1:], ok != negated
}

// constant answers every name with one value.
type constant string

func (c constant) Value(string) (string, bool) { return string(c), true }

// nothing has no values.
type nothing struct{}

func (nothing) Value(string) (string, bool) { return "", false }

// everyType is a template that "1" fits and that has all the grammar in it.
const everyType = "a:{}_{b:int}:{c:int|str=x y}-{d:str|uuid}{e=}.{f:int=-01}"

func FuzzParse(f *testing.F) {
	for _, text := range []string{
		everyType, "countries", "user_{user_id}_*", "[a-]]{x}", `\{x}`, "{a:int}:{a}", "{a=x}{a:int}", "freshet:{a}", "{{}}", "{:=}", "\xff", "a#b", "[^{x}]",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		key, keyErr := Parse(text)
		pattern, patternErr := ParsePattern(text)
		if keyErr == nil && patternErr != nil {
			t.Fatalf("%q is a key but not a pattern: %v", text, patternErr)
		}
		if keyErr == nil {
			checkParsed(t, key, text)
		}
		if patternErr == nil {
			checkParsed(t, pattern, text)
		}
	})
}

// checkParsed checks what holds for every template that was accepted.
func checkParsed(t *testing.T, parsed *Template, text string) {
	t.Helper()
	if parsed.String() != text {
		t.Fatalf("String of %q is %q", text, parsed)
	}
	value := fitting(parsed)
	key, ident, err := parsed.Append(nil, nil, value)
	switch {
	case err != nil:
		t.Fatalf("%q does not resolve: %v", text, err)
	case strings.Count(string(ident), "\x00") != len(parsed.Placeholders()):
		t.Fatalf("%q has the ident %q", text, ident)
	case !utf8.Valid(key):
		t.Fatalf("%q resolves to %q, which is not UTF-8", text, key)
	case strings.ContainsAny(string(key), "{}# \n\x00"):
		t.Fatalf("%q resolves to %q", text, key)
	}
	if wide := string(parsed.Widen(nil, value)); wide != string(key) {
		t.Fatalf("%q widens to %q with all its values, want %q", text, wide, key)
	}
	if err := checkGlob(string(parsed.Widen(nil, nothing{})), 0, false); err != nil {
		t.Fatalf("%q widens to a bad glob: %v", text, err)
	}
	if glob := string(parsed.Widen(nil, nothing{})); !parsed.pattern && !hasDefault(parsed) && !globMatch(glob, string(key)) {
		t.Fatalf("%q widens to %q, which does not cover %q", text, glob, key)
	}
}

func hasDefault(parsed *Template) bool {
	return slices.ContainsFunc(parsed.Placeholders(), func(p Placeholder) bool { return p.HasDefault })
}

// typical answers every placeholder with a value that fits its type.
type typical map[string]string

func (v typical) Value(name string) (string, bool) { return v[name], true }

func fitting(parsed *Template) typical {
	values := typical{}
	for _, p := range parsed.Placeholders() {
		values[p.Name] = "1"
		if p.Type == "uuid" {
			values[p.Name] = "f81d4fae-7dec-11d0-a765-00a0c91e6bf6"
		}
	}
	return values
}

func FuzzEscape(f *testing.F) {
	f.Add("johndoe", "john doe")
	f.Add("%20", " ")
	f.Add("*?[]\\^{}:#\x00", "\xff\xc3\xa9")
	f.Fuzz(func(t *testing.T, a, b string) {
		x, y := Escape(a), Escape(b)
		if (x == y) != (a == b) {
			t.Fatalf("%q and %q become %q and %q", a, b, x, y)
		}
		if back, err := url.PathUnescape(x); err != nil || back != a {
			t.Fatalf("%q becomes %q, which reads back as %q, %v", a, x, back, err)
		}
		if n := strings.IndexFunc(x, func(r rune) bool { return r != '%' && (r >= 128 || !plain(byte(r))) }); n >= 0 {
			t.Fatalf("%q becomes %q: bad byte at %d", a, x, n)
		}
	})
}

// FuzzAppend checks two requests against one key and one pattern.
func FuzzAppend(f *testing.F) {
	f.Add("1_2", "3", "1", "2_3")
	f.Add("*", "a", "bob", "a")
	f.Add("%2A", "", "*", "")
	f.Add("a\x00b", "", "a", "b\x00")
	f.Add("5", "x", "55", "x")
	f.Add("1", "23", "12", "3")
	f.Fuzz(func(t *testing.T, a1, b1, a2, b2 string) {
		checkTwo(t, params{"a": a1, "b": b1}, params{"a": a2, "b": b2})
	})
}

// TestHostileValues is FuzzAppend's property with values drawn from the bytes
// that mean something to anybody.
func TestHostileValues(t *testing.T) {
	hostile := rapid.StringMatching(`[*?\[\]\\^{}:%#_ab01\x00\n-]{0,6}`)
	draw := func(t *rapid.T, name string) params {
		return params{"a": hostile.Draw(t, name+".a"), "b": hostile.Draw(t, name+".b")}
	}
	rapid.Check(t, func(t *rapid.T) { checkTwo(t, draw(t, "one"), draw(t, "two")) })
}

// checkTwo checks that the values of one request cannot reach the other's
// entries: the idents differ, and a pattern made of one's values matches the
// other's key only if the values are the same.
func checkTwo(t rapid.TB, one, two params) {
	// Values hold no colon once they are escaped, so the pattern names a alone.
	const key, pattern = "user:{a}:{b}", "us[e]?:{a}:*"
	key1, ident1 := mustResolve(t, Parse, key, one)
	key2, ident2 := mustResolve(t, Parse, key, two)
	same := one["a"] == two["a"] && one["b"] == two["b"]
	if (ident1 == ident2) != same {
		t.Fatalf("%q and %q have the idents %q and %q", one, two, ident1, ident2)
	}
	if (key1 == key2) != same {
		t.Fatalf("%q and %q have the keys %q and %q", one, two, key1, key2)
	}
	glob, _ := mustResolve(t, ParsePattern, pattern, one)
	if got, want := syntax(glob), "[]?*"; got != want {
		t.Fatalf("pattern %s resolves to %q, with the syntax %q", pattern, glob, got)
	}
	if !globMatch(glob, key1) {
		t.Fatalf("%q does not match its own key %q", glob, key1)
	}
	if globMatch(glob, key2) != (one["a"] == two["a"]) {
		t.Fatalf("%q matches %q: %v", glob, key2, globMatch(glob, key2))
	}
}

func mustResolve(t rapid.TB, parse func(string) (*Template, error), text string, v Values) (key, ident string) {
	t.Helper()
	parsed, err := parse(text)
	if err != nil {
		t.Fatal(err)
	}
	k, i, err := parsed.Append(nil, nil, v)
	if err != nil {
		t.Fatal(err)
	}
	return string(k), string(i)
}

// syntax returns the bytes of s that mean something in a glob.
func syntax(s string) string {
	return strings.Map(func(r rune) rune {
		if strings.ContainsRune(`*?[]\^`, r) {
			return r
		}
		return -1
	}, s)
}

// A value adds no syntax to the pattern of the specification's example.
func TestPatternSyntaxIsItsLiterals(t *testing.T) {
	parsed := mustParsePattern(t, "user_{v}_*")
	rapid.Check(t, func(t *rapid.T) {
		value := string(rapid.SliceOf(rapid.Byte()).Draw(t, "v"))
		glob, _, err := parsed.Append(nil, nil, constant(value))
		if err != nil {
			t.Fatal(err)
		}
		if got := syntax(string(glob)); got != "*" || strings.Count(string(glob), "*") != 1 {
			t.Fatalf("%q resolves to %q", value, glob)
		}
		if !strings.HasPrefix(string(glob), "user_") || !strings.HasSuffix(string(glob), "_*") {
			t.Fatalf("%q resolves to %q", value, glob)
		}
	})
}

// Whatever is known of the values, the wide glob covers the key they make.
func TestWidenCovers(t *testing.T) {
	parsed := mustParse(t, everyType).Bind("id")
	names := []string{"id", "b", "c", "d", "e", "f"}
	rapid.Check(t, func(t *rapid.T) {
		all, known := params{}, params{}
		for _, name := range names {
			all[name] = rapid.StringMatching(`-?[0-9]{1,3}`).Draw(t, name)
			// A default would stand in for a value that is hidden.
			if rapid.Bool().Draw(t, name+" known") || name == "c" || name == "e" || name == "f" {
				known[name] = all[name]
			} else if name == "b" && rapid.Bool().Draw(t, "malformed") {
				known[name] = "x"
			}
		}
		key, _, err := parsed.Append(nil, nil, all)
		if err != nil {
			t.Fatal(err)
		}
		if glob := string(parsed.Widen(nil, known)); !globMatch(glob, string(key)) {
			t.Fatalf("%q does not cover %q", glob, key)
		}
	})
}
