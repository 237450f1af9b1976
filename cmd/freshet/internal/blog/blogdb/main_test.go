package blogdb

import (
	"context"
	"path/filepath"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// open opens a new database of so many posts.
func open(tb testing.TB, posts int) *DB {
	tb.Helper()
	return openFile(tb, filepath.Join(tb.TempDir(), "demo.db"), posts)
}

func openFile(tb testing.TB, path string, posts int) *DB {
	tb.Helper()
	d, err := Open(context.Background(), path, &Options{Posts: posts})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := d.Close(); err != nil {
			tb.Error(err)
		}
	})
	return d
}

func ptr[T any](v T) *T { return &v }
