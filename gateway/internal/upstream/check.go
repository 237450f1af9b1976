package upstream

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"sync"
	"time"
)

// Check says how servers are asked whether they are well.
type Check struct {
	// Path is asked for by GET; a status of 2xx or 3xx is good. Empty for no checks.
	Path string
	// Host is sent in the Host field; empty for the server's own.
	Host string
	// Every is the time between two checks, Timeout the longest that one may take.
	Every, Timeout time.Duration
}

// checks are the goroutines of a pool that ask, one for each server.
type checks struct {
	stop context.CancelFunc
	done sync.WaitGroup
}

func (c *checks) begin(p *Pool) {
	ctx, stop := context.WithCancel(context.Background())
	c.stop = stop
	if p.settings.Check.Path == "" {
		return
	}
	for _, s := range p.servers {
		c.done.Go(func() { s.watch(ctx) })
	}
}

func (c *checks) end() {
	c.stop()
	c.done.Wait()
}

// watch asks s until ctx ends, at once for the first time.
func (s *server) watch(ctx context.Context) {
	ticker := time.NewTicker(s.pool.settings.Check.Every)
	defer ticker.Stop()
	for {
		switch err := s.check(ctx); {
		case ctx.Err() != nil:
			return
		case err != nil:
			s.failed(err)
		default:
			s.worked()
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// check asks s once.
func (s *server) check(ctx context.Context) error {
	c := s.pool.settings.Check
	ctx, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	target, err := url.ParseRequestURI(c.Path)
	if err != nil {
		return err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "/", nil)
	if err != nil {
		return err
	}
	r.URL, r.Host = target, c.Host
	answer, err := s.pool.transport.RoundTrip(s.request(r, nil))
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	// To its end, so that the connection stays; but no more than a check can need.
	if _, err := io.CopyN(io.Discard, answer.Body, 64<<10); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if answer.StatusCode >= 400 {
		return statusError(answer.StatusCode)
	}
	return nil
}
