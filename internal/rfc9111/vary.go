package rfc9111

import (
	"net/http"
	"net/textproto"
	"slices"
	"strings"
)

// maxVary is the largest number of fields that requests are told apart by.
const maxVary = 64

// VaryNames returns the request fields that the lines of a Vary field name, in canonical
// form, sorted, without duplicates; star says that there is no telling what the answer
// depends on (RFC 9110, section 12.5.5). So does a member that is no field's name, and so
// do more than maxVary.
func VaryNames(lines []string) (names []string, star bool) {
	for _, line := range lines {
		for name := range strings.SplitSeq(line, ",") {
			switch name = strings.Trim(name, " \t"); {
			case name == "":
			case !Token(name):
				return nil, true
			default:
				names = append(names, textproto.CanonicalMIMEHeaderKey(name))
			}
		}
	}
	slices.Sort(names)
	if names = slices.Compact(names); len(names) > maxVary {
		return nil, true
	}
	return names, false
}

// VaryValue returns what tells requests apart by the field called name, in canonical
// form, and whether r has such a field: one without it matches only others without it
// (RFC 9111, section 4.1). Values are equal for fields that mean the same: the lines are
// joined, and of the Accept fields the white space, the case and empty members do not
// count. Their order does: handlers take the first of several that weigh the same.
func VaryValue(r *http.Request, name string) (value string, present bool) {
	if name == "Host" {
		return lower(r.Host), true // net/http keeps it apart
	}
	lines, present := r.Header[name]
	value = strings.Trim(strings.Join(lines, ", "), " \t")
	switch name {
	case "Accept-Encoding", "Accept-Charset", "Accept-Language":
		return accepted(value), present
	case "Accept":
		// The values of parameters other than q may depend on their case.
		if !strings.ContainsAny(value, `"=`) {
			return accepted(value), present
		}
	}
	return value, present
}

// accepted returns a list of members with weights in one form.
func accepted(list string) string {
	var kept []string
	for member := range strings.SplitSeq(list, ",") {
		parts := strings.Split(member, ";")
		for i, part := range parts {
			// Blanks elsewhere are no part of the syntax: who sends them may get
			// another answer.
			parts[i] = strings.Trim(part, " \t")
		}
		if member = strings.Join(parts, ";"); member != "" {
			kept = append(kept, lower(member))
		}
	}
	return strings.Join(kept, ",")
}

// lower returns text with its ASCII letters in lower case; all other bytes are kept, so
// that no two values fall together that differ in more.
func lower(text string) string {
	bytes := []byte(text)
	for i, c := range bytes {
		if 'A' <= c && c <= 'Z' {
			bytes[i] = c + ('a' - 'A')
		}
	}
	return string(bytes)
}
