package gateway_test

import (
	"bytes"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
)

// TestHitInOneWrite: a hit of a few KiB reaches its client as one piece, header and
// body. Of an answer that is sent in two pieces a client who reads at once gets the
// first.
func TestHitInOneWrite(t *testing.T) {
	const size = 6 << 10
	s := stand(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Cache-Control", "max-age=60")
		w.Header().Set("Content-Length", strconv.Itoa(size))
		_, _ = io.WriteString(w, strings.Repeat("a", size))
	}), "upstreams: {default: {servers: [UPSTREAM]}}\n")
	if r := s.get("/"); len(r.body) != size {
		t.Fatalf("%d bytes", len(r.body))
	}
	c, buf := s.dial(), make([]byte, 64<<10)
	for range 1000 {
		if _, err := io.WriteString(c, "GET / HTTP/1.1\r\nHost: "+s.addr+"\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		n, err := c.Read(buf)
		if err != nil {
			t.Fatal(err)
		}
		if _, body, _ := bytes.Cut(buf[:n], []byte("\r\n\r\n")); len(body) != size || !bytes.Contains(buf[:n], []byte("freshet; hit")) {
			t.Fatalf("the first piece of a hit has %d bytes of the body, after %.300q", len(body), buf[:n])
		}
	}
}
