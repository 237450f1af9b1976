package gateway

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/freshet-dev/freshet/gateway/internal/access"
	"github.com/freshet-dev/freshet/gateway/internal/certs"
	"github.com/freshet-dev/freshet/gateway/internal/conns"
)

// Front is the side of a gateway that clients see: its addresses, and what they are
// allowed there. It is made by [Listen]. Its methods may run concurrently.
type Front struct {
	gateway *Gateway
	store   *StoreHealth
	log     *slog.Logger
	started *Config // what it was started with
	pair    *certs.Pair
	main    *site
	admin   *site // nil without an address of its own

	access atomic.Pointer[access.Log]
	stops  atomic.Bool // it has been told to stop

	running sync.RWMutex // read-locked by every request
	over    bool         // under running: requests that come late find nothing any more

	mu sync.Mutex // held while the configuration changes
}

// FrontOptions are the settings of a [Front] that are not the file's. The zero value
// is the default.
type FrontOptions struct {
	// Logger gets what an operator has to know. Default: slog.Default().
	Logger *slog.Logger
	// Store is shown in the answers about health. Default: nothing is said of the
	// store.
	Store *StoreHealth
}

// Listen opens the addresses of g's configuration. Nobody is answered until Serve. o
// may be nil.
func Listen(ctx context.Context, g *Gateway, o *FrontOptions) (*Front, error) {
	if o == nil {
		o = new(FrontOptions)
	}
	f := &Front{gateway: g, store: o.Store, log: cmp.Or(o.Logger, slog.Default()), started: g.Config()}
	if err := f.listen(ctx); err != nil {
		f.close()
		return nil, err
	}
	return f, nil
}

func (f *Front) listen(ctx context.Context) (err error) {
	c := f.started
	if c.TLS != nil {
		if f.pair, err = certs.Load(c.TLS.Cert, c.TLS.Key); err != nil {
			return fmt.Errorf("freshet: %w", err)
		}
	}
	l, err := f.openLog(c)
	if err != nil {
		return err
	}
	f.access.Store(l)
	if f.main, err = f.open(ctx, c.Listen, f.pair, f.everybody); err != nil {
		return err
	}
	if c.Admin.Addr != "" {
		if f.admin, err = f.open(ctx, c.Admin.Addr, nil, f.operator); err != nil {
			return err
		}
	}
	f.limit(c)
	return nil
}

// Addr returns the address that the gateway listens on.
func (f *Front) Addr() net.Addr { return f.main.listener.Addr() }

// AdminAddr returns the address of admin.addr, nil if there is none.
func (f *Front) AdminAddr() net.Addr {
	if f.admin == nil {
		return nil
	}
	return f.admin.listener.Addr()
}

// limit applies the limits that can change while the front is in use.
func (f *Front) limit(c *Config) {
	f.main.listener.Limit(c.Limits.Connections, c.Timeouts.Write)
	if f.admin != nil {
		// As many again: whoever fills the gateway's address must not keep its operator out.
		f.admin.listener.Limit(c.Limits.Connections, c.Timeouts.Write)
	}
}

// site is one address.
type site struct {
	listener *conns.Listener
	server   *http.Server
	cancel   context.CancelFunc // of every request
}

func (f *Front) open(ctx context.Context, address string, pair *certs.Pair, h http.HandlerFunc) (*site, error) {
	refuse := refuse
	if pair != nil {
		refuse = func(net.Conn) {} // who speaks TLS could not read it
	}
	l, err := conns.Listen(ctx, address, refuse)
	if err != nil {
		return nil, err
	}
	c := f.started
	// The requests outlive ctx: they are drained.
	base, cancel := context.WithCancel(context.WithoutCancel(ctx))
	s := &http.Server{
		Handler:           h,
		Protocols:         protocols(pair != nil),
		ReadHeaderTimeout: c.Timeouts.Header,
		IdleTimeout:       c.Timeouts.Idle,
		MaxHeaderBytes:    int(c.Limits.Header),
		ErrorLog:          slog.NewLogLogger(errorLog{f.log.Handler()}, slog.LevelWarn),
		BaseContext:       func(net.Listener) context.Context { return base },
		ConnContext:       conns.Context,
		// "OPTIONS *" is for the upstream, too.
		DisableGeneralOptionsHandler: true,
	}
	if pair != nil {
		s.TLSConfig = pair.Config()
	}
	return &site{l, s, cancel}, nil
}

