package coding

import (
	"net/http"
	"slices"
	"strings"

	"github.com/freshet-dev/freshet/internal/rfc9111"
)

// identity is the name of no coding in Accept-Encoding.
const identity = "identity"

// unnamed is the weight of what Accept-Encoding does not name.
const unnamed = -1

// weights are those of the codings in Accept-Encoding, in thousandths.
type weights struct {
	offered  [most]int
	identity int
	others   int // of what is not named: *
}

// Wanted returns that of the offered codings in which r is to be answered, or nil if
// the answer is to be sent as it is. So it is if a part of it is wanted: the forms
// differ in all but the meaning, and parts of two must never meet in one client.
func Wanted(r *http.Request, offered []Coding) *Coding {
	if len(offered) == 0 || r.Header["Range"] != nil || slices.ContainsFunc(r.Header["Cache-Control"], NoTransform) {
		return nil
	}
	return Negotiate(r.Header["Accept-Encoding"], offered)
}

// Negotiate returns that of the offered codings which Accept-Encoding asks for, by
// its lines, or nil if the answer is to be sent as it is (RFC 9110, section 12.5.3).
// Of those that are wanted equally it is the first. A client that wants no coding
// more than one gets none; one that says nothing, or something malformed, too. So
// does one that refuses this (identity;q=0) and names nothing that is offered: the
// section prefers that to an error.
func Negotiate(lines []string, offered []Coding) *Coding {
	if len(lines) == 0 {
		return nil
	}
	w := weights{identity: unnamed, others: unnamed}
	for i := range w.offered {
		w.offered[i] = unnamed
	}
	for _, line := range lines {
		if !w.read(line, offered) {
			return nil
		}
	}
	var best *Coding
	enough := max(w.identity, 1) // a weight of 0 means: not acceptable
	for i := range offered {
		weight := w.offered[i]
		if weight == unnamed {
			weight = w.others
		}
		if weight >= enough {
			best, enough = &offered[i], weight+1
		}
	}
	return best
}

// read takes in one line and reports whether it is well-formed.
func (w *weights) read(line string, offered []Coding) bool {
	for part := range strings.SplitSeq(line, ",") {
		part = strings.Trim(part, " \t")
		if part == "" {
			continue // RFC 9110, section 5.6.1.2
		}
		name, weight, ok := weighed(part)
		if !ok {
			return false
		}
		if at := w.of(name, offered); at != nil && (*at == unnamed || weight < *at) {
			*at = weight // named twice: what is wanted less is safe
		}
	}
	return true
}

// of returns where the weight of a coding is kept, nil if it does not matter.
func (w *weights) of(name string, offered []Coding) *int {
	switch {
	case name == "*":
		return &w.others
	case strings.EqualFold(name, identity):
		return &w.identity
	case strings.EqualFold(name, "x-gzip"):
		name = "gzip" // RFC 9110, section 8.4.1.3
	}
	for i := range offered {
		if strings.EqualFold(name, offered[i].Name) {
			return &w.offered[i]
		}
	}
	return nil
}

// weighed reads one member of the list: codings [ weight ].
func weighed(part string) (name string, weight int, ok bool) {
	name, rest, has := strings.Cut(part, ";")
	name = strings.TrimRight(name, " \t")
	if name != "*" && !rfc9111.Token(name) {
		return "", 0, false
	}
	if !has {
		return name, 1000, true
	}
	rest = strings.TrimLeft(rest, " \t")
	if len(rest) < 2 || rest[0]|0x20 != 'q' || rest[1] != '=' {
		return "", 0, false
	}
	weight, ok = thousandths(rest[2:])
	return name, weight, ok
}

// thousandths reads a qvalue (RFC 9110, section 12.4.2): 0 or 1, with at most three
// decimals.
func thousandths(text string) (int, bool) {
	if len(text) == 0 || len(text) > len("0.000") || len(text) > 1 && text[1] != '.' {
		return 0, false
	}
	value := 0
	for i := range len("0.000") {
		if i == 1 {
			continue
		}
		digit := byte('0')
		if i < len(text) {
			digit = text[i]
		}
		if digit < '0' || digit > '9' {
			return 0, false
		}
		value = 10*value + int(digit-'0')
	}
	return value, value <= 1000
}
