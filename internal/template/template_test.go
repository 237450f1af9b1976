package template

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// params are Values from a map.
type params map[string]string

func (p params) Value(name string) (string, bool) {
	value, ok := p[name]
	return value, ok
}

func mustParse(t testing.TB, text string) *Template {
	t.Helper()
	parsed, err := Parse(text)
	if err != nil {
		t.Fatalf("Parse(%q): %v", text, err)
	}
	return parsed
}

func mustParsePattern(t testing.TB, text string) *Template {
	t.Helper()
	parsed, err := ParsePattern(text)
	if err != nil {
		t.Fatalf("ParsePattern(%q): %v", text, err)
	}
	return parsed
}

// resolve returns what Append appends to empty buffers.
func resolve(t testing.TB, parsed *Template, v Values) (key, ident string) {
	t.Helper()
	k, i, err := parsed.Append(nil, nil, v)
	if err != nil {
		t.Fatalf("%s: %v", parsed, err)
	}
	return string(k), string(i)
}

// The keys that the Python original makes of the same inputs: what reads and
// deletes them in an existing deployment must go on working.
func TestGoldenKeys(t *testing.T) {
	const userPosts = "{username}_posts:page_{page=1}:items_per_page_{items_per_page=10}:{username}"
	tests := []struct {
		name, template, id string
		values             params
		want               string
	}{
		{"id inferred", "post_cache:{}", "post_id", params{"post_id": "123"}, "post_cache:123"},
		{"id inferred, typed", "post_cache:{:int}", "post_id", params{"post_id": "123"}, "post_cache:123"},
		{"id named", "post_cache:{post_id}", "", params{"post_id": "123"}, "post_cache:123"},
		{"user data", "user_data:{user_id:int}", "", params{"user_id": "123"}, "user_data:123"},
		{"dynamic prefix", "{username}_posts:{post_id}", "", params{"username": "johndoe", "post_id": "456"}, "johndoe_posts:456"},
		{"two in the prefix", "user_{user_id}_posts_page_{page}:{post_id}", "", params{"user_id": "123", "page": "2", "post_id": "789"}, "user_123_posts_page_2:789"},
		{"page in the prefix", "{username}_posts:page_{page}:{post_id}", "", params{"username": "johndoe", "page": "1", "post_id": "456"}, "johndoe_posts:page_1:456"},
		{"post cache", "{username}_post_cache:{post_id}", "", params{"username": "john", "post_id": "123"}, "john_post_cache:123"},
		{"id is text", "user_cache:{username}", "", params{"username": "johndoe"}, "user_cache:johndoe"},
		{"id of type str", "search:{query:str}", "", params{"query": "shoes"}, "search:shoes"},
		{"id of type int or str", "search:{query:int|str}", "", params{"query": "shoes"}, "search:shoes"},
		{"defaults", userPosts, "", params{"username": "johndoe"}, "johndoe_posts:page_1:items_per_page_10:johndoe"},
		{"defaults replaced", userPosts, "", params{"username": "johndoe", "page": "2", "items_per_page": "25"}, "johndoe_posts:page_2:items_per_page_25:johndoe"},
		{"id twice", "org_{org_id}_dept_{dept_id}_employees:{dept_id}", "", params{"org_id": "1", "dept_id": "2"}, "org_1_dept_2_employees:2"},
		{"static", "countries", "", nil, "countries"},
		{"extra: posts", "user_posts:{user_id}", "", params{"user_id": "123"}, "user_posts:123"},
		{"extra: static", "latest_posts:global", "", params{"user_id": "123"}, "latest_posts:global"},
		{"extra: statistics", "user_stats:{user_id}", "", params{"user_id": "123"}, "user_stats:123"},
		{"profile", "user_profile:{user_id}", "", params{"user_id": "5"}, "user_profile:5"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, _ := resolve(t, mustParse(t, test.template).Bind(test.id), test.values)
			if got != test.want {
				t.Errorf("key is %q, want %q", got, test.want)
			}
		})
	}
}

func TestGoldenPatterns(t *testing.T) {
	user := params{"user_id": "5"}
	for text, want := range map[string]string{
		"user_{user_id}_*":         "user_5_*",
		"*_user_{user_id}_*":       "*_user_5_*",
		"search_results_*":         "search_results_*",
		"user_*_posts_*":           "user_*_posts_*",
		"temp_[a-z]?{user_id:int}": "temp_[a-z]?5",
	} {
		if got, _ := resolve(t, mustParsePattern(t, text), user); got != want {
			t.Errorf("%s resolves to %q, want %q", text, got, want)
		}
	}
}

