package rfc9111

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestDictionary is RFC 9651, section 4.2.2: what a Dictionary is, and that one error
// makes the whole field count for nothing.
func TestDictionary(t *testing.T) {
	kinds := map[kind]string{integerItem: "integer", stringItem: "string", tokenItem: "token", trueItem: "true", otherItem: "other"}
	tests := []struct {
		name  string
		lines []string
		want  string // "error", or the members
	}{
		{"none", nil, ""},
		{"empty", []string{""}, ""},
		{"blanks", []string{"   "}, ""},
		{"blanks around it", []string{"  a=1  "}, "a=integer:1"},
		{"two lines", []string{"a=1", "b"}, "a=integer:1 b=true:"},
		{"tab between members", []string{"a=1\t,\tb"}, "a=integer:1 b=true:"},
		{"repeated: the last counts", []string{"a=1, b=2, a=3"}, "a=integer:3 b=integer:2"},
		{"parameters", []string{`a;x, b=1;y=2;z="3", c=?1;q`}, "a=true: b=integer:1 c=true:"},
		{"parameters of all types", []string{`a;b=1.5;c=t/x:y;d=:YWI=:;e=?0;f=@-5;g=%"a%c3%bc"; h`}, "a=true:"},
		{"integers", []string{"a=-0, b=999999999999999, c=007"}, "a=integer:-0 b=integer:999999999999999 c=integer:007"},
		{"strings", []string{`a="", b="x\"\\y", c="a, b"`}, `a=string: b=string:x"\y c=string:a, b`},
		{"tokens", []string{"a=x, b=*y:z/!#, c=X"}, "a=token:x b=token:*y:z/!# c=token:X"},
		{"others", []string{`a=1.5, b=?0, c=:YQ==:, d=@1, e=%"x", f=(1 "b";c=d  e), g=()`}, "a=other: b=other: c=other: d=other: e=other: f=other: g=other:"},
		{"keys", []string{"*a-b_c.d*1=1"}, "*a-b_c.d*1=integer:1"},

		{"comma at the end", []string{"a=1,"}, "error"},
		{"comma at the beginning", []string{",a=1"}, "error"},
		{"two commas", []string{"a=1,,b"}, "error"},
		{"empty line between", []string{"a=1", "", "b"}, "error"},
		{"no comma", []string{"a=1 b"}, "error"},
		{"semicolon for comma", []string{"a=1; B"}, "error"},
		{"tab around it", []string{"\ta=1"}, "error"},
		{"tab before a parameter", []string{"a=1;\tb"}, "error"},
		{"blank before a semicolon", []string{"a=1 ;b"}, "error"},
		{"upper case key", []string{"Max-Age=1"}, "error"},
		{"key with a digit first", []string{"1a=1"}, "error"},
		{"no key", []string{"=1"}, "error"},
		{"no value", []string{"a="}, "error"},
		{"blanks around the sign", []string{"a = 1"}, "error"},
		{"sixteen digits", []string{"a=1234567890123456"}, "error"},
		{"thirteen digits before the point", []string{"a=1234567890123.1"}, "error"},
		{"four digits after it", []string{"a=1.2345"}, "error"},
		{"no digits after it", []string{"a=1."}, "error"},
		{"minus alone", []string{"a=-"}, "error"},
		{"plus", []string{"a=+1"}, "error"},
		{"string that does not end", []string{`a="x`}, "error"},
		{"backslash at the end", []string{`a="x\`}, "error"},
		{"another escape", []string{`a="\x"`}, "error"},
		{"control in a string", []string{"a=\"x\ty\""}, "error"},
		{"outside ASCII in a string", []string{`a="é"`}, "error"},
		{"another boolean", []string{"a=?2"}, "error"},
		{"bytes that do not end", []string{"a=:YQ=="}, "error"},
		{"date that is a decimal", []string{"a=@1.5"}, "error"},
		{"display string in upper case", []string{`a=%"%C3%BC"`}, "error"},
		{"display string, no UTF-8", []string{`a=%"%ff"`}, "error"},
		{"display string that does not end", []string{`a=%"x%`}, "error"},
		{"inner list that does not end", []string{"a=(1"}, "error"},
		{"inner list without blanks", []string{`a=(1"b")`}, "error"},
		{"inner list in an inner list", []string{"a=((1))"}, "error"},
		{"an error at the end", []string{"a=1, b=2, c=@"}, "error"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			ok := dictionary(tt.lines, func(key string, value item) {
				got = append(got, fmt.Sprintf("%s=%s:%s", key, kinds[value.kind], value.text))
			})
			text := strings.Join(got, " ")
			if !ok {
				text += "error"
			}
			if text != tt.want {
				t.Errorf("%q is %s, want %s", tt.lines, text, tt.want)
			}
		})
	}
}

// TestGroups is RFC 9875, sections 2 and 3: a List of Strings, or nothing.
func TestGroups(t *testing.T) {
	many := make([]string, 1000)
	for i := range many {
		many[i] = fmt.Sprintf("%032d", i)
	}
	tests := []struct {
		name  string
		lines []string
		want  []string
	}{
		{"none", nil, nil},
		{"empty", []string{""}, nil},
		{"one", []string{`"scripts"`}, []string{"scripts"}},
		{"several", []string{`"b", "a",	"b"`}, []string{"b", "a", "b"}},
		{"two lines", []string{`"a"`, `"b"`}, []string{"a", "b"}},
		{"parameters", []string{`"a";x=1;y, "b"`}, []string{"a", "b"}},
		{"case and blanks count", []string{`"A", " a "`}, []string{"A", " a "}},
		{"escapes", []string{`"a\"b\\c", "d,e"`}, []string{`a"b\c`, "d,e"}},
		{"more than 32 of 32 characters", []string{`"` + strings.Join(many, `", "`) + `"`}, many},
		{"token", []string{"scripts"}, nil},
		{"number among them", []string{`"a", 1`}, nil},
		{"inner list", []string{`("a" "b")`}, nil},
		{"not closed", []string{`"a", "b`}, nil},
		{"comma at the end", []string{`"a",`}, nil},
		{"no comma", []string{`"a" "b"`}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, Groups(tt.lines)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
