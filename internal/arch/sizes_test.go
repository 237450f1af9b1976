package arch

import (
	"fmt"
	"go/ast"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// What is longer cannot be read in one sitting. Tests are not counted.
const (
	maxFunction = 60   // lines from func to the closing brace
	maxFile     = 400  // lines
	maxRoot     = 3200 // lines of the root package
)

// oversized returns one line for every function, file or root package that is
// too long. It looks at nothing but its argument.
func oversized(sources []source) []string {
	var found []string
	root := 0
	for _, s := range sources {
		if s.test {
			continue
		}
		if s.dir() == "" {
			root += s.lines
		}
		if s.lines > maxFile {
			found = append(found, fmt.Sprintf("%s has %d lines, more than %d", s.path, s.lines, maxFile))
		}
		found = append(found, longFunctions(s)...)
	}
	if root > maxRoot {
		found = append(found, fmt.Sprintf("the root package has %d lines, more than %d", root, maxRoot))
	}
	return found
}

func longFunctions(s source) []string {
	var found []string
	for _, decl := range s.file.Decls {
		f, ok := decl.(*ast.FuncDecl)
		if !ok {
			continue
		}
		lines := s.fset.Position(f.End()).Line - s.fset.Position(f.Pos()).Line + 1
		if lines > maxFunction {
			found = append(found, fmt.Sprintf("%s: %s has %d lines, more than %d", s.path, f.Name.Name, lines, maxFunction))
		}
	}
	return found
}

func TestSizes(t *testing.T) {
	for _, v := range oversized(readTree(t)) {
		t.Error(v)
	}
}

func TestOversizedIsFound(t *testing.T) {
	function := func(lines int) string { return "func long() {" + newlines(lines-1) + "}\n" }
	tests := []struct {
		name string
		path string
		text string
		want []string
	}{
		{"as long as it may be", "a.go", "package a\n" + function(maxFunction), nil},
		{"function", "a.go", "package a\n" + function(maxFunction+1), []string{"a.go: long has 61 lines, more than 60"}},
		{"file", "b/a.go", "package a" + newlines(maxFile+1), []string{"b/a.go has 401 lines, more than 400"}},
		{"root", "a.go", "package a" + newlines(maxRoot+1), []string{
			"a.go has 3201 lines, more than 400",
			"the root package has 3201 lines, more than 3200",
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, oversized([]source{parse(t, tt.path, tt.text)})); diff != "" {
				t.Errorf("oversized (-want +got):\n%s", diff)
			}
		})
	}
}