// The profile example: of seven keys only the one that belongs to somebody
// else's number stays.
func TestGoldenPatternsMatch(t *testing.T) {
	keys := []string{"user_profile:5", "user_5_posts_page_1:9", "x_user_5_y:1", "search_results_a:1", "user_55_posts:1", "friend_user_5_", "user_5_"}
	left := []string{}
	own, _ := resolve(t, mustParse(t, "user_profile:{user_id}"), params{"user_id": "5"})
	for _, key := range keys {
		covered := key == own
		for _, text := range []string{"user_{user_id}_*", "*_user_{user_id}_*", "search_results_*"} {
			glob, _ := resolve(t, mustParsePattern(t, text), params{"user_id": "5"})
			covered = covered || globMatch(glob, key)
		}
		if !covered {
			left = append(left, key)
		}
	}
	if diff := cmp.Diff([]string{"user_55_posts:1"}, left); diff != "" {
		t.Errorf("left over (-want +got):\n%s", diff)
	}
}

func TestValues(t *testing.T) {
	const (
		fits  = true
		unfit = false
	)
	tests := []struct {
		kind, value string
		fits        bool
		want        string
	}{
		{":int", "7", fits, "7"},
		{":int", "007", fits, "7"},
		{":int", "-7", fits, "-7"},
		{":int", "-007", fits, "-7"},
		{":int", "0", fits, "0"},
		{":int", "-0", fits, "0"},
		{":int", "-000", fits, "0"},
		{":int", "9223372036854775807", fits, "9223372036854775807"},
		{":int", "-9223372036854775808", fits, "-9223372036854775808"},
		{":int", strings.Repeat("0", 100) + "9223372036854775807", fits, "9223372036854775807"},
		{":int", "9223372036854775808", unfit, ""},
		{":int", "-9223372036854775809", unfit, ""},
		{":int", "10000000000000000000", unfit, ""},
		{":int", "", unfit, ""},
		{":int", "-", unfit, ""},
		{":int", "--7", unfit, ""},
		{":int", "+7", unfit, ""},
		{":int", " 7", unfit, ""},
		{":int", "7 ", unfit, ""},
		{":int", "7.0", unfit, ""},
		{":int", "7_000", unfit, ""},
		{":int", "0x7", unfit, ""},
		{":int", "7\x00", unfit, ""},
		{":int", "\u0667", unfit, ""}, // a digit, but not an ASCII one
		{":uuid", "f81d4fae-7dec-11d0-a765-00a0c91e6bf6", fits, "f81d4fae-7dec-11d0-a765-00a0c91e6bf6"},
		{":uuid", "F81D4FAE-7DEC-11D0-A765-00A0C91E6BF6", fits, "f81d4fae-7dec-11d0-a765-00a0c91e6bf6"},
		{":uuid", "00000000-0000-0000-0000-000000000000", fits, "00000000-0000-0000-0000-000000000000"},
		{":uuid", "f81d4fae7dec11d0a76500a0c91e6bf6", unfit, ""},
		{":uuid", "{f81d4fae-7dec-11d0-a765-00a0c91e6bf6}", unfit, ""},
		{":uuid", "f81d4fae-7dec-11d0-a765-00a0c91e6bfg", unfit, ""},
		{":uuid", "f81d4fae-7dec-11d0-a765-00a0c91e6b\xc3\x9f", unfit, ""},
		{":uuid", "f81d4fae07dec-11d0-a765-00a0c91e6bf6", unfit, ""},
		{":uuid", "f81d4fa--7dec-11d0-a765-00a0c91e6bf6", unfit, ""},
		{":uuid", "", unfit, ""},
		{":str", "007", fits, "007"},
		{":str", "a b", fits, "a%20b"},
		{":str", "", fits, ""},
		{"", "007", fits, "007"},
		{"", "*", fits, "%2A"},
		{"", "a/b%2F", fits, "a%2Fb%252F"},
		{":int|str", "007", fits, "007"},
		{":int|str", "", fits, ""},
		{":str|int", "+7", fits, "%2B7"},
		{":uuid|str", "F81D4FAE-7DEC-11D0-A765-00A0C91E6BF6", fits, "F81D4FAE-7DEC-11D0-A765-00A0C91E6BF6"},
		{":int|uuid", "007", fits, "7"},
		{":uuid|int", "F81D4FAE-7DEC-11D0-A765-00A0C91E6BF6", fits, "f81d4fae-7dec-11d0-a765-00a0c91e6bf6"},
		{":int|uuid", "shoes", unfit, ""},
	}
	for _, test := range tests {
		t.Run(test.kind+" "+test.value, func(t *testing.T) {
			parsed := mustParse(t, "k:{x"+test.kind+"}")
			k, i, err := parsed.Append([]byte("before "), []byte("ident "), params{"x": test.value})
			if !test.fits {
				checkUnfit(t, k, i, err, "does not fit the type "+parsed.Placeholders()[0].Type)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got, want := string(k), "before k:"+test.want; got != want {
				t.Errorf("key is %q, want %q", got, want)
			}
			if got, want := string(i), "ident "+test.want+"\x00"; got != want {
				t.Errorf("ident is %q, want %q", got, want)
			}
		})
	}
}

// checkUnfit checks what Append returns for {x} when its value is refused.
func checkUnfit(t *testing.T, k, i []byte, err error, problem string) {
	t.Helper()
	var refused *ValueError
	if !errors.As(err, &refused) {
		t.Fatalf("error is %v, key %q, want a *ValueError", err, k)
	}
	if diff := cmp.Diff(&ValueError{Name: "x", Problem: problem}, refused); diff != "" {
		t.Errorf("error (-want +got):\n%s", diff)
	}
	if string(k) != "before " || string(i) != "ident " {
		t.Errorf("buffers are %q and %q, want them as they were given", k, i)
	}
}

func TestAppendRefuses(t *testing.T) {
	tests := []struct {
		name, template string
		values         params
		problem        string
	}{
		{"absent", "k:{x}", nil, "has no value"},
		{"absent, after another", "k:{a=1}:{x}", nil, "has no value"},
		{"empty is not absent", "k:{x:int=1}", params{"x": ""}, "does not fit the type int"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			k, i, err := mustParse(t, test.template).Append([]byte("before "), []byte("ident "), test.values)
			checkUnfit(t, k, i, err, test.problem)
		})
	}
}

