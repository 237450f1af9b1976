package blogdb

import (
	"context"
	"path/filepath"
	"strconv"
	"testing"
)

func BenchmarkFill(b *testing.B) {
	dir := b.TempDir()
	for i := 0; b.Loop(); i++ {
		d, err := Open(context.Background(), filepath.Join(dir, strconv.Itoa(i)), nil)
		if err != nil {
			b.Fatal(err)
		}
		if err := d.Close(); err != nil {
			b.Fatal(err)
		}
	}
}

// The heavy queries take a hundred milliseconds or more by themselves: that is
// what the demo is to show.
func BenchmarkQueries(b *testing.B) {
	d := open(b, DefaultPosts)
	ctx := context.Background()
	queries := []struct {
		name string
		run  func() error
	}{
		{"AuthorStats", func() error { _, err := d.AuthorStats(ctx, johndoe); return err }},
		{"Search/common", func() error { _, err := d.Search(ctx, "coffee", 10, 0); return err }},
		{"Search/rare", func() error { _, err := d.Search(ctx, "zzzq", 10, 0); return err }},
		{"LiveStats", func() error { _, err := d.LiveStats(ctx); return err }},
		{"Post", func() error { _, err := d.Post(ctx, 456); return err }},
	}
	for _, q := range queries {
		b.Run(q.name, func(b *testing.B) {
			for b.Loop() {
				if err := q.run(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
