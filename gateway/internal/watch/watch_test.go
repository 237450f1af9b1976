package watch

import (
	"context"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestFiles: a change is told once, when it is complete, whatever way it is made.
func TestFiles(t *testing.T) {
	dir := t.TempDir()
	old, other := filepath.Join(dir, "v1"), filepath.Join(dir, "v2")
	for _, d := range []string{old, other} {
		if err := os.Mkdir(d, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(dir, "current", "config")
	changes := []struct {
		name  string
		apply func()
		want  int64
	}{
		{"nothing", func() {}, 0},
		{"written again", func() { write(t, path, "two") }, 1},
		{"the same again", func() { write(t, path, "two") }, 0},
		{"replaced", func() {
			write(t, filepath.Join(old, "new"), "three")
			rename(t, filepath.Join(old, "new"), filepath.Join(old, "config"))
		}, 1},
		{"a symbolic link is swapped", func() {
			write(t, filepath.Join(other, "config"), "four")
			link(t, "v2", filepath.Join(dir, "next"))
			rename(t, filepath.Join(dir, "next"), filepath.Join(dir, "current"))
		}, 1},
		{"removed", func() { remove(t, path) }, 1},
		{"there again", func() { write(t, path, "four") }, 1},
		{"being written", func() {
			for i := range 5 {
				write(t, path, "five"[:i%4+1])
				time.Sleep(Every)
			}
		}, 1},
	}
	synctest.Test(t, func(t *testing.T) {
		link(t, "v1", filepath.Join(dir, "current"))
		write(t, path, "one")
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		var calls atomic.Int64
		paths := func() []string { return []string{path} }
		go Files(ctx, Sum(paths()), paths, func() { calls.Add(1) })
		time.Sleep(Every / 2) // between two readings
		for _, c := range changes {
			before := calls.Load()
			c.apply()
			time.Sleep(3 * Every)
			synctest.Wait()
			if told := calls.Load() - before; told != c.want {
				t.Errorf("%s: told %d times, want %d", c.name, told, c.want)
			}
		}
	})
}

// TestChangeBeforeTheStart: what changes between the use of a file and the start of
// the watch is told.
func TestChangeBeforeTheStart(t *testing.T) {
	path := filepath.Join(t.TempDir(), "config")
	write(t, path, "one")
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		sum := Sum([]string{path})
		write(t, path, "two")
		var called atomic.Bool
		go Files(ctx, sum, func() []string { return []string{path} }, func() { called.Store(true) })
		time.Sleep(3 * Every)
		synctest.Wait()
		if !called.Load() {
			t.Error("the change is not told")
		}
	})
}

func rename(t *testing.T, from, to string) {
	t.Helper()
	if err := os.Rename(from, to); err != nil {
		t.Fatal(err)
	}
}

func link(t *testing.T, to, path string) {
	t.Helper()
	if err := os.Symlink(to, path); err != nil {
		t.Fatal(err)
	}
}

func remove(t *testing.T, path string) {
	t.Helper()
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
}
