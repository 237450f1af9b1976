package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// program returns the program to run as API processes: this one, or one that is
// built without a guard.
func (r *run) program(ctx context.Context) (string, error) {
	if len(r.control.patches) == 0 {
		return os.Executable()
	}
	return build(ctx, r.dir, r.control.patches)
}

// build builds this program into dir from a source with patches. Nothing in the
// repository is changed: the go command is told to read some files from elsewhere.
// So the code has no switches for tests, and a patch that no longer fits is an
// error.
func build(ctx context.Context, dir string, patches []patch) (string, error) {
	root, err := goOutput(ctx, "list", "-m", "-f", "{{.Dir}}", "github.com/freshet-dev/freshet")
	if err != nil {
		return "", fmt.Errorf("run this in the repository: %w", err)
	}
	texts, err := patched(root, patches)
	if err != nil {
		return "", err
	}
	replace := make(map[string]string)
	for path, text := range texts {
		replace[path] = filepath.Join(dir, fmt.Sprintf("%d-%s", len(replace), filepath.Base(path)))
		if err := os.WriteFile(replace[path], []byte(text), 0o600); err != nil {
			return "", err
		}
	}
	overlay, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return "", err
	}
	list, program := filepath.Join(dir, "overlay.json"), filepath.Join(dir, "chaos")
	if err := os.WriteFile(list, overlay, 0o600); err != nil {
		return "", err
	}
	_, err = goOutput(ctx, "build", "-overlay", list, "-o", program, "github.com/freshet-dev/freshet/cmd/freshet/chaos")
	return program, err
}

// patched returns the texts of the files under root that patches change, by path.
func patched(root string, patches []patch) (map[string]string, error) {
	texts := make(map[string]string)
	for _, p := range patches {
		path := filepath.Join(root, filepath.FromSlash(p.file))
		if _, ok := texts[path]; !ok {
			text, err := os.ReadFile(path)
			if err != nil {
				return nil, err
			}
			texts[path] = string(text)
		}
		if n := strings.Count(texts[path], p.old); n != 1 {
			return nil, fmt.Errorf("the patch of %s no longer fits: %q is in it %d times", p.file, p.old, n)
		}
		texts[path] = strings.Replace(texts[path], p.old, p.new, 1)
	}
	return texts, nil
}

func goOutput(ctx context.Context, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "go", args...)
	var problem strings.Builder
	cmd.Stderr = &problem
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("go %s: %w: %s", args[0], err, problem.String())
	}
	return strings.TrimSpace(string(out)), nil
}