func TestValueErrorKeepsTheSecret(t *testing.T) {
	_, _, err := mustParse(t, "k:{token:int}").Append(nil, nil, params{"token": "hunter2"})
	if got, want := err.Error(), "{token} does not fit the type int"; got != want {
		t.Errorf("error is %q, want %q", got, want)
	}
}

// Two lists of values that meet in one key are told apart by the ident.
func TestIdentTellsMeetingValuesApart(t *testing.T) {
	parsed := mustParse(t, "{a}_{b}")
	key1, ident1 := resolve(t, parsed, params{"a": "1_2", "b": "3"})
	key2, ident2 := resolve(t, parsed, params{"a": "1", "b": "2_3"})
	if key1 != key2 {
		t.Fatalf("keys %q and %q do not meet: the test shows nothing", key1, key2)
	}
	if ident1 == ident2 {
		t.Errorf("both idents are %q", ident1)
	}
}

func TestWiden(t *testing.T) {
	tests := []struct {
		name, template string
		pattern        bool
		values         params
		want           string
	}{
		{"all known", "user_{a}:{b}", false, params{"a": "1", "b": "2"}, "user_1:2"},
		{"one absent", "user_{a}:{b}", false, params{"a": "1"}, "user_1:*"},
		{"all absent", "user_{a}:{b}", false, nil, "user_*:*"},
		{"does not fit", "user_{a:int}", false, params{"a": "seven"}, "user_*"},
		{"canonical", "user_{a:int}", false, params{"a": "007"}, "user_7"},
		{"default stands in", "p_{page=1}:{b}", false, nil, "p_1:*"},
		{"default does not excuse", "p_{page:int=1}", false, params{"page": "x"}, "p_*"},
		{"hostile value", "user_{a}:{b}", false, params{"a": "*"}, "user_%2A:*"},
		{"static", "countries", false, nil, "countries"},
		{"empty value", "{a}", false, params{"a": ""}, ""},
		{"unbound", "post_cache:{}", false, nil, "post_cache:*"},
		{"pattern", `user_{a}_[^x]\*_*`, true, nil, `user_*_[^x]\*_*`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			parse := mustParse
			if test.pattern {
				parse = mustParsePattern
			}
			got := string(parse(t, test.template).Widen([]byte("before "), test.values))
			if want := "before " + test.want; got != want {
				t.Errorf("glob is %q, want %q", got, want)
			}
		})
	}
}

