package template

import "strings"

// kinds is the set of types that a placeholder accepts; the empty set is an
// untyped placeholder, which accepts what str does.
type kinds uint8

const (
	kindInt kinds = 1 << iota
	kindUUID
	kindStr
	kindPath
)

// kindNames are the names in the grammar, in the order in which a union is
// written back.
const kindNames = "int uuid str path"

// kindNamed returns the single type called name, 0 when there is none.
func kindNamed(name string) kinds {
	switch name {
	case "int":
		return kindInt
	case "uuid":
		return kindUUID
	case "str":
		return kindStr
	case "path":
		return kindPath
	}
	return 0
}

// String returns the union in one order, whatever order it was written in, so
// that equal sets have equal names.
func (k kinds) String() string {
	var names []string
	for name := range strings.FieldsSeq(kindNames) {
		if k&kindNamed(name) != 0 {
			names = append(names, name)
		}
	}
	return strings.Join(names, "|")
}

// text reports whether every value fits and none is rewritten. That holds for
// any union with str: a handler that reads text tells 007 from 7, so an answer
// to one must not be served for the other.
func (k kinds) text() bool { return k == 0 || k&kindStr != 0 }

// mixed reports whether k is a union with path: that is text, spelt differently in
// keys, and one value would have two keys.
func (k kinds) mixed() bool { return k&kindPath != 0 && k != kindPath }

// append appends the canonical form of value, escaped, and reports whether the
// value fits. When it does not, dst is returned as it was. The forms of int and
// uuid have no text in common, so their order in a union does not matter.
func (k kinds) append(dst []byte, value string) ([]byte, bool) {
	if k.text() {
		return appendEscaped(dst, value), true
	}
	if k == kindPath {
		return appendPath(dst, value), true
	}
	if k&kindInt != 0 {
		if out, ok := appendInt(dst, value); ok {
			return out, true
		}
	}
	if k&kindUUID != 0 {
		return appendUUID(dst, value)
	}
	return dst, false
}

// canonical returns value in canonical form, not escaped, and whether it fits.
func (k kinds) canonical(value string) (string, bool) {
	if k.text() || k == kindPath {
		return value, true
	}
	out, ok := k.append(nil, value)
	return string(out), ok
}

// appendPath appends value with its slashes as they are, so that keys of paths can be
// read, and a pattern can name a part of the tree.
func appendPath(dst []byte, value string) []byte {
	for {
		segment, rest, more := strings.Cut(value, "/")
		dst = appendEscaped(dst, segment)
		if !more {
			return dst
		}
		dst, value = append(dst, '/'), rest
	}
}

// appendInt appends value as a decimal without leading zeros if it is one that
// an int64 holds. It compares digits instead of using strconv, whose errors
// copy the value: a wrong id in a request must cost no more than a right one.
func appendInt(dst []byte, value string) ([]byte, bool) {
	digits, negative := strings.CutPrefix(value, "-")
	if digits == "" {
		return dst, false
	}
	for n := range len(digits) {
		if digits[n] < '0' || digits[n] > '9' {
			return dst, false
		}
	}
	digits = strings.TrimLeft(digits, "0")
	if digits == "" {
		return append(dst, '0'), true
	}
	sign, limit := "", "9223372036854775807"
	if negative {
		sign, limit = "-", "9223372036854775808"
	}
	if len(digits) > len(limit) || len(digits) == len(limit) && digits > limit {
		return dst, false
	}
	return append(append(dst, sign...), digits...), true
}

// appendUUID appends value in lower case if it has the textual form of a UUID
// (RFC 9562, section 4): 8-4-4-4-12 hexadecimal digits. Any version and variant
// will do, and so do the nil and the max UUID.
func appendUUID(dst []byte, value string) ([]byte, bool) {
	if len(value) != 36 {
		return dst, false
	}
	out := dst
	for n := range len(value) {
		c := value[n]
		switch {
		case n == 8 || n == 13 || n == 18 || n == 23:
			if c != '-' {
				return dst, false
			}
		case 'A' <= c && c <= 'F':
			c += 'a' - 'A'
		case ('0' > c || c > '9') && ('a' > c || c > 'f'):
			return dst, false
		}
		out = append(out, c)
	}
	return out, true
}
