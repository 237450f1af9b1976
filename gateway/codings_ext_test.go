package gateway_test

import (
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/zstd"
)

// TestCodings: the upstream is asked once, for the answer as it is, and each client gets
// it in the coding that it wants.
func TestCodings(t *testing.T) {
	text := strings.Repeat("the same again and again. ", 200)
	var asked atomic.Int32
	s := open(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		if got := r.Header["Accept-Encoding"]; len(got) != 1 || got[0] != "identity" {
			t.Errorf("the upstream was asked with Accept-Encoding %q", got)
		}
		w.Header().Set("Content-Type", "text/plain")
		w.Header().Set("Cache-Control", "max-age=60")
		w.Header().Set("ETag", `"v1"`)
		_, _ = io.WriteString(w, text)
	}), plain)
	decode := map[string]func(io.Reader) (io.Reader, error){
		"":     func(r io.Reader) (io.Reader, error) { return r, nil },
		"br":   func(r io.Reader) (io.Reader, error) { return brotli.NewReader(r), nil },
		"gzip": func(r io.Reader) (io.Reader, error) { return gzip.NewReader(r) },
		"zstd": func(r io.Reader) (io.Reader, error) {
			d, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(1))
			return d, err
		},
	}
	for accept, wanted := range map[string]string{
		"": "", "gzip": "gzip", "br": "br", "zstd": "zstd", "gzip, deflate, br": "br", "gzip, deflate, br, zstd": "zstd", "deflate": "",
		"gzip;q=1, br;q=0.5": "gzip",
	} {
		got := s.get("/", "Accept-Encoding: "+accept)
		coding := got.Header.Get("Content-Encoding")
		r, err := decode[coding](strings.NewReader(got.body))
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(r)
		if coding != wanted || err != nil || string(body) != text || !strings.Contains(fmt.Sprint(got.Header["Vary"]), "Accept-Encoding") {
			t.Errorf("%q: coding %q, wanted %q; %d bytes, %v; %v", accept, coding, wanted, len(body), err, got.Header)
		}
		if again := s.get("/", "Accept-Encoding: "+accept, "If-None-Match: "+got.Header.Get("ETag")); again.StatusCode != http.StatusNotModified {
			t.Errorf("%q: %s to %s", accept, again.Status, got.Header.Get("ETag"))
		}
	}
	if n := asked.Load(); n != 1 {
		t.Errorf("the upstream was asked %d times", n)
	}
}

// TestUpstreamsThatCode: with compress off, what clients accept is theirs to say, and an
// answer that does not say that it depends on that is not given to those who do not.
func TestUpstreamsThatCode(t *testing.T) {
	s := open(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "max-age=60")
		if strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
			w.Header().Set("Content-Encoding", "gzip")
		}
		_, _ = io.WriteString(w, r.Header.Get("Accept-Encoding"))
	}), plain+"compress: off")
	for range 2 {
		for _, accept := range []string{"gzip", "br"} {
			if got := s.get("/", "Accept-Encoding: "+accept); got.body != accept {
				t.Errorf("%s gets the answer for %s: %v", accept, got.body, got.Header)
			}
		}
	}
}
