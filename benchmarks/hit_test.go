package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/freshet-dev/freshet/internal/redistest"
)

// BenchmarkHit measures the handlers alone, without connections: time and
// allocations of one answer.
func BenchmarkHit(b *testing.B) {
	server := redistest.Start(b)
	for _, variant := range variants {
		for _, size := range []int{256, 4096, 65536} {
			b.Run(fmt.Sprintf("%s/%d", variant, size), func(b *testing.B) {
				if _, err := server.Do("FLUSHALL"); err != nil {
					b.Fatal(err)
				}
				o := &origin{body: payload(size)}
				handler, closing, err := build(variant, o, server.Addr)
				if err != nil {
					b.Fatal(err)
				}
				defer closing()
				benchmarkHandler(b, handler, size)
				if runs := o.runs.Load(); variant != constant && runs != 1 {
					b.Fatalf("the origin has run %d times, so not every answer was a hit", runs)
				}
			})
		}
	}
}

func benchmarkHandler(b *testing.B, handler http.Handler, size int) {
	r := httptest.NewRequest(http.MethodGet, path, nil)
	r.SetPathValue("post_id", "123")
	handler.ServeHTTP(httptest.NewRecorder(), r) // fills
	w := &discard{header: make(http.Header)}
	b.ReportAllocs()
	for b.Loop() {
		clear(w.header)
		w.written = 0
		handler.ServeHTTP(w, r)
		if w.written != size {
			b.Fatalf("%d bytes, want %d", w.written, size)
		}
	}
}

// discard is a ResponseWriter that costs nothing and can be used again, so that
// what is measured is the handler's.
type discard struct {
	header  http.Header
	written int
}

// Header returns the fields.
func (d *discard) Header() http.Header { return d.header }

// WriteHeader does nothing.
func (d *discard) WriteHeader(int) {}

// Write counts p.
func (d *discard) Write(p []byte) (int, error) {
	d.written += len(p)
	return len(p), nil
}

// WriteString counts s.
func (d *discard) WriteString(s string) (int, error) {
	d.written += len(s)
	return len(s), nil
}
