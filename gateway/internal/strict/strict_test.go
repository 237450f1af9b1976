package strict_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/freshet-dev/freshet/gateway/internal/strict"
)

type shared struct {
	TTL time.Duration `yaml:"ttl"`
}

type word string

func (w *word) UnmarshalText(text []byte) error {
	if len(text) > 3 {
		return fmt.Errorf("%q is too long", text)
	}
	*w = word(text)
	return nil
}

type inner struct {
	shared `yaml:",inline"`
	List   []string       `yaml:"list"`
	Named  map[string]int `yaml:"named"`
}

type outer struct {
	Shared  shared            `yaml:"shared"`
	Inners  []*inner          `yaml:"inners"`
	ByName  map[string]*inner `yaml:"by_name"`
	Text    string            `yaml:"text"`
	Number  int               `yaml:"number"`
	Ratio   float64           `yaml:"ratio"`
	Flag    bool              `yaml:"flag"`
	Word    word              `yaml:"word"`
	Pointer *int              `yaml:"pointer"`
	Hidden  string
}

func TestDecode(t *testing.T) {
	var got outer
	f := strict.Decode("f", []byte(`
# everything
shared: &s {ttl: 300ms}
inners:
  - list: [a, "b", 7]
    named: {x: 1}
    # again
  - list: &l [c]
by_name:
  one: {list: *l}
text: 2024-01-01
number: -3
ratio: 0.5
flag: true
word: abc
pointer: 0
`), &got)
	if err := f.Err(); err != nil {
		t.Fatal(err)
	}
	want := outer{
		Shared: shared{300 * time.Millisecond},
		Inners: []*inner{{List: []string{"a", "b", "7"}, Named: map[string]int{"x": 1}}, {List: []string{"c"}}},
		ByName: map[string]*inner{"one": {List: []string{"c"}}},
		Text:   "2024-01-01", Number: -3, Ratio: 0.5, Flag: true, Word: "abc", Pointer: new(0),
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(inner{}, outer{})); diff != "" {
		t.Errorf("decoded (-want +got):\n%s", diff)
	}
}

// TestProblems holds mistakes and all that is said of them.
func TestProblems(t *testing.T) {
	tests := []struct{ name, text, wanted string }{
		{"nothing", "", ""},
		{"only a comment", "# x\n", ""},
		{"misspelling", "nmber: 1", "f:1:1: nmber: unknown field: did you mean number?"},
		{"unknown", "inners: [{zzz: 1}]", "f:1:11: inners[0].zzz: unknown field: there are ttl, list, named"},
		{"no field without a name in the file", "hidden: x", "f:1:1: hidden: unknown field: there are shared, inners, by_name, text, number, ratio, flag, word, pointer"},
		{"twice", "text: a\ntext: b", "f:2:1: text: it is given twice, first in line 1"},
		{"twice, quoted", "text: a\n\"text\": b", "f:2:1: text: it is given twice, first in line 1"},
		{"several at once", "number: x\nflag: yes\nratio: y\n", `f:1:9: number: "x" is not a whole number
f:2:7: flag: "yes" is neither true nor false
f:3:8: ratio: "y" is not a number`},
		{"duration", "shared: {ttl: 5}", `f:1:15: shared.ttl: "5" is not a duration: write a number and its unit, such as 300ms, 5s, 10m or 1h`},
		{"text of its own kind", "word: abcd", `f:1:7: word: "abcd" is too long`},
		{"empty", "text:", "f:1:6: text: it needs one value; leave the field out for its default"},
		{"list for a value", "text: [a]", "f:1:7: text: it needs one value; leave the field out for its default"},
		{"value for a list", "inners: a", "f:1:9: inners: it needs a list, as in [a, b]; leave the field out for its default"},
		{"value for fields", "shared: a", `f:1:9: shared: it needs fields, each "name: value" on a line of its own; leave the field out for its default`},
		{"not fields at all", "[a]", `f:1:1: it needs fields, each "name: value" on a line of its own; leave the field out for its default`},
		{"name that is no word", "? [a]\n: b", "f:1:3: the name of a field is a plain word"},
		{"merge", "shared: &s {ttl: 1s}\ninners: [{<<: *s}]", "f:2:11: inners[0]: merge keys (<<) are not supported: write the fields out"},
		{"second document", "text: a\n---\ntext: b", "f:2:1: there is a second document: put everything into one"},
		{"syntax", "text: [a\nnumber: 1", "f:2:7: not YAML: did not find expected ',' or ']'"},
		{"tab", "shared:\n\tttl: 1s", "f:2:1: not YAML: found character that cannot start any token"},
		{"too large", strings.Repeat("#", strict.MaxSize+1), "f: it has 4194305 bytes, more than 4194304"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := ""
			if err := strict.Decode("f", []byte(tt.text), new(outer)).Err(); err != nil {
				got = err.Error()
			}
			if diff := cmp.Diff(tt.wanted, got); diff != "" {
				t.Errorf("problems (-want +got):\n%s", diff)
			}
		})
	}
}

// TestAliasBomb: each list stands for ten of the one before.
func TestAliasBomb(t *testing.T) {
	type node struct {
		Down []*struct {
			Down []*struct {
				Down []*struct {
					List []string `yaml:"list"`
				} `yaml:"down"`
			} `yaml:"down"`
		} `yaml:"down"`
		A []string `yaml:"a"`
		B []*struct {
			List []string `yaml:"list"`
		} `yaml:"b"`
		C []*struct {
			Down []*struct {
				List []string `yaml:"list"`
			} `yaml:"down"`
		} `yaml:"c"`
	}
	text := "a: &a [" + strings.Repeat("x,", 99) + "x]\n" +
		"b: &b [" + strings.Repeat("{list: *a},", 99) + "{list: *a}]\n" +
		"c: &c [" + strings.Repeat("{down: *b},", 99) + "{down: *b}]\n" +
		"down: [{down: *c}]"
	f := strict.Decode("f", []byte(text), new(node))
	if err := f.Err(); err == nil || !strings.Contains(err.Error(), "more than 100000 values") || strings.Count(err.Error(), "\n") > 0 {
		t.Errorf("%.300v", err)
	}
	loop := "inners: &l [{list: *l}]"
	if err := strict.Decode("f", []byte(loop), new(outer)).Err(); err == nil {
		t.Error("a list within itself is fine")
	}
}

func TestReport(t *testing.T) {
	f := strict.Decode("f", []byte("shared:\n  ttl: x\ninners:\n  - list: [a]\n"), new(outer))
	f.Report("shared.ttl", fmt.Errorf("follows from the first"))
	f.Report("inners[0].list[0]", fmt.Errorf("where it stands"))
	f.Report("inners[0].named.x", fmt.Errorf("where it would be"))
	f.Report("text", fmt.Errorf("is missing"))
	const wanted = `f:1:1: text: is missing
f:2:8: shared.ttl: "x" is not a duration: write a number and its unit, such as 300ms, 5s, 10m or 1h
f:4:5: inners[0].named.x: where it would be
f:4:12: inners[0].list[0]: where it stands`
	if diff := cmp.Diff(wanted, f.Err().Error()); diff != "" {
		t.Errorf("problems (-want +got):\n%s", diff)
	}
}

// FuzzDecode: nothing makes it panic or take long.
func FuzzDecode(f *testing.F) {
	for _, seed := range []string{"a: b", "inners: &l [{list: *l}]", "? x", "text: !!binary x", "%YAML 1.1\n---\na: b"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		_ = strict.Decode("f", []byte(text), new(outer)).Err()
	})
}
