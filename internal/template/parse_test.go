package template

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParse(t *testing.T) {
	tests := []struct {
		template string
		want     []Placeholder
	}{
		{"countries", []Placeholder{}},
		{"{a}", []Placeholder{{Name: "a"}}},
		{"{_A9}", []Placeholder{{Name: "_A9"}}},
		{"{größe}", []Placeholder{{Name: "größe"}}},
		{"größe:\uFFFD", []Placeholder{}},
		{"k:{}", []Placeholder{{}}},
		{"{a:int}", []Placeholder{{Name: "a", Type: "int"}}},
		{"{a:str}", []Placeholder{{Name: "a", Type: "str"}}},
		{"{a:uuid}", []Placeholder{{Name: "a", Type: "uuid"}}},
		{"{a:int|str}", []Placeholder{{Name: "a", Type: "int|str"}}},
		{"{a:str|uuid|int}", []Placeholder{{Name: "a", Type: "int|uuid|str"}}},
		{"{a=}", []Placeholder{{Name: "a", HasDefault: true}}},
		{"{a=x=y:z w}", []Placeholder{{Name: "a", Default: "x=y:z w", HasDefault: true}}},
		{"{a:int=-007}", []Placeholder{{Name: "a", Type: "int", Default: "-7", HasDefault: true}}},
		{"{a:int|str=007}", []Placeholder{{Name: "a", Type: "int|str", Default: "007", HasDefault: true}}},
		{"{:int=1}", []Placeholder{{Type: "int", Default: "1", HasDefault: true}}},
		{"{a}{b}{a}", []Placeholder{{Name: "a"}, {Name: "b"}, {Name: "a"}}},
		{"{a}:{a:int=1}", []Placeholder{
			{Name: "a", Type: "int", Default: "1", HasDefault: true},
			{Name: "a", Type: "int", Default: "1", HasDefault: true},
		}},
		{"{a=01}:{a:int=1}", []Placeholder{
			{Name: "a", Type: "int", Default: "1", HasDefault: true},
			{Name: "a", Type: "int", Default: "1", HasDefault: true},
		}},
		{"^:freshet:x", []Placeholder{}},
		{"freshet_x", []Placeholder{}},
	}
	for _, test := range tests {
		t.Run(test.template, func(t *testing.T) {
			parsed := mustParse(t, test.template)
			if diff := cmp.Diff(test.want, parsed.Placeholders()); diff != "" {
				t.Errorf("placeholders (-want +got):\n%s", diff)
			}
			if parsed.String() != test.template {
				t.Errorf("String is %q", parsed)
			}
		})
	}
}

