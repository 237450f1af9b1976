package ban

import (
	"errors"
	"fmt"
	"strings"
)

// Match reports whether s matches pattern exactly as the Redis command KEYS
// would say: * is any run of bytes, ? any byte, [abc], [a-c] and [^a] one byte
// in or not in a class, \ before a byte makes it stand for itself. Everything is
// bytes; there is no notion of a character.
//
// Patterns that [CheckGlob] refuses are given the meaning that Redis gives
// them, since the history may hold patterns of other programs: a class without
// its ] reaches to the end of the pattern, a \ at the very end is a backslash,
// and a ] straight after [ or [^ closes an empty class.
//
// The time is bounded by len(pattern) x len(s), whatever the number of stars.
func Match(pattern, s string) bool {
	if s == "" {
		// Redis answers an empty key before it looks at the pattern's stars;
		// only the lone star, which it treats as "all keys", is special.
		return pattern == "" || pattern == "*"
	}
	p, i := 0, 0
	// Only the last star is ever gone back to: what an earlier one could still
	// swallow, the later one can swallow as well. This is what keeps the time
	// from being exponential in the number of stars.
	star, resume := -1, 0
	for i < len(s) {
		if p < len(pattern) && pattern[p] == '*' {
			star, resume = p, i
			p++
			continue
		}
		if width, ok := one(pattern[p:], s[i]); ok {
			p += width
			i++
			continue
		}
		if star < 0 {
			return false
		}
		resume++
		p, i = star+1, resume
	}
	return strings.Trim(pattern[p:], "*") == ""
}

// one matches c against the element that pattern begins with, which is not a
// star, and returns the width of the element.
func one(pattern string, c byte) (width int, ok bool) {
	if pattern == "" {
		return 0, false
	}
	switch pattern[0] {
	case '?':
		return 1, true
	case '[':
		width, ok, _ = class(pattern, c)
		return width, ok
	case '\\':
		if len(pattern) > 1 {
			return 2, pattern[1] == c
		}
	}
	return 1, pattern[0] == c
}

// class matches c against the class that pattern begins with. The width, and
// whether the class is closed at all, do not depend on c.
func class(pattern string, c byte) (width int, ok, closed bool) {
	i := 1
	negated := strings.HasPrefix(pattern[i:], "^")
	if negated {
		i++
	}
	found := false
	for i < len(pattern) && pattern[i] != ']' {
		low, high, n := span(pattern[i:])
		found = found || low <= c && c <= high
		i += n
	}
	if i == len(pattern) {
		return i, found != negated, false
	}
	return i + len("]"), found != negated, true
}

// span returns the range of bytes that the first item of a class stands for,
// and the item's width. The end of a range is taken literally, even ] and \;
// a range may be given backwards.
func span(item string) (low, high byte, width int) {
	if item[0] == '\\' && len(item) > 1 {
		return item[1], item[1], 2
	}
	if len(item) > 2 && item[1] == '-' {
		return min(item[0], item[2]), max(item[0], item[2]), 3
	}
	return item[0], item[0], 1
}

// CheckGlob returns an error that says what is wrong with pattern, and at which
// byte (counted from 0), when it is surely a mistake: it is empty, a class is
// not closed, or a backslash at the end escapes nothing. Redis tolerates all
// three, with meanings that nobody wants in an invalidation.
func CheckGlob(pattern string) error {
	if pattern == "" {
		return errors.New("the pattern is empty")
	}
	for i := 0; i < len(pattern); {
		width, _ := one(pattern[i:], 0)
		if pattern[i] == '[' {
			if _, _, closed := class(pattern[i:], 0); !closed {
				return fmt.Errorf("the [ at byte %d is never closed", i)
			}
		}
		if pattern[i:] == `\` {
			return fmt.Errorf("the backslash at byte %d escapes nothing", i)
		}
		i += width
	}
	return nil
}
