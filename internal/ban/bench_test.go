package ban

import (
	"fmt"
	"testing"
)

// key is 44 bytes long and matches none of the patterns.
const key = "johndoe_posts:page_1:items_per_page_10:johnd"

// keys returns as many such keys as make the index miss the processor's caches.
func keys() []string {
	keys := make([]string, 1<<12)
	for i := range keys {
		keys[i] = fmt.Sprintf("john%03x_posts:page_%03x:items_per_page_10:%03xjo", i, i*7%4096, i*13%4096)
	}
	return keys
}

func BenchmarkSinceNothingNew(b *testing.B) {
	var m Map
	if err := m.Add(All, 7); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		m.Since(key, []string{"org:1"}, 7)
	}
}

func BenchmarkSinceKeysAndTags(b *testing.B) {
	var m Map
	for i := range 100_000 {
		add(b, &m, Key(fmt.Sprintf("user_data:%d", i)), uint64(i))
		add(b, &m, Tag(fmt.Sprintf("org:%d", i)), uint64(i))
	}
	b.ReportAllocs()
	for b.Loop() {
		m.Since(key, []string{"org:x", "org:y"}, 50)
	}
}

// BenchmarkSincePatterns searches with a stamp older than every pattern, the
// worst case, for patterns of each form.
func BenchmarkSincePatterns(b *testing.B) {
	for _, form := range []string{"user_%d_*", "*_user_%d_*", "user_%d_posts_page_*", "*%d"} {
		for _, n := range []int{100, 10_000, 1_000_000} {
			b.Run(fmt.Sprintf("%s/%d", form, n), func(b *testing.B) {
				var m Map
				for i := range n {
					add(b, &m, Glob(fmt.Sprintf(form, i)), uint64(i+1))
				}
				keys := keys()
				b.ReportAllocs()
				for i := 0; b.Loop(); i++ {
					if _, version := m.Since(keys[i%len(keys)], nil, 0); version != 0 {
						b.Fatal("a pattern matches")
					}
				}
			})
		}
	}
}

func BenchmarkAddPattern(b *testing.B) {
	var m Map
	b.ReportAllocs()
	for i := uint64(0); b.Loop(); i++ {
		add(b, &m, Glob(fmt.Sprintf("*_user_%d_*", i)), i)
		m.Trim(100_000)
	}
}

// BenchmarkTrimBefore drops 100,000 patterns; readers wait for a hundredth of it.
func BenchmarkTrimBefore(b *testing.B) {
	for b.Loop() {
		b.StopTimer()
		var m Map
		for i := range 100_000 {
			add(b, &m, Glob(fmt.Sprintf("*_user_%d_*", i)), uint64(i))
		}
		b.StartTimer()
		m.TrimBefore(1 << 60)
	}
}

func BenchmarkMatch(b *testing.B) {
	for b.Loop() {
		Match("*_user_5_*", key)
	}
}

func add(b *testing.B, m *Map, member string, version uint64) {
	if err := m.Add(member, version); err != nil {
		b.Fatal(err)
	}
}
