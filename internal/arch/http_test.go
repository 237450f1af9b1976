package arch

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// cited is a test as docs/http.md names it: its package, if not the root, its name, and the
// row of a table where one is meant.
var cited = regexp.MustCompile("`(?:([a-z0-9]+)\\.)?((?:Test|Fuzz)[A-Za-z0-9]+)(?:/([^`]+))?`")

// missing returns one line for each test that text cites and tests, the text of the test
// files by package, do not have.
func missing(text string, tests map[string]string) []string {
	var found []string
	for _, m := range cited.FindAllStringSubmatch(text, -1) {
		in := tests[m[1]]
		if !strings.Contains(in, "\nfunc "+m[2]+"(") || m[3] != "" && !strings.Contains(in, `"`+m[3]) {
			found = append(found, "there is no "+strings.Trim(m[0], "`"))
		}
	}
	return found
}

func TestCitedTestsExist(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "http.md"))
	if err != nil {
		t.Fatal(err)
	}
	tests := make(map[string]string)
	for name, pattern := range map[string]string{"": "*_test.go", "gateway": "gateway/*_test.go"} {
		tests[name] = testFiles(t, pattern)
	}
	for _, m := range cited.FindAllStringSubmatch(string(text), -1) {
		if _, ok := tests[m[1]]; !ok {
			tests[m[1]] = testFiles(t, "internal/"+m[1]+"/*_test.go")
		}
	}
	for _, v := range missing(string(text), tests) {
		t.Error(v)
	}
}

// testFiles returns all that the files of a pattern, which begins at the root, hold.
func testFiles(t *testing.T, pattern string) string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join("..", "..", pattern))
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		all.Write(text)
	}
	return all.String()
}

func TestMissingIsFound(t *testing.T) {
	tests := map[string]string{"": "package x\nfunc TestA(", "b": "\nfunc FuzzB(\n{\"3: row\","}
	got := missing("`TestA`, `TestAB`, `b.FuzzB/3: row`, `b.FuzzB/4`, `b.TestA`, `c.TestA`, FuzzB", tests)
	want := []string{"there is no TestAB", "there is no b.FuzzB/4", "there is no b.TestA", "there is no c.TestA"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("missing (-want +got):\n%s", diff)
	}
}
