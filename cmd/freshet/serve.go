package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/alecthomas/kong"

	"github.com/freshet-dev/freshet"
	"github.com/freshet-dev/freshet/gateway"
	"github.com/freshet-dev/freshet/memstore"
	"github.com/freshet-dev/freshet/redisstore"
)

type serveCommand struct {
	To        string `placeholder:"URL" help:"Stand in front of this server, by HTTP's own rules: http://127.0.0.1:8000."`
	Config    string `placeholder:"FILE" help:"Stand in front of the upstreams of this file, by its rules (docs/gateway.md). It is read again when it changes, and at SIGHUP."`
	Addr      string `placeholder:"HOST:PORT" help:"Listen here, whatever the file says; port 0 is any free one. Default: 127.0.0.1:8080."`
	AccessLog string `placeholder:"FORMAT" enum:",json,common,combined,off" default:"" help:"Write a line for each answer: json, common, combined or off, whatever the file says. Default: off."`
}

// Help is shown by freshet serve --help, below the flags' summary.
func (serveCommand) Help() string {
	return "Answers are kept in Redis when REDIS_CACHE_URL or REDIS_CACHE_HOST names one, else in process."
}

// Validate is called by kong.
func (s serveCommand) Validate() error {
	switch {
	case s.To == "" && s.Config == "":
		return errors.New("say what to stand in front of: --to URL, or --config FILE")
	case s.To != "" && s.Config != "":
		return errors.New("--to and --config exclude each other: the file names the upstreams")
	}
	return nil
}

// Run serves until the process is told to stop.
func (s serveCommand) Run(line *kong.Context) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	// After the first signal the next one ends the process, as by default.
	context.AfterFunc(ctx, stop)
	// From the beginning: by default SIGHUP would end the process.
	again := make(chan os.Signal, 1)
	signal.Notify(again, syscall.SIGHUP)
	defer signal.Stop(again)
	return s.serve(ctx, line.Stdout, slog.New(slog.NewTextHandler(line.Stderr, nil)), again)
}

// load returns the configuration: the flags go before the file.
func (s serveCommand) load() (*gateway.Config, error) {
	if s.To != "" {
		return s.override(gateway.To(s.To))
	}
	return s.override(gateway.Load(s.Config))
}

func (s serveCommand) override(c *gateway.Config, err error) (*gateway.Config, error) {
	if err != nil {
		return nil, err
	}
	if s.Addr != "" {
		c.Listen = s.Addr
	}
	if s.AccessLog != "" {
		// The flag's values are checked by kong, and are the field's.
		err = c.Log.Access.UnmarshalText([]byte(s.AccessLog))
	}
	return c, err
}

// serve builds the gateway from the bottom up and takes it down in reverse: no more
// requests, then the upstreams, then the cache.
func (s serveCommand) serve(ctx context.Context, out io.Writer, log *slog.Logger, again <-chan os.Signal) (err error) {
	config, err := s.load()
	if err != nil {
		return err
	}
	health := new(gateway.StoreHealth)
	cache, err := freshet.Open(ctx, &freshet.Options{Logger: log, Observe: health.Observe, Codings: config.Codings()}, redisstore.FromEnv, memstore.Open)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeCache(cache)) }()
	g, err := gateway.New(config, cache, &gateway.Options{Logger: log})
	if err != nil {
		return err
	}
	defer g.Close()
	front, err := gateway.Listen(ctx, g, &gateway.FrontOptions{Logger: log, Store: health})
	if err != nil {
		return err
	}
	s.greet(out, config, front)
	following, stop := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.follow(following, front, again)
	}()
	err = front.Serve(ctx)
	stop()
	<-done
	return err
}

// follow keeps to the file, if there is one; without, SIGHUP opens what is open anew.
func (s serveCommand) follow(ctx context.Context, front *gateway.Front, again <-chan os.Signal) {
	front.Follow(ctx, s.Config, s.load, again)
}

// greet says where the gateway is, what it stands in front of, and what to try.
func (s serveCommand) greet(out io.Writer, c *gateway.Config, front *gateway.Front) {
	scheme, flag := "http", ""
	if c.TLS != nil {
		scheme, flag = "https", "k" // its certificate is seldom for the address
	}
	url := scheme + "://" + front.Addr().String()
	behind := s.To
	if s.Config != "" {
		behind = "the upstreams of " + s.Config
	}
	fmt.Fprintf(out, `freshet serve on %[1]s, in front of %[2]s (Ctrl-C stops it), for example:
  curl -i%[3]s %[1]s/     # Cache-Status says whether it was a hit
`, url, behind, flag)
	if addr := front.AdminAddr(); addr != nil {
		url = "http://" + addr.String()
	}
	fmt.Fprintf(out, "  curl -i%s %s%s/ready\n", flag, url, c.Admin.Prefix)
}
