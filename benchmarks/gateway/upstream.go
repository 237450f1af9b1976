package main

import (
	"fmt"
	"hash/crc32"
	"io"
	"net/http"
	"strconv"
	"sync/atomic"
)

// roleUpstream is the first argument of a child that is what floods go through to.
const roleUpstream = "upstream"

// upstream is the part of the process behind a flood. Besides what may be kept, it
// sends large answers, GET /large/SIZE, whose length is stated unless there is
// ?chunked, and takes large bodies, POST /sink, of which it returns the digest.
func upstream(in io.Reader, out io.Writer) error {
	var runs atomic.Int64
	mux := http.NewServeMux()
	mux.Handle(path, constant(4096, &runs))
	mux.HandleFunc("GET /large/{size}", func(w http.ResponseWriter, r *http.Request) {
		size, err := strconv.ParseInt(r.PathValue("size"), 10, 64)
		if err != nil {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Cache-Control", "no-store")
		if r.URL.RawQuery == "" {
			w.Header().Set("Content-Length", strconv.FormatInt(size, 10))
		}
		_, _ = io.Copy(w, io.LimitReader(new(content), size)) // a client that leaves is its own business
	})
	mux.HandleFunc("POST /sink", func(w http.ResponseWriter, r *http.Request) {
		came, err := digest(r.Body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		fmt.Fprintln(w, came)
	})
	return serve(in, out, mux, &runs)
}

// content is an endless body in which no piece is like the one before.
type content struct{ at uint64 }

// Read implements io.Reader.
func (c *content) Read(p []byte) (int, error) {
	for i := range p {
		c.at++
		p[i] = byte(c.at ^ c.at>>8 ^ c.at>>16 ^ c.at>>24)
	}
	return len(p), nil
}

// digest says what a body was: its length and a checksum.
func digest(body io.Reader) (string, error) {
	sum := crc32.New(crc32.MakeTable(crc32.Castagnoli))
	n, err := io.CopyBuffer(sum, body, make([]byte, 64<<10))
	return fmt.Sprintf("%d-%08x", n, sum.Sum32()), err
}
