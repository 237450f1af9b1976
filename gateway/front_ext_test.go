package gateway_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/freshet-dev/freshet"
	"github.com/freshet-dev/freshet/gateway"
	"github.com/freshet-dev/freshet/memstore"
)

// front is a gateway behind its own front.
type front struct {
	*site
	front *gateway.Front
	store *gateway.StoreHealth
	told  *told
	stop  context.CancelFunc
	ended chan error
}

// told is a log that may be read while it is written.
type told struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

// Write implements io.Writer.
func (l *told) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

// String returns what has been told so far.
func (l *told) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// stand serves a gateway with a front by the file's text, in which UPSTREAM stands for
// the address of up.
func stand(t *testing.T, up http.Handler, file string) *front {
	t.Helper()
	return standOn(t, server(t, up), file)
}

// standOn is stand in front of the server at the address upstream.
func standOn(t *testing.T, upstream, file string) *front {
	t.Helper()
	s := &front{told: new(told), store: new(gateway.StoreHealth), ended: make(chan error, 1)}
	log := slog.New(slog.NewTextHandler(s.told, nil))
	c := config(t, "listen: 127.0.0.1:0\n"+strings.ReplaceAll(file, "UPSTREAM", upstream))
	store, err := memstore.Open(t.Context(), log)
	if err != nil {
		t.Fatal(err)
	}
	cache, err := freshet.New(store, &freshet.Options{Logger: log})
	if err != nil {
		t.Fatal(err)
	}
	g, err := gateway.New(c, cache, &gateway.Options{Logger: log})
	if err != nil {
		t.Fatal(err)
	}
	s.front, err = gateway.Listen(t.Context(), g, &gateway.FrontOptions{Logger: log, Store: s.store})
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{DisableCompression: true}
	s.site = &site{T: t, gateway: g, cache: cache, addr: s.front.Addr().String(), client: &http.Client{Transport: transport, Timeout: patience}}
	s.url = "http://" + s.addr
	ctx, cancel := context.WithCancel(context.Background())
	s.stop = cancel
	go func() { s.ended <- s.front.Serve(ctx) }()
	t.Cleanup(func() {
		cancel()
		transport.CloseIdleConnections()
		if err := s.end(); err != nil {
			t.Errorf("the end: %v", err)
		}
		g.Close()
		if err := cache.Close(context.Background()); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			t.Log(s.told)
		}
	})
	return s
}

// end waits until the front has ended.
func (s *front) end() error {
	s.Helper()
	select {
	case err := <-s.ended:
		s.ended <- nil // for the next who asks
		return err
	case <-time.After(patience):
		return errors.New("it does not end")
	}
}

// until waits for something that is certain to come.
func (s *site) until(what string, ok func() bool) {
	s.Helper()
	for limit := time.Now().Add(patience); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(limit) {
			s.Fatalf("not within %v: %s", patience, what)
		}
	}
}

// text answers with a text.
func text(body string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) { _, _ = w.Write([]byte(body)) }
}

// sick is an upstream that can be well or not.
type sick struct{ well atomic.Bool }

// ServeHTTP implements http.Handler.
func (s *sick) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !s.well.Load() {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
}
