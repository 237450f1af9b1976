package main

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync/atomic"

	"github.com/freshet-dev/freshet/benchmarks/internal/measure"
)

// roleOrigin is the first argument of a child that is the origin.
const roleOrigin = "origin"

// path is what is asked for, again and again.
const path = "/posts/123"

// origin is the part of the process behind all caches: origin BODY. It says its
// address, and answers every line with how often it has run. It is also the least
// that a Go server can do, and measured as such.
func origin(args []string, in io.Reader, out io.Writer) error {
	if len(args) != 1 {
		return fmt.Errorf("%s takes one argument, not %q", roleOrigin, args)
	}
	size, err := strconv.Atoi(args[0])
	if err != nil {
		return err
	}
	var runs atomic.Int64
	return serve(in, out, constant(size, &runs), &runs)
}

// serve is what origins do once it is known what they answer.
func serve(in io.Reader, out io.Writer, h http.Handler, runs *atomic.Int64) error {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	server := &http.Server{Handler: h}
	go server.Serve(listener)
	defer server.Close()
	return measure.Answer(in, out, listener.Addr().String(), func(string) (string, error) {
		return fmt.Sprint(runs.Load()), nil
	})
}

// constant answers with size bytes, which may be kept for an hour. They compress
// like text, for what would compress them if it were asked to.
func constant(size int, runs *atomic.Int64) http.Handler {
	body := bytes.Repeat([]byte(`{"id":123,"title":"A letter before morning"},`), size/40+1)[:size]
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		runs.Add(1)
		h := w.Header()
		h.Set("Content-Type", "application/json")
		h.Set("Content-Length", strconv.Itoa(size))
		h.Set("Cache-Control", "public, max-age=3600")
		h.Set("Etag", `"one"`)
		_, _ = w.Write(body)
	})
}
