package main

import (
	"os"
	"strings"
	"testing"
)

// TestPatchesFit: the lines that the controls take out are still there. Whether a
// control is found is shown by a run.
func TestPatchesFit(t *testing.T) {
	for _, g := range guards() {
		texts, err := patched("../../..", g.patches)
		if err != nil {
			t.Errorf("without %s: %v", g.guard, err)
		}
		for path, text := range texts {
			if old, _ := os.ReadFile(path); string(old) == text {
				t.Errorf("without %s: %s stays as it is", g.guard, path)
			}
		}
	}
}

func TestPatchThatDoesNotFit(t *testing.T) {
	_, err := patched("../../..", []patch{{"go.mod", "no such line", ""}})
	if err == nil || !strings.Contains(err.Error(), "no longer fits") {
		t.Errorf("error %v", err)
	}
}

func TestAgrees(t *testing.T) {
	tests := []struct {
		name  string
		finds []string
		found map[string]int64
		want  bool
	}{
		{"found", []string{"stale", "lost"}, map[string]int64{"lost": 1}, true},
		{"not found", []string{"stale"}, nil, false},
		{"something else found", []string{"stale"}, map[string]int64{"error": 3}, false},
		{"nothing to find", nil, nil, true},
		{"nothing to find, but found", nil, map[string]int64{"stale": 1}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := (control{finds: tt.finds}).agrees(tt.found); got != tt.want {
				t.Errorf("agrees is %t, want %t", got, tt.want)
			}
		})
	}
}