// protocols are HTTP/1.1 and HTTP/2, which clients without TLS have to know of
// beforehand (RFC 9113, section 3.3).
func protocols(tls bool) *http.Protocols {
	p := new(http.Protocols)
	p.SetHTTP1(true)
	p.SetHTTP2(tls)
	p.SetUnencryptedHTTP2(!tls)
	return p
}

// refuse tells a client for whom there is no room that it may come again.
func refuse(c net.Conn) {
	const word = "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
	_ = c.SetWriteDeadline(time.Now().Add(time.Second)) // a new connection has room for it
	_, _ = io.WriteString(c, word)
}

// errorLog keeps what any client can make net/http say, in any number, at the level of
// debugging.
type errorLog struct{ slog.Handler }

// Handle implements slog.Handler.
func (h errorLog) Handle(ctx context.Context, r slog.Record) error {
	if strings.Contains(r.Message, "TLS handshake error") || strings.Contains(r.Message, "URL query contains semicolon") {
		if r.Level = slog.LevelDebug; !h.Enabled(ctx, r.Level) {
			return nil
		}
	}
	return h.Handler.Handle(ctx, r)
}

// serve answers until the server is shut down.
func (s *site) serve() error {
	var err error
	if s.server.TLSConfig != nil {
		err = s.server.ServeTLS(s.listener, "", "")
	} else {
		err = s.server.Serve(s.listener)
	}
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

// stop lets requests finish, and upgraded connections close, until ctx ends, and
// reports how many requests it then had to cut off.
func (s *site) stop(ctx context.Context) (cut bool) {
	cut = s.server.Shutdown(ctx) != nil
	// Shutdown knows nothing of connections that have been upgraded.
	_ = s.listener.Wait(ctx)
	s.close()
	return cut
}

// close ends everything at once.
func (s *site) close() {
	if s == nil {
		return
	}
	s.cancel()
	_ = s.listener.Close()
	// Those included that have been upgraded, of which the server knows nothing: a
	// handler may be busy writing to one.
	s.listener.CloseAll()
}

// close releases everything at once.
func (f *Front) close() {
	f.main.close()
	f.admin.close()
	_ = f.access.Swap(nil).Close()
}

// Serve answers requests until ctx ends. Then the gateway is not ready any more, but
// answers for timeouts.drain, takes no new connections, and waits for requests and
// WebSockets for timeouts.stop. The error is that of an address that failed, or says
// that requests had to be cut off. It is called once.
func (f *Front) Serve(ctx context.Context) error {
	failed := make(chan error, 2)
	for _, s := range []*site{f.main, f.admin} {
		if s != nil {
			go func() { failed <- s.serve() }()
		}
	}
	var err error
	select {
	case err = <-failed:
	case <-ctx.Done():
		f.drain(failed)
	}
	return errors.Join(err, f.stop())
}

// drain goes on serving for a while, so that those who ask whether the gateway is
// ready learn that it is not before it is gone.
func (f *Front) drain(failed <-chan error) {
	f.stops.Store(true)
	t := f.gateway.Config().Timeouts
	f.log.Info("freshet: stopping", "drain", t.Drain, "stop", t.Stop)
	timer := time.NewTimer(t.Drain)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-failed:
	}
}

// stop ends the front.
func (f *Front) stop() error {
	f.stops.Store(true)
	limit := f.gateway.Config().Timeouts.Stop
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	cut := f.main.stop(ctx)
	if f.admin != nil {
		f.admin.stop(ctx)
	}
	// Those that were cut off still have to notice; the cache is closed next.
	f.running.Lock()
	f.over = true
	f.running.Unlock()
	f.close()
	if cut {
		return fmt.Errorf("freshet: requests were still under way after %v, and have been cut off", limit)
	}
	return nil
}
