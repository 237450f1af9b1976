// Package report counts what happens in a run, and keeps what should not have
// happened.
package report

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
)

// Report is written to by everybody in a run. Its methods may be called
// concurrently.
type Report struct {
	// Out gets the first violations of each kind, File all up to a limit; either
	// may be nil.
	Out, File io.Writer
	// Around returns what was done to the system lately, one thing a line.
	Around func() []string

	mu         sync.Mutex
	counts     map[string]int64
	violations map[string]int64
}

const (
	shown = 3    // violations of a kind that go to Out
	kept  = 1000 // violations of a kind that go to File
	clock = "15:04:05.000000"
)

// Count adds one to name.
func (r *Report) Count(name string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.counts == nil {
		r.counts = make(map[string]int64)
	}
	r.counts[name]++
}

// Of returns how often name was counted.
func (r *Report) Of(name string) int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.counts[name]
}

// Counts returns the names that begin with prefix, without it, and their counts.
func (r *Report) Counts(prefix string) map[string]int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	found := make(map[string]int64)
	for name, n := range r.counts {
		if rest, ok := strings.CutPrefix(name, prefix); ok {
			found[rest] = n
		}
	}
	return found
}

// Violation records that something happened that must not: its kind, and what
// helps to understand it.
func (r *Report) Violation(kind, format string, args ...any) {
	var around []string
	if r.Around != nil {
		around = r.Around()
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.violations == nil {
		r.violations = make(map[string]int64)
	}
	r.violations[kind]++
	text := fmt.Sprintf("%s VIOLATION %s: %s\n", time.Now().Format(clock), kind, fmt.Sprintf(format, args...))
	for _, line := range around {
		text += "    fault " + line + "\n"
	}
	if n := r.violations[kind]; r.File != nil && n <= kept {
		_, _ = io.WriteString(r.File, text)
	}
	if n := r.violations[kind]; r.Out != nil && n <= shown {
		_, _ = io.WriteString(r.Out, text)
	}
}

// Violations returns how many there were of each kind.
func (r *Report) Violations() map[string]int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return maps.Clone(r.violations)
}

// List writes counts as "a 1, b 2", largest first.
func List[N int | int64](counts map[string]N) string {
	names := slices.SortedFunc(maps.Keys(counts), func(a, b string) int {
		if counts[a] != counts[b] {
			return int(counts[b] - counts[a])
		}
		return strings.Compare(a, b)
	})
	for i, name := range names {
		names[i] = fmt.Sprintf("%s %d", name, counts[name])
	}
	return strings.Join(names, ", ")
}
