package rfc9111

import (
	"net/http"
	"net/textproto"
	"slices"
	"strings"
)

// VaryNames returns the request fields that the lines of a Vary field name, in canonical
// form, sorted, without duplicates; star says that there is no telling what the answer
// depends on (RFC 9110, section 12.5.5). So does a member that is no field's name.
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
	return slices.Compact(names), false
}

// VaryValue returns what tells requests apart by the field called name, in canonical
// form, and whether r has such a field: one without it matches only others without it
// (RFC 9111, section 4.1). Values are equal for fields that mean the same: the lines are
// joined, and of the Accept fields the white space, the case and empty members do not
// count.
func VaryValue(r *http.Request, name string) (value string, present bool) {
	if name == "Host" {
		return strings.ToLower(r.Host), true // net/http keeps it apart
	}
	lines, present := r.Header[name]
	value = strings.Join(lines, ", ")
	switch name {
	case "Accept-Encoding", "Accept-Charset", "Accept-Language":
		return accepted(value), present
	case "Accept":
		// Values of parameters may be quoted, or depend on their case.
		if !strings.ContainsAny(value, `"=`) {
			return accepted(value), present
		}
	}
	return strings.Trim(value, " \t"), present
}

// accepted returns a list without white space and empty members, in lower case.
func accepted(list string) string {
	var kept []string
	for member := range strings.SplitSeq(list, ",") {
		member = strings.Map(func(c rune) rune {
			if c == ' ' || c == '\t' {
				return -1
			}
			return c
		}, member)
		if member != "" {
			kept = append(kept, strings.ToLower(member))
		}
	}
	return strings.Join(kept, ",")
}