func TestBind(t *testing.T) {
	tests := []struct {
		template string
		want     []Placeholder
	}{
		{"k:{}", []Placeholder{{Name: "id"}}},
		{"k:{:int}", []Placeholder{{Name: "id", Type: "int"}}},
		{"k:{=x}", []Placeholder{{Name: "id", Default: "x", HasDefault: true}}},
		{"k:{:int=01}", []Placeholder{{Name: "id", Type: "int", Default: "1", HasDefault: true}}},
		{"{}:{other}", []Placeholder{{Name: "id"}, {Name: "other"}}},
		{"{id:int}:{}", []Placeholder{{Name: "id", Type: "int"}, {Name: "id", Type: "int"}}},
		{"{id:int}:{:str}", []Placeholder{{Name: "id", Type: "int"}, {Name: "id", Type: "str"}}},
		{"static", []Placeholder{}},
	}
	for _, test := range tests {
		t.Run(test.template, func(t *testing.T) {
			parsed := mustParse(t, test.template)
			before := parsed.Placeholders()
			bound := parsed.Bind("id")
			if diff := cmp.Diff(test.want, bound.Placeholders()); diff != "" {
				t.Errorf("placeholders (-want +got):\n%s", diff)
			}
			if bound.String() != test.template {
				t.Errorf("String is %q, want the text that was parsed", bound)
			}
			if diff := cmp.Diff(before, parsed.Placeholders()); diff != "" {
				t.Errorf("Bind changed its receiver:\n%s", diff)
			}
		})
	}
}

func TestAdopt(t *testing.T) {
	tests := []struct {
		name, template, from string
		want                 Placeholder
	}{
		{"type", "x:{a}", "{b:uuid}_{a:int}", Placeholder{Name: "a", Type: "int"}},
		{"default", "x:{a}", "{a=7}", Placeholder{Name: "a", Default: "7", HasDefault: true}},
		{"type and default", "x:{a}", "{a:int=7}", Placeholder{Name: "a", Type: "int", Default: "7", HasDefault: true}},
		{"own type stays", "x:{a:str}", "{a:int}", Placeholder{Name: "a", Type: "str"}},
		{"own default stays", "x:{a=8}", "{a:int=7}", Placeholder{Name: "a", Type: "int", Default: "8", HasDefault: true}},
		{"own default becomes canonical", "x:{a=08}", "{a:int}", Placeholder{Name: "a", Type: "int", Default: "8", HasDefault: true}},
		{"own default does not fit", "x:{a=all}", "{a:int=7}", Placeholder{Name: "a", Type: "int"}},
		{"adopted default does not fit", "x:{a:int}", "{a=all}", Placeholder{Name: "a", Type: "int"}},
		{"other name", "x:{a}", "{b:int}", Placeholder{Name: "a"}},
		{"unnamed", "x:{}", "{:int}", Placeholder{Type: "int"}},
		{"from static", "x:{a}", "static", Placeholder{Name: "a"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			parsed, from := mustParse(t, test.template), mustParse(t, test.from)
			before := parsed.Placeholders()
			got := parsed.Adopt(from).Placeholders()
			if diff := cmp.Diff([]Placeholder{test.want}, got); diff != "" {
				t.Errorf("placeholders (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(before, parsed.Placeholders()); diff != "" {
				t.Errorf("Adopt changed its receiver:\n%s", diff)
			}
		})
	}
}

// What Adopt is for: the write spells the value as the reading route does.
func TestAdoptSpellsAlike(t *testing.T) {
	read, write := mustParse(t, "user_posts:{user_id:int}"), mustParse(t, "user_posts:{user_id}")
	got, _ := resolve(t, write.Adopt(read), params{"user_id": "007"})
	if got != "user_posts:7" {
		t.Errorf("key is %q, want %q", got, "user_posts:7")
	}
}
