package arch

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// modulePath is the root module's path, and the prefix of all the others'.
const modulePath = "github.com/freshet-dev/freshet"

// rootDir is the root of the repository, seen from this package.
const rootDir = "../.."

// source is one Go file of the repository.
type source struct {
	path  string // relative to the repository, with slashes
	test  bool   // is its name *_test.go
	lines int
	fset  *token.FileSet
	file  *ast.File
}

// pkg is one package of the repository without its tests.
type pkg struct {
	path    string // relative to modulePath: "" is the root package
	name    string
	imports []string // full import paths
}

// readTree parses every Go file of every module. Parsing the files rather than
// asking the go command sees those of all platforms and build tags, and lets
// the test cache notice when one changes.
func readTree(t *testing.T) []source {
	t.Helper()
	var sources []source
	err := filepath.WalkDir(rootDir, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && path != rootDir && ignored(d.Name()):
			return filepath.SkipDir
		case d.IsDir() || filepath.Ext(path) != ".go":
			return nil
		}
		s, err := readSource(path)
		sources = append(sources, s)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return sources
}

// ignored reports whether the go command would not look into a directory.
func ignored(dir string) bool {
	return dir == "testdata" || dir == "vendor" || strings.HasPrefix(dir, ".") || strings.HasPrefix(dir, "_")
}

func readSource(path string) (source, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return source{}, err
	}
	name, err := filepath.Rel(rootDir, path)
	if err != nil {
		return source{}, err
	}
	name = filepath.ToSlash(name)
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, name, text, parser.ParseComments)
	if err != nil {
		return source{}, err
	}
	return source{
		path:  name,
		test:  strings.HasSuffix(name, "_test.go"),
		lines: strings.Count(string(text), "\n"),
		fset:  fset,
		file:  file,
	}, nil
}

// parse makes a source of a text, for controls.
func parse(t *testing.T, path, text string) source {
	t.Helper()
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, path, text, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	return source{path: path, lines: strings.Count(text, "\n"), fset: fset, file: file}
}

// dir is the package's path relative to modulePath.
func (s source) dir() string {
	if i := strings.LastIndexByte(s.path, '/'); i >= 0 {
		return s.path[:i]
	}
	return ""
}

// packages groups the sources that are not tests.
func packages(sources []source) []pkg {
	var all []pkg
	index := make(map[string]int)
	for _, s := range sources {
		if s.test {
			continue
		}
		i, seen := index[s.dir()]
		if !seen {
			i = len(all)
			index[s.dir()] = i
			all = append(all, pkg{path: s.dir(), name: s.file.Name.Name})
		}
		for _, spec := range s.file.Imports {
			path, _ := strconv.Unquote(spec.Path.Value) // the parser has checked the quotes
			all[i].imports = append(all[i].imports, path)
		}
	}
	return all
}
