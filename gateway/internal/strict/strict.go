// Package strict reads a YAML file into a struct and takes nothing for granted: an
// unknown or repeated field, a value of the wrong kind and a second document are
// problems, all of them are told at once, and each with its place in the file.
package strict

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"
)

// MaxNodes is how many values a file may have, those that an alias stands for
// counted each time: a small file could otherwise stand for an endless one.
const MaxNodes = 100_000

// MaxSize is the size of the largest file, in bytes.
const MaxSize = 4 << 20

// Problem is one mistake in a file.
type Problem struct {
	File         string
	Line, Column int    // from 1; 0 if unknown
	Path         string // of the field, such as routes[2].ttl; empty for the file itself
	Err          error  // what is wrong and what to do
}

// Error returns the problem in one line that begins with file:line:column, as
// editors know it from compilers.
func (p *Problem) Error() string {
	var b strings.Builder
	b.WriteString(p.File)
	if p.Line > 0 {
		fmt.Fprintf(&b, ":%d:%d", p.Line, p.Column)
	}
	if p.Path != "" {
		b.WriteString(": " + p.Path)
	}
	return b.String() + ": " + p.Err.Error()
}

// Unwrap returns what is wrong.
func (p *Problem) Unwrap() error { return p.Err }

type place struct{ line, column int }

// File collects the problems of one file. It also remembers where each field
// stands, for those who check later what the fields say together.
type File struct {
	name     string
	places   map[string]place
	problems []*Problem
	nodes    int
	unread   bool // it is no YAML, or too much of it: what it says nobody knows
}

// Decode reads text, the contents of the file called name, into the struct that into
// points to. Fields are named by their yaml tags; the fields of a field tagged
// ",inline" count as into's own. What implements encoding.TextUnmarshaler takes
// scalars as they are written. The problems are in the File.
func Decode(name string, text []byte, into any) *File {
	f := &File{name: name, places: make(map[string]place)}
	if len(text) > MaxSize {
		f.Report("", fmt.Errorf("it has %d bytes, more than %d", len(text), MaxSize))
		f.unread = true
		return f
	}
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	var document, second yaml.Node
	err := decoder.Decode(&document)
	if errors.Is(err, io.EOF) || err == nil && len(document.Content) == 0 {
		return f // an empty file says nothing, which may be enough
	}
	if err == nil {
		f.value(document.Content[0], reflect.ValueOf(into).Elem(), "")
		err = decoder.Decode(&second)
		if err == nil {
			f.at(&second, "", errors.New("there is a second document: put everything into one"))
		}
	}
	f.syntax(err)
	return f
}

// syntax reports what the YAML parser says, where it says it.
func (f *File) syntax(err error) {
	var bad *yaml.LoadError
	switch {
	case err == nil, errors.Is(err, io.EOF):
		return
	case errors.As(err, &bad):
		f.problems = append(f.problems, &Problem{f.name, bad.Mark.Line, bad.Mark.Column, "", errors.New("not YAML: " + bad.Message)})
	default:
		f.Report("", fmt.Errorf("not YAML: %w", err))
	}
	f.unread = true
}

// Report adds a problem of the field at path, unless the field has one already: what
// follows from the first would only hide it. Its place is that of the field, or of
// the innermost one around it that is in the file. Of a file that is no YAML nothing
// else is wrong.
func (f *File) Report(path string, err error) {
	if f.unread {
		return
	}
	for _, p := range f.problems {
		if p.Path == path || within(path, p.Path) && p.Path != "" {
			return
		}
	}
	where, around := place{}, path
	for {
		if found, ok := f.places[around]; ok {
			where = found
			break
		}
		if around == "" {
			break
		}
		around = around[:max(0, strings.LastIndexAny(around, ".["))]
	}
	f.problems = append(f.problems, &Problem{f.name, where.line, where.column, path, err})
}

// within reports whether the field at path is inside of the one at outer.
func within(path, outer string) bool {
	rest, ok := strings.CutPrefix(path, outer)
	return ok && (rest == "" || rest[0] == '.' || rest[0] == '[')
}

// at reports a problem with the value n of the field at path.
func (f *File) at(n *yaml.Node, path string, err error) {
	f.problems = append(f.problems, &Problem{f.name, n.Line, n.Column, path, err})
}

// Unread reports whether the file could not be read to its end: what it has been
// decoded into is then not whole.
func (f *File) Unread() bool { return f.unread }

// Err returns all problems in the order in which they stand in the file, joined,
// each a [*Problem]; nil if there is none.
func (f *File) Err() error {
	slices.SortStableFunc(f.problems, func(a, b *Problem) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	all := make([]error, len(f.problems))
	for i, p := range f.problems {
		all[i] = p
	}
	return errors.Join(all...)
}
