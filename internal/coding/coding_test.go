package coding

import (
	"bytes"
	"io"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

func decode(t testing.TB, name string, coded []byte) []byte {
	t.Helper()
	var r io.Reader
	var err error
	switch name {
	case "gzip":
		r, err = gzip.NewReader(bytes.NewReader(coded))
	case "zstd":
		// What RFC 9659 asks of a client, and no more.
		r, err = zstd.NewReader(bytes.NewReader(coded), zstd.WithDecoderMaxWindow(8<<20))
	}
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return body
}

// text returns size bytes that shrink, but not to nothing.
func text(size int) []byte {
	var b bytes.Buffer
	for b.Len() < min(size, 100_000) {
		b.WriteString([]string{"post ", "user ", "\"title\": ", "0", "1", "2", "3\n"}[rand.IntN(7)])
	}
	return bytes.Repeat(b.Bytes(), 1+size/max(1, b.Len()))[:size]
}

// TestEncode: a form decodes to the body, is smaller, the same each time, and goes
// after what is there.
func TestEncode(t *testing.T) {
	for _, c := range []Coding{Gzip(), Zstd()} {
		var wg sync.WaitGroup
		for _, size := range []int{0, 1, 1 << 10, 100_000, 9 << 20} {
			wg.Go(func() {
				body := text(size)
				coded, err := c.Encode([]byte("before"), body)
				if err != nil || !bytes.HasPrefix(coded, []byte("before")) {
					t.Errorf("%s of %d bytes: %v, or what was there is gone", c.Name, size, err)
					return
				}
				coded = coded[len("before"):]
				if !bytes.Equal(decode(t, c.Name, coded), body) {
					t.Errorf("%s of %d bytes decodes to something else", c.Name, size)
				}
				if size >= smallest && !Pays(size, len(coded)) {
					t.Errorf("%s of %d bytes has %d", c.Name, size, len(coded))
				}
				if again, _ := c.Encode(nil, body); !bytes.Equal(again, coded) {
					t.Errorf("%s of %d bytes is not the same twice", c.Name, size)
				}
			})
		}
		wg.Wait()
	}
}

func TestCheck(t *testing.T) {
	tests := []struct {
		name    string
		offered []Coding
		want    string
	}{
		{"none", nil, ""},
		{"ours", []Coding{Zstd(), Gzip()}, ""},
		{"most", offer("a", "b", "c", "d", "e", "f", "g", "h"), ""},
		{"too many", offer("a", "b", "c", "d", "e", "f", "g", "h", "i"), "9 codings: use 8 at most"},
		{"no name", offer(""), "no name of a coding"},
		{"no token", offer("g zip"), "no name of a coding"},
		{"upper case", offer("GZIP"), "no name of a coding"},
		{"identity", offer("identity"), "no name of a coding"},
		{"alias", offer("x-gzip"), "no name of a coding"},
		{"wildcard", offer("*"), "no name of a coding"},
		{"twice", offer("gzip", "br", "gzip"), "coding gzip is offered twice"},
		{"no Encode", []Coding{{Name: "br"}}, "coding br has no Encode"},
	}
	for _, tt := range tests {
		err := Check(tt.offered)
		if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
	}
}

func BenchmarkEncode(b *testing.B) {
	body := text(20_000)
	for _, c := range []Coding{Gzip(), Zstd()} {
		b.Run(c.Name, func(b *testing.B) {
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			size := 0
			for b.Loop() {
				coded, _ := c.Encode(nil, body)
				size = len(coded)
			}
			b.ReportMetric(float64(size)/float64(len(body)), "of-size")
		})
	}
}
