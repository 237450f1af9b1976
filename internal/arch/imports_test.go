package arch

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// owners says which rooms may import a module of other people's, tests apart.
// The root module imports nothing that is not listed.
var owners = map[string][]string{
	"github.com/redis/rueidis":      {"redisstore", "benchmarks"},
	"github.com/maypok86/otter/v2":  {"memstore"},
	"github.com/klauspost/compress": {"internal"},
	"github.com/andybalholm/brotli": {"gateway"},
	"go.yaml.in/yaml/v4":            {"gateway"},
}

// testRooms help to test. Nothing that ships imports them.
var testRooms = []string{"storetest", "internal/redistest", "cmd/freshet/chaos"}

// emptyNames say nothing about what is inside.
var emptyNames = []string{"util", "utils", "common", "types", "helpers", "pkg"}

// The heights of the rooms. A package imports its own room and lower ones, so
// that two rooms of one height, siblings, never meet.
const (
	internalHeight = iota
	rootHeight
	siblingHeight // redisstore, memstore, storetest, gateway, admin
	moduleHeight  // modules of their own: cmd/..., contrib/..., benchmarks
)

// room is the part of the repository that a package belongs to, "" for the root
// package: the first element of its path, or two where a folder only collects
// modules.
func room(path string) string {
	first, rest, _ := strings.Cut(path, "/")
	if first == "cmd" || first == "contrib" {
		second, _, _ := strings.Cut(rest, "/")
		return first + "/" + second
	}
	return first
}

func height(room string) int {
	switch {
	case room == "internal":
		return internalHeight
	case room == "":
		return rootHeight
	case room == "benchmarks", strings.Contains(room, "/"):
		return moduleHeight
	default:
		return siblingHeight
	}
}

// violations returns one line for every import and name that the rooms forbid.
// It looks at nothing but its argument.
func violations(pkgs []pkg) []string {
	rivals := rivals(pkgs)
	var found []string
	for _, p := range pkgs {
		if slices.Contains(emptyNames, p.name) {
			found = append(found, fmt.Sprintf("%s: the name %s says nothing", label(p.path), p.name))
		}
		for _, path := range p.imports {
			if reason := forbidden(p, path, rivals); reason != "" {
				found = append(found, fmt.Sprintf("%s imports %s: %s", label(p.path), path, reason))
			}
		}
	}
	return found
}

// label is how a package is called in messages.
func label(path string) string {
	if path == "" {
		return "the root package"
	}
	return path
}

// forbidden returns why p may not import path, "" if it may.
func forbidden(p pkg, path string, rivals []string) string {
	from := room(p.path)
	if local, ok := inRepository(path); ok {
		return forbiddenRoom(p.path, local)
	}
	if standard(path) {
		return ""
	}
	if owner, listed := ownersOf(path); listed {
		if !slices.Contains(owner, from) {
			return "belongs to " + strings.Join(owner, ", ")
		}
		return ""
	}
	switch {
	case height(from) < moduleHeight:
		return "not a dependency of the root module"
	case from != "benchmarks" && slices.Contains(rivals, path):
		return "rivals belong to benchmarks"
	}
	return ""
}

func forbiddenRoom(importer, imported string) string {
	from, to := room(importer), room(imported)
	switch {
	case testRoom(imported) && !testRoom(importer) && from != "benchmarks":
		return "only tests may"
	case from != to && height(to) >= height(from):
		return "arrows point down only"
	}
	return ""
}

// testRoom reports whether a package is in one of testRooms, or in a room named
// after one of them, such as storetest's chaos.
func testRoom(path string) bool {
	return slices.ContainsFunc(testRooms, func(room string) bool { return strings.HasPrefix(path, room) })
}

// rivals returns the packages that only the benchmarks have a use for.
func rivals(pkgs []pkg) []string {
	var found []string
	for _, p := range pkgs {
		if room(p.path) != "benchmarks" {
			continue
		}
		for _, path := range p.imports {
			_, local := inRepository(path)
			_, listed := ownersOf(path)
			if !local && !listed && !standard(path) {
				found = append(found, path)
			}
		}
	}
	return found
}

