package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/freshet-dev/freshet"
	"github.com/freshet-dev/freshet/redisstore"
)

// roleServe is the first argument of the process that is the API.
const roleServe = "serve"

// loadTime is what the handler takes.
const loadTime = 2 * time.Millisecond

// api is GET and PUT /items/{id}: a number that every PUT raises.
type api struct{ rows [1000]atomic.Int64 }

func (a *api) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	id, err := strconv.Atoi(r.PathValue("id"))
	if err != nil || id < 0 || id >= len(a.rows) {
		http.NotFound(w, r)
		return
	}
	time.Sleep(loadTime)
	if r.Method == http.MethodPut {
		a.rows[id].Add(1)
	}
	fmt.Fprint(w, a.rows[id].Load())
}

// serve is the part of the API: serve REDIS. It says its address, and ends when
// its standard input does, which happens even when its parent is killed.
func serve(args []string, in io.Reader, out io.Writer) error {
	if len(args) != 1 {
		return fmt.Errorf("%s takes one argument, not %q", roleServe, args)
	}
	options, err := redisstore.OptionsFromEnv(os.Getenv)
	if err != nil {
		return err
	}
	options.URL = "redis://" + args[0] + "/0"
	store, err := redisstore.New(context.Background(), options)
	if err != nil {
		return err
	}
	cache, err := freshet.New(store, nil)
	if err != nil {
		return err
	}
	defer end(cache)
	mux := http.NewServeMux()
	if err := cache.Handle(mux, "/items/{id}", freshet.Rule{Key: "item:{id}"}, new(api)); err != nil {
		return err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	server := &http.Server{Handler: mux}
	go server.Serve(listener)
	defer server.Close()
	fmt.Fprintln(out, listener.Addr())
	_, err = io.Copy(io.Discard, in)
	return err
}

// end closes the cache, within a bound because nothing depends on it.
func end(c *freshet.Cache) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	c.Close(ctx)
}

// startAPI starts the API in a process of its own. It returns its address, and
// what ends it.
func startAPI(redis string) (address string, stop func() error, err error) {
	program, err := os.Executable()
	if err != nil {
		return "", nil, err
	}
	cmd := exec.Command(program, roleServe, redis)
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return "", nil, err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return "", nil, err
	}
	if err := cmd.Start(); err != nil {
		return "", nil, err
	}
	stop = func() error { return errors.Join(stdin.Close(), cmd.Wait()) }
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		return "", nil, errors.Join(fmt.Errorf("the API has ended: %w", err), stop())
	}
	return line[:len(line)-1], stop, nil
}
