package arch

import (
	"fmt"
	"go/ast"
	"go/token"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// undocumented returns one line for every package without a package comment, and
// every exported name without a comment of its own or of its group. Nobody
// imports commands, so that their names need none. It looks at nothing but its
// argument.
func undocumented(sources []source) []string {
	var found []string
	commented := make(map[string]bool)
	for _, s := range sources {
		if s.test {
			continue
		}
		commented[s.dir()] = commented[s.dir()] || s.file.Doc.Text() != ""
		if s.file.Name.Name != "main" {
			found = append(found, bareNames(s)...)
		}
	}
	for dir, ok := range commented {
		if !ok {
			found = append(found, label(dir)+" has no package comment")
		}
	}
	return found
}

func bareNames(s source) []string {
	var names []*ast.Ident
	for _, decl := range s.file.Decls {
		switch d := decl.(type) {
		case *ast.FuncDecl:
			if d.Doc.Text() == "" && reachable(d.Recv) {
				names = append(names, d.Name)
			}
		case *ast.GenDecl:
			for _, spec := range d.Specs {
				names = append(names, bareSpec(spec, d.Doc.Text() != "")...)
			}
		}
	}
	var found []string
	for _, name := range names {
		if name.IsExported() {
			found = append(found, fmt.Sprintf("%s:%d: %s has no comment", s.path, line(s, name), name.Name))
		}
	}
	return found
}

func line(s source, n ast.Node) int { return s.fset.Position(n.Pos()).Line }

// bareSpec returns the names that a specification leaves without a comment. The
// comment of a group speaks for its constants and variables, and for the only
// type in it.
func bareSpec(spec ast.Spec, group bool) []*ast.Ident {
	switch s := spec.(type) {
	case *ast.ValueSpec:
		if !group && s.Doc.Text() == "" && s.Comment.Text() == "" {
			return s.Names
		}
	case *ast.TypeSpec:
		var names []*ast.Ident
		if !group && s.Doc.Text() == "" && s.Comment.Text() == "" {
			names = append(names, s.Name)
		}
		if i, ok := s.Type.(*ast.InterfaceType); ok && s.Name.IsExported() {
			names = append(names, bareMethods(i)...)
		}
		return names
	}
	return nil
}

func bareMethods(i *ast.InterfaceType) []*ast.Ident {
	var names []*ast.Ident
	for _, method := range i.Methods.List {
		if method.Doc.Text() == "" && method.Comment.Text() == "" {
			names = append(names, method.Names...)
		}
	}
	return names
}

// reachable reports whether a function with this receiver can be called from
// other packages by its name: it is no method, or one of an exported type.
func reachable(receiver *ast.FieldList) bool {
	if receiver == nil {
		return true
	}
	typ := receiver.List[0].Type
	for {
		switch t := typ.(type) {
		case *ast.StarExpr:
			typ = t.X
		case *ast.IndexExpr:
			typ = t.X
		case *ast.IndexListExpr:
			typ = t.X
		case *ast.Ident:
			return token.IsExported(t.Name)
		default:
			return false
		}
	}
}

func newlines(n int) string { return strings.Repeat("\n", n) }

func TestExportedNamesAreDocumented(t *testing.T) {
	for _, v := range undocumented(readTree(t)) {
		t.Error(v)
	}
}

func TestUndocumentedIsFound(t *testing.T) {
	tests := []struct {
		name string
		text string
		want []string
	}{
		{"all documented", `// Package a does.
package a

// F does.
func F() {}

// The limits.
const (
	A = 1
	B = 2
)

type hidden struct{}

func (hidden) Method() {}
`, nil},
		{"package", "package a\n", []string{"a has no package comment"}},
		{"function", "// Package a does.\npackage a\n\nfunc F() {}\n", []string{"a/a.go:4: F has no comment"}},
		{"method", `// Package a does.
package a

// T is.
type T[K any] struct{}

func (*T[K]) M() {}
`, []string{"a/a.go:7: M has no comment"}},
		{"type, constant, variable", `// Package a does.
package a

type T int

const C = 1

var V, w int
`, []string{"a/a.go:4: T has no comment", "a/a.go:6: C has no comment", "a/a.go:8: V has no comment"}},
		{"method of an interface", `// Package a does.
package a

// I is.
type I interface {
	Bare()
	Noted() // does
}
`, []string{"a/a.go:6: Bare has no comment"}},
		{"command", "// Command a does.\npackage main\n\nfunc F() {}\n", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, undocumented([]source{parse(t, "a/a.go", tt.text)})); diff != "" {
				t.Errorf("undocumented (-want +got):\n%s", diff)
			}
		})
	}
}