// inRepository returns path relative to modulePath if it is inside.
func inRepository(path string) (local string, ok bool) {
	local, ok = strings.CutPrefix(path, modulePath)
	if !ok || local == "" {
		return "", ok
	}
	return strings.CutPrefix(local, "/")
}

// standard reports whether path is of the standard library: its first element
// has no dot, as a domain has.
func standard(path string) bool {
	first, _, _ := strings.Cut(path, "/")
	return !strings.Contains(first, ".")
}

func ownersOf(path string) (rooms []string, listed bool) {
	for module, rooms := range owners {
		if path == module || strings.HasPrefix(path, module+"/") {
			return rooms, true
		}
	}
	return nil, false
}

func TestImportsPointDown(t *testing.T) {
	for _, v := range violations(packages(readTree(t))) {
		t.Error(v)
	}
}

// TestViolationsAreFound holds graphs that break one rule each, and some that
// break none.
func TestViolationsAreFound(t *testing.T) {
	const self = modulePath
	tests := []struct {
		name string
		pkgs []pkg
		want []string
	}{
		{"everything in its place", []pkg{
			{"", "freshet", []string{"net/http", self + "/internal/ban"}},
			{"internal/ban", "ban", []string{"strings", self + "/internal/template"}},
			{"redisstore", "redisstore", []string{self, self + "/internal/ban", "github.com/redis/rueidis"}},
			{"storetest", "storetest", []string{"testing", self, self + "/internal/redistest"}},
			{"cmd/freshet", "main", []string{self + "/redisstore", self + "/cmd/freshet/internal/blog", "example.com/kong"}},
			{"benchmarks", "main", []string{self + "/internal/redistest", "github.com/redis/rueidis/rueidiscompat", "example.com/rival"}},
		}, nil},
		{"root imports a store", []pkg{{"", "freshet", []string{self + "/memstore"}}},
			[]string{"the root package imports " + self + "/memstore: arrows point down only"}},
		{"root imports a module", []pkg{{"", "freshet", []string{"example.com/router"}}},
			[]string{"the root package imports example.com/router: not a dependency of the root module"}},
		{"internal imports the root", []pkg{{"internal/ban", "ban", []string{self}}},
			[]string{"internal/ban imports " + self + ": arrows point down only"}},
		{"internal imports a store", []pkg{{"internal/ban", "ban", []string{self + "/redisstore"}}},
			[]string{"internal/ban imports " + self + "/redisstore: arrows point down only"}},
		{"siblings meet", []pkg{{"admin", "admin", []string{self + "/gateway"}}},
			[]string{"admin imports " + self + "/gateway: arrows point down only"}},
		{"a store ships its test suite", []pkg{{"memstore", "memstore", []string{self + "/storetest"}}},
			[]string{"memstore imports " + self + "/storetest: only tests may"}},
		{"the binary ships the Redis harness", []pkg{{"cmd/freshet", "main", []string{self + "/internal/redistest"}}},
			[]string{"cmd/freshet imports " + self + "/internal/redistest: only tests may"}},
		{"a second import of the Redis client", []pkg{{"cmd/freshet", "main", []string{"github.com/redis/rueidis"}}},
			[]string{"cmd/freshet imports github.com/redis/rueidis: belongs to redisstore, benchmarks"}},
		{"a store imports a module of another's", []pkg{{"redisstore", "redisstore", []string{"github.com/maypok86/otter/v2"}}},
			[]string{"redisstore imports github.com/maypok86/otter/v2: belongs to memstore"}},
		{"a rival outside the benchmarks", []pkg{
			{"benchmarks", "main", []string{"example.com/rival"}},
			{"contrib/chi", "chi", []string{"example.com/rival"}},
		}, []string{"contrib/chi imports example.com/rival: rivals belong to benchmarks"}},
		{"one module imports another", []pkg{{"contrib/chi", "chi", []string{self + "/cmd/freshet/internal/blog"}}},
			[]string{"contrib/chi imports " + self + "/cmd/freshet/internal/blog: arrows point down only"}},
		{"an empty name", []pkg{{"internal/things", "util", nil}},
			[]string{"internal/things: the name util says nothing"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, violations(tt.pkgs)); diff != "" {
				t.Errorf("violations (-want +got):\n%s", diff)
			}
		})
	}
}
