package main

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/freshet-dev/freshet/benchmarks/internal/measure"
)

// roleServe is the first argument of a child that serves.
const roleServe = "serve"

// serve is the part of a process that answers requests: serve VARIANT REDIS
// BODY. It says its address, and answers every line with the CPU time that the
// process has used so far, in nanoseconds, and how often its origin has run.
func serve(args []string, in io.Reader, out io.Writer) error {
	if len(args) != 3 {
		return fmt.Errorf("%s takes three arguments, not %q", roleServe, args)
	}
	body, err := strconv.Atoi(args[2])
	if err != nil {
		return err
	}
	o := &origin{body: payload(body)}
	handler, closing, err := build(args[0], o, args[1])
	if err != nil {
		return err
	}
	defer closing()
	mux := http.NewServeMux()
	mux.Handle("GET /posts/{post_id}", handler)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	server := &http.Server{Handler: mux}
	go server.Serve(listener)
	defer server.Close()
	return measure.Answer(in, out, listener.Addr().String(), func(string) (string, error) {
		cpu, err := cpuTime()
		return fmt.Sprint(cpu.Nanoseconds(), o.runs.Load()), err
	})
}

// path is what is asked for, again and again.
const path = "/posts/123"

// key is what path is cached under.
const key = "post_cache:123"

// origin is the handler behind the cache, and by itself the fastest answer that
// there can be.
type origin struct {
	body []byte
	runs atomic.Int64
}

// ServeHTTP writes the constant body.
func (o *origin) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	o.runs.Add(1)
	describe(w, len(o.body))
	w.Write(o.body)
}

// describe sets the fields that net/http would otherwise find out by itself, at
// a cost that depends on the body.
func describe(w http.ResponseWriter, length int) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(length))
}

// payload returns n bytes that look, and compress, like a JSON list of posts.
// They are the same in every process.
func payload(n int) []byte {
	words := strings.Fields("the of river stone before morning a and letter window carries nobody " +
		"which cold harbour in light to slowly garden answers that salt never bridge")
	random := rand.New(rand.NewPCG(1, 2))
	list := []byte("[")
	for len(list) < n {
		list = fmt.Appendf(list, `{"id":%d,"user_id":%d,"title":"`, random.IntN(1e6), random.IntN(1e3))
		for i := range 30 {
			if i == 5 {
				list = append(list, `","body":"`...)
			}
			list = append(append(list, words[random.IntN(len(words))]...), ' ')
		}
		list = append(list, `"},`...)
	}
	return list[:n]
}

// cpuTime returns what this process has used, in user and kernel mode.
func cpuTime() (time.Duration, error) {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		return 0, err
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano()), nil
}
