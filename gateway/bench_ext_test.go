package gateway_test

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"

	"github.com/freshet-dev/freshet"
	"github.com/freshet-dev/freshet/gateway"
	"github.com/freshet-dev/freshet/memstore"
)

// BenchmarkHit is a hit in process, without a connection: by URI and by a rule.
func BenchmarkHit(b *testing.B) {
	up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "max-age=3600")
		_, _ = w.Write(make([]byte, 1024))
	}))
	defer up.Close()
	c, err := gateway.Read("f", []byte(`
upstreams: {a: {servers: ["`+up.URL+`"]}}
origins: ["http://example.com"]
routes: [{pattern: "GET /posts/{id}", key: "post:{id:int}", ttl: 1h}]
`))
	if err != nil {
		b.Fatal(err)
	}
	store, err := memstore.Open(b.Context(), slog.Default())
	if err != nil {
		b.Fatal(err)
	}
	cache, err := freshet.New(store, &freshet.Options{Codings: c.Codings(), Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.Fatal(err)
	}
	defer cache.Close(b.Context())
	g, err := gateway.New(c, cache, nil)
	if err != nil {
		b.Fatal(err)
	}
	defer g.Close()
	for _, path := range []string{"/else", "/posts/7"} {
		b.Run(path, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				w := httptest.NewRecorder()
				r := &http.Request{
					Method: "GET", URL: &url.URL{Path: path}, Host: "example.com", Header: http.Header{},
					RemoteAddr: "127.0.0.1:1", Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
				}
				g.ServeHTTP(w, r.WithContext(b.Context()))
				if w.Code != http.StatusOK {
					b.Fatal(w.Code)
				}
			}
		})
	}
}
