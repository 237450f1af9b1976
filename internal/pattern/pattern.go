// Package pattern reads the patterns by which http.ServeMux finds a handler.
package pattern

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"unicode"
)

// Query is the method of a read whose question is in its content (RFC 10008). It is
// safe, idempotent and cacheable, as GET is.
const Query = "QUERY"

// Route is what a rule has to know of a route: "[METHOD ][HOST]/[PATH]". The
// zero value is a route of which nothing is known.
type Route struct {
	Method    string   // empty for any
	Path      string   // with the host, if there is one
	Wildcards []string // the names, in their order
}

// Parse reads a pattern. What other routers write for their wildcards is an
// error, not literal text: it would hide a part of the path from the key.
func Parse(text string) (Route, error) {
	r := Route{Path: text}
	if n := strings.IndexAny(text, " \t"); n >= 0 {
		r.Method, r.Path = text[:n], strings.TrimLeft(text[n:], " \t")
	}
	if !strings.Contains(r.Path, "/") {
		return Route{}, fmt.Errorf("%q has no path: write it as http.ServeMux does, for example \"GET /posts/{post_id}\"", text)
	}
	for segment := range strings.SplitSeq(r.Path, "/") {
		inner, opens := strings.CutPrefix(segment, "{")
		name, closes := strings.CutSuffix(inner, "}")
		name = strings.TrimSuffix(name, "...")
		switch {
		case !opens && !strings.ContainsAny(segment, "{}*"), inner == "$}":
		case opens && closes && name != "" && !strings.ContainsFunc(name, symbol):
			r.Wildcards = append(r.Wildcards, name)
		default:
			return Route{}, fmt.Errorf("%q in %q: write wildcards as http.ServeMux does, {name} for a segment or {name...} for the rest", segment, text)
		}
	}
	if err := accepted(text); err != nil {
		return Route{}, err
	}
	return r, nil
}

// accepted returns what http.ServeMux has against a pattern, if anything.
func accepted(text string) (err error) {
	defer func() {
		if problem := recover(); problem != nil {
			err = fmt.Errorf("%v", problem)
		}
	}()
	http.NewServeMux().Handle(text, http.NotFoundHandler())
	return nil
}

func symbol(r rune) bool { return r != '_' && !unicode.IsLetter(r) && !unicode.IsDigit(r) }

// Reads reports whether requests that only read can come this way.
func (r *Route) Reads() bool {
	return r.Method == "" || r.Method == "GET" || r.Method == "HEAD" || r.Method == Query
}

// Writes reports whether requests that change something can come this way.
func (r *Route) Writes() bool { return r.Method == "" || !r.Reads() }

// ID finds the wildcard that {} stands for: the only one, or the one named id,
// or the only one whose name ends in id. It guesses no further: of width and
// post_id neither is the id because it comes last.
func (r *Route) ID() (string, error) {
	if r.Path == "" {
		return "", errors.New("the route's pattern is not known here: register with Cache.Handle, set Pattern, or name the placeholder")
	}
	if len(r.Wildcards) == 1 {
		return r.Wildcards[0], nil
	}
	var ending []string
	for _, name := range r.Wildcards {
		if name == "id" {
			return name, nil
		}
		if strings.HasSuffix(name, "id") {
			ending = append(ending, name)
		}
	}
	switch {
	case len(ending) == 1:
		return ending[0], nil
	case len(r.Wildcards) == 0:
		return "", fmt.Errorf("the pattern %q has no wildcard that it could stand for", r.Path)
	default:
		return "", fmt.Errorf("the pattern %q has several wildcards that it could stand for (%s): name the one you mean",
			r.Path, strings.Join(r.Wildcards, ", "))
	}
}
