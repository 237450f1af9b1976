package envelope

import "testing"

func BenchmarkDecode(b *testing.B) {
	for name, r := range map[string]*Record{"plain": sample(4096), "compressed": text(4096)} {
		b.Run(name, func(b *testing.B) {
			s := encode(b, r)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Decode(s); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkAppend(b *testing.B) {
	for name, r := range map[string]*Record{"plain": sample(4096), "compressed": text(4096)} {
		b.Run(name, func(b *testing.B) {
			var buffer []byte
			b.ReportAllocs()
			for b.Loop() {
				form, err := Append(buffer[:0], r)
				if err != nil {
					b.Fatal(err)
				}
				buffer = form
			}
		})
	}
}

func BenchmarkPeek(b *testing.B) {
	s := encode(b, sample(4096))[:PeekSize]
	b.ReportAllocs()
	for b.Loop() {
		if _, _, _, ok := Peek(s); !ok {
			b.Fatal("not ours")
		}
	}
}
