package main

import (
	"bytes"
	"context"
	_ "embed" // for the gateway's file
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/alecthomas/kong"

	"github.com/freshet-dev/freshet"
	"github.com/freshet-dev/freshet/cmd/freshet/internal/blog"
	"github.com/freshet-dev/freshet/cmd/freshet/internal/blog/blogdb"
	"github.com/freshet-dev/freshet/gateway"
	"github.com/freshet-dev/freshet/memstore"
	"github.com/freshet-dev/freshet/redisstore"
)

type demoCommand struct {
	Addr    string        `default:"127.0.0.1:8080" placeholder:"HOST:PORT" help:"Listen here (default: ${default}); port 0 is any free one."`
	DB      string        `name:"db" placeholder:"FILE" help:"Keep the database in this file, which several demos may share. Default: a temporary file. Demos that share a Redis must share their file."`
	Delay   time.Duration `placeholder:"D" help:"Make every database query take this much longer, as a distant database would: 50ms. Default: none."`
	Gateway bool          `help:"Serve the API without a cache, on a port of its own, and a gateway in front of it, by the routes of cmd/freshet/demo.yaml."`

	posts int // to fill a new database with; 0 means the default
}

// Help is shown by freshet demo --help, below the flags' summary.
func (demoCommand) Help() string {
	return "Answers are kept in Redis when REDIS_CACHE_URL or REDIS_CACHE_HOST names one, else in process."
}

// Validate is called by kong.
func (d demoCommand) Validate() error {
	if d.Delay < 0 {
		return errors.New("--delay must not be negative")
	}
	return nil
}

// Run serves until the process is told to stop.
func (d demoCommand) Run(line *kong.Context) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	// After the first signal the next one ends the process, as by default.
	context.AfterFunc(ctx, stop)
	err := d.serve(ctx, line.Stdout, slog.New(slog.NewTextHandler(line.Stderr, nil)))
	if err != nil && ctx.Err() != nil && errors.Is(err, context.Canceled) {
		return nil // told to stop while still starting
	}
	return err
}

// serve builds the demo from the bottom up and takes it down in reverse: no
// more requests, then the cache, then the database.
func (d demoCommand) serve(ctx context.Context, out io.Writer, log *slog.Logger) (err error) {
	// First of all, so that a wrong address is told before the wait for the
	// data. Requests that come early wait in the listener's queue.
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", d.Addr)
	if err != nil {
		return err
	}
	defer listener.Close()
	cache, err := freshet.Open(ctx, &freshet.Options{Logger: log}, redisstore.FromEnv, memstore.Open)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeCache(cache)) }()
	file, remove, err := d.file()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, remove()) }()
	db, err := blogdb.Open(ctx, file, &blogdb.Options{Posts: d.posts, Delay: d.Delay, OnFill: forget(cache, log)})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	mux := http.NewServeMux()
	if d.Gateway {
		return d.serveGateway(ctx, out, listener, cache, blog.New(db, log), log)
	}
	if err := blog.New(db, log).Register(mux, cache); err != nil {
		return err
	}
	d.greet(out, listener.Addr())
	return serve(ctx, listener, mux, log)
}

// routes is the gateway's file, for an API on port 8000.
//
//go:embed demo.yaml
var routes []byte

const routesPort = "127.0.0.1:8000"

// serveGateway serves api on a port of its own, and a gateway to it on listener.
func (d demoCommand) serveGateway(ctx context.Context, out io.Writer, listener net.Listener, cache *freshet.Cache, api *blog.API, log *slog.Logger) error {
	mux := http.NewServeMux()
	if err := api.Register(mux, nil); err != nil {
		return err
	}
	behind, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	config, err := gateway.Read("demo.yaml", bytes.Replace(routes, []byte(routesPort), []byte(behind.Addr().String()), 1))
	if err != nil {
		return errors.Join(err, behind.Close())
	}
	g, err := gateway.New(config, cache, &gateway.Options{Logger: log})
	if err != nil {
		return errors.Join(err, behind.Close())
	}
	defer g.Close()
	// The API goes on until the gateway has answered what is under way.
	life, end := context.WithCancel(context.WithoutCancel(ctx))
	served := make(chan error, 1)
	go func() { served <- serve(life, behind, mux, log) }()
	d.greet(out, listener.Addr())
	fmt.Fprintf(out, "The API itself, without a cache, is on http://%s.\n", behind.Addr())
	err = serve(ctx, listener, g, log)
	end()
	return errors.Join(err, <-served)
}

// file returns the database's file and how to remove it in the end.
func (d demoCommand) file() (path string, remove func() error, err error) {
	if d.DB != "" {
		return d.DB, func() error { return nil }, nil
	}
	// A directory of its own, for SQLite keeps its log beside the file.
	dir, err := os.MkdirTemp("", "freshet-demo-")
	if err != nil {
		return "", nil, err
	}
	return filepath.Join(dir, "demo.db"), func() error { return os.RemoveAll(dir) }, nil
}

// forget returns what clears the cache when a new database has been filled: the
// answers in Redis may be those of an earlier database. It runs before the new
// rows can be seen, so that no process can have cached any of them yet.
func forget(cache *freshet.Cache, log *slog.Logger) func(context.Context) error {
	return func(ctx context.Context) error {
		if _, err := cache.Invalidate(ctx, freshet.All()); err != nil {
			// It is retried, and nothing is served from the cache meanwhile.
			log.Warn("the cache of an earlier database is not cleared yet", "error", err)
		}
		return nil
	}
}

func closeCache(cache *freshet.Cache) error {
	ctx, cancel := context.WithTimeout(context.Background(), shutdownTime)
	defer cancel()
	return cache.Close(ctx)
}

// greet says where the demo is and what to try: a heavy query twice, and a
// write that changes its answer.
func (demoCommand) greet(out io.Writer, addr net.Addr) {
	url := "http://" + addr.String()
	fmt.Fprintf(out, `freshet demo on %[1]s (Ctrl-C stops it), for example:
  curl -i %[1]s/authors/123/stats     # twice: a miss, then a hit
  curl -i '%[1]s/search?q=coffee'
  curl -i -X PUT -d '{"title":"Fresh"}' %[1]s/posts/456
  curl %[1]s/debug/runs
`, url)
}

// shutdownTime is how long requests that are under way have to finish.
const shutdownTime = 10 * time.Second

// serve answers requests until ctx ends, and then those that are under way.
func serve(ctx context.Context, listener net.Listener, h http.Handler, log *slog.Logger) error {
	server := &http.Server{
		Handler:           h,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       30 * time.Second,
		IdleTimeout:       2 * time.Minute,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	select {
	case err := <-served:
		return err
	case <-ctx.Done():
	}
	log.Info("stopping")
	last, cancel := context.WithTimeout(context.Background(), shutdownTime)
	defer cancel()
	if err := server.Shutdown(last); err != nil {
		return errors.Join(fmt.Errorf("requests still under way after %v: %w", shutdownTime, err), server.Close())
	}
	return nil
}
