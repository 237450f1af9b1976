package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/freshet-dev/freshet"
	"github.com/freshet-dev/freshet/cmd/freshet/chaos/internal/api"
	"github.com/freshet-dev/freshet/gateway"
	"github.com/freshet-dev/freshet/redisstore"
)

// apiCommand is one process of the API. It says on standard output where it
// listens, and serves until it is killed. Redis is where REDIS_CACHE_* says.
type apiCommand struct {
	Name    string        `required:"" help:"Sign answers with this."`
	DB      string        `name:"db" required:"" help:"The database."`
	Pauses  float64       `help:"Share of the handlers that pause."`
	Longest time.Duration `help:"The longest pause."`
	Without string        `help:"The guard to do without."`
	Refuse  bool          `help:"Refuse writes that cannot be put on record."`
	Gateway bool          `help:"Serve the API without a cache behind a gateway with one."`
}

// Run serves.
func (c *apiCommand) Run(ctx context.Context) error {
	log := slog.New(slog.NewTextHandler(os.Stderr, nil)).With("process", c.Name)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	defer listener.Close()
	db, err := api.Open(c.DB)
	if err != nil {
		return err
	}
	defer db.Close()
	cache, err := c.cache(ctx, log)
	if err != nil {
		return err
	}
	defer func() { _ = cache.Close(context.Background()) }()
	h, err := c.handler(ctx, db, cache, listener.Addr())
	if err != nil {
		return err
	}
	fmt.Printf("chaos api on http://%s\n", listener.Addr())
	return serve(ctx, listener, h, log)
}

// handler returns what the process serves at addr.
func (c *apiCommand) handler(ctx context.Context, db *api.DB, cache *freshet.Cache, addr net.Addr) (http.Handler, error) {
	pauses := api.Pauses{Share: c.Pauses, Longest: c.Longest}
	if !c.Gateway {
		return api.New(db, cache, c.Name, pauses, c.Without == "intent")
	}
	// A listener of its own: what the gateway forwards goes over a socket, as it does
	// to an API in another process.
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	log := slog.New(slog.NewTextHandler(os.Stderr, nil)).With("process", c.Name)
	go func() { _ = serve(ctx, listener, api.Plain(db, c.Name, pauses), log) }()
	config, err := gateway.Read("routes", fmt.Appendf(nil, api.Routes, listener.Addr(), addr, c.Without == "intent"))
	if err != nil {
		return nil, err
	}
	return gateway.New(config, cache, &gateway.Options{Logger: log})
}

// serve answers requests with h until ctx ends.
func serve(ctx context.Context, listener net.Listener, h http.Handler, log *slog.Logger) error {
	server := &http.Server{Handler: h, ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelWarn)}
	context.AfterFunc(ctx, func() { _ = server.Close() })
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

func (c *apiCommand) cache(ctx context.Context, log *slog.Logger) (*freshet.Cache, error) {
	o, err := redisstore.OptionsFromEnv(os.Getenv)
	if err != nil {
		return nil, err
	}
	o.Logger = log
	store, err := redisstore.New(ctx, o)
	if err != nil {
		return nil, err
	}
	return freshet.New(api.Without(c.Without, store), &freshet.Options{Logger: log, RefuseWrites: c.Refuse})
}