func TestParseErrors(t *testing.T) {
	tests := []struct{ template, want string }{
		{"", "empty template: write the key it stands for, such as countries or post_cache:{post_id} (offset 0)"},
		{"a:{x", `unclosed { in "{x": add the } that ends the placeholder (offset 2)`},
		{"{a}:{x", `unclosed { in "{x": add the } that ends the placeholder (offset 4)`},
		{"a}", "stray }: it closes no placeholder (offset 1)"},
		{"{a}}", "stray }: it closes no placeholder (offset 3)"},
		{"{a{b}}", `{ inside the placeholder "{a": close that one first, placeholders cannot be nested (offset 2)`},
		{"k:{1a}", `bad name "1a" in {1a}: use letters, digits and _, not beginning with a digit (offset 2)`},
		{"{a-b=1}", `bad name "a-b" in {a-b=1}: use letters, digits and _, not beginning with a digit (offset 0)`},
		{"{ a }", `bad name " a " in { a }: use letters, digits and _, not beginning with a digit (offset 0)`},
		{"{path...}", `bad name "path..." in {path...}: use letters, digits and _, not beginning with a digit (offset 0)`},
		{"{a\xff}", `bad name "a\xff" in {a` + "\xff" + `}: use letters, digits and _, not beginning with a digit (offset 0)`},
		{"{x:float}", `unknown type "float" in {x:float}: use int, str, uuid, path or a union such as int|str (offset 0)`},
		{"{x:}", `unknown type "" in {x:}: use int, str, uuid, path or a union such as int|str (offset 0)`},
		{"{x:int|}", `unknown type "" in {x:int|}: use int, str, uuid, path or a union such as int|str (offset 0)`},
		{"{x:Int}", `unknown type "Int" in {x:Int}: use int, str, uuid, path or a union such as int|str (offset 0)`},
		{"{x:int|int}", `type int stands twice in {x:int|int}: state it once (offset 0)`},
		{"k:{x:int=one}", `default "one" of {x:int=one} does not fit the type int (offset 2)`},
		{"{x:int=}", `default "" of {x:int=} does not fit the type int (offset 0)`},
		{"{x:int|uuid=one}", `default "one" of {x:int|uuid=one} does not fit the type int|uuid (offset 0)`},
		{"{x=a#b}", "# in the default of {x=a#b}: the byte is reserved (offset 0)"},
		{"a b", "white space ' ' in literal text: use _ or : between words (offset 1)"},
		{"{a}\n", `white space '\n' in literal text: use _ or : between words (offset 3)`},
		{"a\u00a0", `white space '\u00a0' in literal text: use _ or : between words (offset 1)`},
		{"a\x00", `control character '\x00' in literal text: leave it out (offset 1)`},
		{"a\x7f", `control character '\x7f' in literal text: leave it out (offset 1)`},
		{"a\xff", "byte 0xff is not UTF-8: literal text has to be (offset 1)"},
		{"a#v", "# in literal text: the byte is reserved, use another separator such as : (offset 1)"},
		{"user_*", "glob syntax '*' in a key: use InvalidateMatch for patterns (offset 5)"},
		{"{a}?", "glob syntax '?' in a key: use InvalidateMatch for patterns (offset 3)"},
		{"[a", "glob syntax '[' in a key: use InvalidateMatch for patterns (offset 0)"},
		{"a]", "glob syntax ']' in a key: use InvalidateMatch for patterns (offset 1)"},
		{`a\b`, `glob syntax '\\' in a key: use InvalidateMatch for patterns (offset 1)`},
		{"{a:int}:{a:str}", "{a} has the types int and str: state one (offset 8)"},
		{"{:int}:{:str}", "{} has the types int and str: state one (offset 7)"},
		{"{a=1}:{b}:{a=2}", `{a} has the defaults "1" and "2": state one (offset 10)`},
		{"{a=x}:{a:int}", `default "x" of {a} does not fit the type int, which it has elsewhere in the template (offset 0)`},
		{"{a:int=1}:{a=x}", `default "x" of {a} does not fit the type int, which it has elsewhere in the template (offset 10)`},
	}
	for _, test := range tests {
		t.Run(test.template, func(t *testing.T) { checkParseError(t, Parse, test.template, test.want) })
	}
}

func TestParsePatternErrors(t *testing.T) {
	tests := []struct{ template, want string }{
		{"", "empty template"},
		{"a b*", "white space ' '"},
		{"a#*", "# in literal text"},
		{`a*\`, `\ escapes nothing: write \\ for the byte itself (offset 2)`},
		{`\\\`, `\ escapes nothing: write \\ for the byte itself (offset 2)`},
		{`a\{x}`, `\ escapes nothing before the placeholder, whose value cannot be part of glob syntax: write \\ for the byte itself (offset 1)`},
		{"{x}[ab", `[ is not closed: add ], or write \[ for the byte itself (offset 3)`},
		{"[^", `[ is not closed: add ], or write \[ for the byte itself (offset 0)`},
		{`[\]`, `[ is not closed: add ], or write \[ for the byte itself (offset 0)`},
		{`[a\`, `[ is not closed: add ], or write \[ for the byte itself (offset 0)`},
		{"[a-]", `[ is not closed: add ], or write \[ for the byte itself (offset 0)`},
		{"[a-z]x[b{x}]", `[ is not closed before the placeholder, whose value cannot be part of glob syntax: add ], or write \[ for the byte itself (offset 6)`},
	}
	for _, test := range tests {
		t.Run(test.template, func(t *testing.T) { checkParseError(t, ParsePattern, test.template, test.want) })
	}
}

func checkParseError(t *testing.T, parse func(string) (*Template, error), text, want string) {
	t.Helper()
	parsed, err := parse(text)
	if err == nil || parsed != nil {
		t.Fatalf("parsed %q as %+v, want the error %q", text, parsed, want)
	}
	if !strings.HasPrefix(err.Error(), want) {
		t.Errorf("error is\n%s, want\n%s", err, want)
	}
}

func TestParsePattern(t *testing.T) {
	for _, text := range []string{
		"*", "?*", "user_{a}_*", "[abc]", "[^a-c]{a}", "[]", "[]x]", "[^]", "[-]", "[a-]]", `[a-\]]`, `[\]]{a}`, `[\\]`,
		`\[{a}`, `\\{a}`, `\*`, "]", "a]b", "freshet:*",
	} {
		t.Run(text, func(t *testing.T) {
			if got := mustParsePattern(t, text).String(); got != text {
				t.Errorf("String is %q", got)
			}
		})
	}
}
