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
	replace := make(map[string]string)
	for i, p := range patches {
		path := filepath.Join(root, filepath.FromSlash(p.file))
		from := path
		if patched, ok := replace[path]; ok {
			from = patched
		}
		text, err := os.ReadFile(from)
		if err != nil {
			return "", err
		}
		if n := strings.Count(string(text), p.old); n != 1 {
			return "", fmt.Errorf("the patch of %s no longer fits: %q is in it %d times", p.file, p.old, n)
		}
		replace[path] = filepath.Join(dir, fmt.Sprintf("%d-%s", i, filepath.Base(p.file)))
		if err := os.WriteFile(replace[path], []byte(strings.Replace(string(text), p.old, p.new, 1)), 0o600); err != nil {
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
