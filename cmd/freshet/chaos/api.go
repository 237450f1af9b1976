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
	h, err := api.New(db, cache, c.Name, api.Pauses{Share: c.Pauses, Longest: c.Longest}, c.Without == "intent")
	if err != nil {
		return err
	}
	fmt.Printf("chaos api on http://%s\n", listener.Addr())
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
