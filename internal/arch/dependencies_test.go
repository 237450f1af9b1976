package arch

import (
	"errors"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestDependencies compares the modules that the packages of the root module
// need, tests apart, with the golden file, so that a new one, or a new version,
// is a line in somebody's review.
func TestDependencies(t *testing.T) {
	const golden = "testdata/dependencies.golden"
	got := dependencies(t)
	if *update {
		if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("dependencies of the root module; if they are wanted, run: go test ./internal/arch -update\n(-want +got):\n%s", diff)
	}
}

var update = flag.Bool("update", false, "rewrite the golden file")

// dependencies returns path and version of each module, sorted, one a line.
func dependencies(t *testing.T) string {
	t.Helper()
	const format = `{{with .Module}}{{if not .Main}}{{.Path}} {{.Version}}{{end}}{{end}}`
	cmd := exec.Command("go", "list", "-deps", "-f", format, "./...")
	cmd.Dir = rootDir
	// Without the workspace, whose other modules raise versions; for one
	// platform, so that the file is the same on all.
	cmd.Env = append(os.Environ(), "GOWORK=off", "GOOS=linux", "GOARCH=amd64", "CGO_ENABLED=0")
	out, err := cmd.Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			t.Fatalf("%v: %s", err, exit.Stderr)
		}
		t.Fatal(err)
	}
	// Opened so that the test cache notices when it changes.
	if _, err := os.ReadFile(filepath.Join(rootDir, "go.mod")); err != nil {
		t.Fatal(err)
	}
	lines := slices.DeleteFunc(strings.Split(string(out), "\n"), func(l string) bool { return l == "" })
	slices.Sort(lines)
	return strings.Join(slices.Compact(lines), "\n") + "\n"
}
