package template

import "testing"

// golden are the shapes of the keys that the README and the demo use.
var golden = []struct {
	name, template string
	values         fixed
}{
	{"Static", "countries", fixed{}},
	{"One", "post_cache:{post_id:int}", fixed{"123", "", ""}},
	{"Three", "user_{user_id:int}_posts_page_{page:int=1}:{post_id:int}", fixed{"789", "123", ""}},
	{"Page", "{username}_posts:page_{page=1}:items_per_page_{items_per_page=10}:{username}", fixed{"", "", "johndoe"}},
	{"Escaped", "search_results_{username:str}:{page:int=1}", fixed{"", "", "red shoes & socks"}},
}

// fixed answers as a request does, without a map's cost: post_id, user_id and
// username.
type fixed [3]string

func (f *fixed) Value(name string) (string, bool) {
	switch name {
	case "post_id":
		return f[0], true
	case "user_id":
		return f[1], true
	case "username":
		return f[2], true
	}
	return "", false
}

func TestAppendDoesNotAllocate(t *testing.T) {
	for _, test := range golden {
		t.Run(test.name, func(t *testing.T) {
			parsed := mustParse(t, test.template)
			key, ident := make([]byte, 0, 256), make([]byte, 0, 256)
			allocs := testing.AllocsPerRun(100, func() {
				if _, _, err := parsed.Append(key, ident, &test.values); err != nil {
					t.Fatal(err)
				}
			})
			if allocs != 0 {
				t.Errorf("Append allocates %v times", allocs)
			}
			if allocs := testing.AllocsPerRun(100, func() { parsed.Widen(key, &test.values) }); allocs != 0 {
				t.Errorf("Widen allocates %v times", allocs)
			}
		})
	}
}

func BenchmarkAppend(b *testing.B) {
	for _, test := range golden {
		b.Run(test.name, func(b *testing.B) {
			parsed := mustParse(b, test.template)
			key, ident := make([]byte, 0, 256), make([]byte, 0, 256)
			b.ReportAllocs()
			for b.Loop() {
				if _, _, err := parsed.Append(key, ident, &test.values); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkParse(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Parse(everyType); err != nil {
			b.Fatal(err)
		}
	}
}
