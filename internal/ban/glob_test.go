package ban

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/freshet-dev/freshet/internal/redistest"
)

func TestMatch(t *testing.T) {
	for _, test := range []struct {
		name, pattern, s string
		want             bool
	}{
		{"literal", "user:1", "user:1", true},
		{"literal is anchored", "user:1", "user:12", false},
		{"star", "user_5_*", "user_5_posts_page_1:9", true},
		{"star takes nothing", "user_5_*", "user_5_", true},
		{"star keeps the digits apart", "user_5_*", "user_55_posts:1", false},
		{"stars around", "*_user_5_*", "friend_user_5_", true},
		{"star goes back", "*ab", "aab", true},
		{"question mark", "a?c", "abc", true},
		{"question mark takes one", "a?c", "ac", false},
		{"question mark takes a byte", "?", "é", false},
		{"class", "[ab]c", "bc", true},
		{"class range", "[a-c]", "b", true},
		{"class range backwards", "[c-a]", "b", true},
		{"class negated", "[^a]", "b", true},
		{"class negated excludes", "[^a]", "a", false},
		{"caret later is itself", "[a^]", "^", true},
		{"class empty", "[]a", "a", false},
		{"class empty negated", "[^]a", "xa", true},
		{"class escape", `[\]]`, "]", true},
		{"class escape is no range", `[\a-c]`, "b", false},
		{"range ends in bracket", "[a-]x", "x", true},
		{"unclosed class", "[ab", "b", true},
		{"unclosed class takes all", "[ab*", "b1", false},
		{"lone bracket", "[", "[", false},
		{"escape", `a\*c`, "a*c", true},
		{"escape is literal", `a\*c`, "abc", false},
		{"backslash at the end", `a\`, `a\`, true},
		{"any byte", "*\x00\xff", "\xff\x00\xff", true},
		{"nothing", "", "", true},
		{"nothing matches no key", "", "a", false},
		{"star matches the empty key", "*", "", true},
		{"two stars do not", "**", "", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := Match(test.pattern, test.s); got != test.want {
				t.Errorf("Match(%q, %q) = %v", test.pattern, test.s, got)
			}
		})
	}
}

func TestMatchIsNotExponential(t *testing.T) {
	// A matcher that tries every star against every rest needs about 10^40
	// steps here; the test then never ends.
	if Match(strings.Repeat("*a", 60)+"b", strings.Repeat("a", 200)) {
		t.Error("there is no b to match")
	}
}

func TestCheckGlob(t *testing.T) {
	for _, test := range []struct{ name, pattern, want string }{
		{"plain", "user_5_*", ""},
		{"class", "[a-c][^x]?", ""},
		{"escaped bracket", `\[a`, ""},
		{"escaped backslash", `a\\`, ""},
		{"empty class", "[]", ""},
		{"closed after an escape", `[\]]`, ""},
		{"empty", "", "the pattern is empty"},
		{"unclosed", "ab[cd", "the [ at byte 2 is never closed"},
		{"bracket only", "[", "the [ at byte 0 is never closed"},
		{"bracket escaped", `[a\]`, "the [ at byte 0 is never closed"},
		{"bracket ends a range", "x[a-]", "the [ at byte 1 is never closed"},
		{"backslash in unclosed class", `[\`, "the [ at byte 0 is never closed"},
		{"second class", "[a][b", "the [ at byte 3 is never closed"},
		{"backslash", `user\`, "the backslash at byte 4 escapes nothing"},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := ""
			if err := CheckGlob(test.pattern); err != nil {
				got = err.Error()
			}
			if got != test.want {
				t.Errorf("CheckGlob(%q) = %q, want %q", test.pattern, got, test.want)
			}
		})
	}
}

// askRedis takes pairs of key and pattern and returns a 1 or 0 for each.
const askRedis = `
local answers = {}
for i = 1, #ARGV, 2 do
	redis.call('SET', ARGV[i], 1)
	answers[#answers + 1] = #redis.call('KEYS', ARGV[i + 1])
	redis.call('DEL', ARGV[i])
end
return table.concat(answers)`

// TestMatchIsRedis compares Match with the command KEYS of a real server, over
// random patterns that are mostly syntax and random keys that half of the time
// are made to match.
func TestMatchIsRedis(t *testing.T) {
	const batches, pairs = 30, 5000
	server := redistest.Start(t)
	random := rand.New(rand.NewPCG(1, 2))
	matched := 0
	for range batches {
		args := []string{"EVAL", askRedis, "0"}
		for range pairs {
			pattern := randomString(random, `*?[]^-\ab`, 10)
			key := randomString(random, `*?[]^-\ab`, 8)
			if random.IntN(2) == 0 {
				key = randomMatch(random, pattern)
			}
			args = append(args, key, pattern)
		}
		reply, err := server.Do(args...)
		if err != nil {
			t.Fatal(err)
		}
		for i, c := range []byte(reply.(string)) {
			key, pattern := args[3+2*i], args[4+2*i]
			if got := Match(pattern, key); got != (c == '1') {
				t.Errorf("Match(%q, %q) = %v, Redis says %c", pattern, key, got, c)
			}
			matched += int(c - '0')
		}
	}
	t.Logf("%d of %d pairs match", matched, batches*pairs)
	if matched < batches*pairs/10 {
		t.Error("too few pairs match for the comparison to mean anything")
	}
}

// randomString returns up to longest bytes of alphabet.
func randomString(random *rand.Rand, alphabet string, longest int) string {
	b := make([]byte, random.IntN(longest+1))
	for i := range b {
		b[i] = alphabet[random.IntN(len(alphabet))]
	}
	return string(b)
}

// randomMatch returns a key that has a good chance of matching pattern.
func randomMatch(random *rand.Rand, pattern string) string {
	var key []byte
	for i := 0; i < len(pattern); {
		if pattern[i] == '*' {
			key = append(key, randomString(random, "ab]", 2)...)
			i++
			continue
		}
		var fits []byte
		width := 0
		for _, c := range []byte("ab]-^\\[*?`") {
			w, ok := one(pattern[i:], c)
			if width = w; ok {
				fits = append(fits, c)
			}
		}
		if len(fits) > 0 {
			key = append(key, fits[random.IntN(len(fits))])
		}
		i += width
	}
	return string(key)
}

// FuzzMatch compares Match with the definition of a glob, worked out by
// dynamic programming over whole sets of bytes.
func FuzzMatch(f *testing.F) {
	f.Add("user_5_*", "user_5_posts")
	f.Add(`[a-]*[^\]b]?\`, `a]c\`)
	f.Add("*a*a*b", "aaaaaaaa")
	f.Add("[]*[", "x")
	f.Fuzz(func(t *testing.T, pattern, s string) {
		if len(pattern)*len(s) > 1<<16 {
			return // the definition would take too long
		}
		if got, want := Match(pattern, s), defined(pattern, s); got != want {
			t.Errorf("Match(%q, %q) = %v", pattern, s, got)
		}
	})
}

// defined reports whether s is in the language of pattern.
func defined(pattern, s string) bool {
	if s == "" {
		return pattern == "" || pattern == "*"
	}
	// reach[i]: the elements so far match s[:i].
	reach := make([]bool, len(s)+1)
	reach[0] = true
	for _, set := range sets(pattern) {
		next := make([]bool, len(s)+1)
		for i, ok := range reach {
			switch {
			case set == nil: // a star: any end from here on
				for j := i; ok && j <= len(s); j++ {
					next[j] = true
				}
			case ok && i < len(s) && set[s[i]]:
				next[i+1] = true
			}
		}
		reach = next
	}
	return reach[len(s)]
}

// sets returns the bytes that each element of pattern stands for; nil for a
// star.
func sets(pattern string) (elements []*[256]bool) {
	for pattern != "" {
		c := pattern[0]
		pattern = pattern[1:]
		set := new([256]bool)
		switch {
		case c == '*':
			set = nil
		case c == '?':
			for b := range set {
				set[b] = true
			}
		case c == '[':
			pattern = classSet(pattern, set)
		case c == '\\' && pattern != "":
			set[pattern[0]] = true
			pattern = pattern[1:]
		default:
			set[c] = true
		}
		elements = append(elements, set)
	}
	return elements
}

// classSet fills set from what follows a [ and returns what follows the class.
func classSet(rest string, set *[256]bool) string {
	rest, negated := strings.CutPrefix(rest, "^")
	for rest != "" && rest[0] != ']' {
		switch {
		case rest[0] == '\\' && len(rest) >= 2:
			set[rest[1]] = true
			rest = rest[2:]
		case len(rest) >= 3 && rest[1] == '-':
			for b := min(int(rest[0]), int(rest[2])); b <= max(int(rest[0]), int(rest[2])); b++ {
				set[b] = true
			}
			rest = rest[3:]
		default:
			set[rest[0]] = true
			rest = rest[1:]
		}
	}
	if negated {
		for b := range set {
			set[b] = !set[b]
		}
	}
	return strings.TrimPrefix(rest, "]")
}
