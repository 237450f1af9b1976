package memstore_test

import (
	"fmt"
	"testing"

	"github.com/freshet-dev/freshet"
)

func BenchmarkLookup(b *testing.B) {
	base, variant := freshet.Ref{Key: "post_cache:123"}, freshet.Ref{Key: "post_cache:123", Variant: "0a1b2c3d0a1b2c3d"}
	for _, bench := range []struct {
		name string
		ref  freshet.Ref
		busy bool // an invalidation before each lookup
	}{{"hit", base, false}, {"variant", variant, false}, {"hit after invalidation", base, true}} {
		b.Run(bench.name, func(b *testing.B) {
			s := open(b, nil)
			for i := range 10_000 {
				invalidate(b, s, freshet.Match(fmt.Sprintf("user_%d_*", i)))
			}
			fill(b, s, bench.ref, entry("body", "org:1", "user:5"))
			ctx := b.Context()
			b.ReportAllocs()
			for b.Loop() {
				if bench.busy {
					b.StopTimer()
					invalidate(b, s, freshet.Tag("of nobody"))
					b.StartTimer()
				}
				if found, err := s.Lookup(ctx, bench.ref); err != nil || found.Entry == nil {
					b.Fatal(found, err)
				}
			}
		})
	}
}

func BenchmarkLookupParallel(b *testing.B) {
	s := open(b, nil)
	ref := freshet.Ref{Key: "post_cache:123"}
	fill(b, s, ref, entry("body"))
	b.ReportAllocs()
	b.RunParallel(func(p *testing.PB) {
		for p.Next() {
			if found, err := s.Lookup(b.Context(), ref); err != nil || found.Entry == nil {
				b.Error(found, err)
			}
		}
	})
}

func BenchmarkFill(b *testing.B) {
	s := open(b, nil)
	ref := freshet.Ref{Key: "post_cache:123"}
	stamp := lookup(b, s, ref).Stamp
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Fill(b.Context(), ref, stamp, entry("body")); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkInvalidate(b *testing.B) {
	for _, bench := range []struct {
		name   string
		target func(i int) freshet.Target
	}{
		{"key", func(i int) freshet.Target { return freshet.Key(fmt.Sprint("post_cache:", i)) }},
		{"tag", func(i int) freshet.Target { return freshet.Tag(fmt.Sprint("user:", i)) }},
		{"match", func(i int) freshet.Target { return freshet.Match(fmt.Sprintf("user_%d_*", i)) }},
	} {
		b.Run(bench.name, func(b *testing.B) {
			s := open(b, nil)
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				invalidate(b, s, bench.target(i))
			}
		})
	}
}
