package rfc9111

import (
	"net/http"
	"slices"
	"strings"
)

// Field is one line of a stored header, with its name in canonical form, or that name
// after a mark: > for a line that is added to what middleware in front has set, < for
// a field of that which is taken out.
type Field = struct{ Name, Value string }

// bare returns the name of a stored line without its mark.
func bare(name string) string { return strings.TrimLeft(name, "<>") }

// Lines returns the lines of the field called name in a stored header.
func Lines(stored []Field, name string) []string {
	var lines []string
	for _, f := range stored {
		if bare(f.Name) == name && f.Name[0] != '<' {
			lines = append(lines, f.Value)
		}
	}
	return lines
}

// Header returns a stored header as the functions here take it, without marks.
func Header(stored []Field) http.Header {
	h := make(http.Header, len(stored))
	for _, f := range stored {
		if f.Name != "" && f.Name[0] != '<' {
			h[bare(f.Name)] = append(h[bare(f.Name)], f.Value)
		}
	}
	return h
}

// The targeted fields that this cache obeys (RFC 9213, section 2.2), in their order.
var targetList = [...]string{"Freshet-Cache-Control", "Cdn-Cache-Control"}

// AnswerDirectives returns what an answer's header says to a cache like this one: the
// first valid targeted field that is not empty, or else Cache-Control. It reports
// whether it is a targeted one; Expires then does not count either (RFC 9213, section
// 2.2).
func AnswerDirectives(h http.Header) (d Directives, targeted bool) {
	for _, name := range targetList {
		lines := h[name]
		if len(lines) == 0 {
			continue
		}
		d, found := Directives{}, false
		ok := dictionary(lines, func(name string, value item) {
			found = true
			d.member(name, value)
		})
		if ok && found {
			return d, true
		}
	}
	return Parse(h["Cache-Control"]), false
}

// RequestDirectives returns what a request asks of caches. Pragma counts where there is
// no Cache-Control, as HTTP/1.0 clients mean it (section 5.4).
func RequestDirectives(r *http.Request) Directives {
	if lines := r.Header["Cache-Control"]; lines != nil {
		return parseRequest(lines)
	}
	pragma := parseRequest(r.Header["Pragma"])
	var d Directives
	d.set[NoCache] = pragma.set[NoCache]
	return d
}

// parseRequest is Parse for a request, where no-cache has no argument: it counts with one,
// too.
func parseRequest(lines []string) Directives {
	d := Parse(lines)
	d.set[NoCache] = d.set[NoCache] || d.named[NoCache] != nil
	return d
}

// storedDirectives is AnswerDirectives for a stored header.
func storedDirectives(stored []Field) Directives {
	h := make(http.Header, len(targetList)+1)
	for _, name := range append(targetList[:], "Cache-Control") {
		if lines := Lines(stored, name); lines != nil {
			h[name] = lines
		}
	}
	d, _ := AnswerDirectives(h)
	return d
}

// Unstored returns a test for the fields of an answer's header that are not stored
// (RFC 9111, section 3.1): those of the connection, those for proxies, and those that
// a no-cache or private directive names, which only the first client may see.
func Unstored(h http.Header) func(name string) bool {
	hop := HopByHop(h)
	d, _ := AnswerDirectives(h)
	return func(name string) bool {
		return hop(name) || slices.Contains(d.Names(NoCache), name) || slices.Contains(d.Names(Private), name)
	}
}
