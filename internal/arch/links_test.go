package arch

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// linked is the target of a link in Markdown.
var linked = regexp.MustCompile(`\]\(([^)\s]+)\)`)

// broken returns the links of text, the file at path, that lead to no file.
func broken(path, text string) []string {
	var found []string
	for _, m := range linked.FindAllStringSubmatch(text, -1) {
		target, _, _ := strings.Cut(m[1], "#")
		if target == "" || strings.Contains(target, "://") {
			continue
		}
		if _, err := os.Stat(filepath.Join(filepath.Dir(path), target)); err != nil {
			found = append(found, m[1])
		}
	}
	return found
}

func TestLinksLeadSomewhere(t *testing.T) {
	seen := 0
	for _, pattern := range []string{"*.md", "docs/*.md", "docs/decisions/*.md"} {
		paths, err := filepath.Glob(filepath.Join("..", "..", pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range paths {
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			seen += len(linked.FindAll(text, -1))
			for _, link := range broken(path, string(text)) {
				t.Errorf("%s: there is no %s", path, link)
			}
		}
	}
	if seen < 10 {
		t.Errorf("only %d links have been found", seen)
	}
}

func TestBrokenLinksAreFound(t *testing.T) {
	got := broken("doc.go", "[a](doc.go), [b](doc.go#x), [c](#y), [d](https://example.com/x), [e](nowhere.md), [f](../nowhere.md#z)")
	if diff := cmp.Diff([]string{"nowhere.md", "../nowhere.md#z"}, got); diff != "" {
		t.Errorf("broken (-want +got):\n%s", diff)
	}
}
