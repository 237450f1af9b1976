package gateway

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"reflect"
	"sync"
	"sync/atomic"

	"github.com/freshet-dev/freshet"
	"github.com/freshet-dev/freshet/gateway/internal/upstream"
)

// Options are the settings of a [Gateway] that are not the file's. The zero value is
// the default.
type Options struct {
	// Logger gets what an operator has to know: upstreams failing and working again.
	// Default: slog.Default().
	Logger *slog.Logger
}

// Gateway answers requests from a cache, or from upstreams. It is made by [New] and
// ends with Close. All methods may run concurrently.
type Gateway struct {
	cache   *freshet.Cache
	codes   bool // the cache has been made with codings
	log     *slog.Logger
	current atomic.Pointer[table]

	mu     sync.Mutex // held while the table changes
	closed bool
}

// New returns a gateway by c on cache, which stays the caller's and has been made with
// the codings that c asks for ([Config.Codings]). o may be nil.
func New(c *Config, cache *freshet.Cache, o *Options) (*Gateway, error) {
	if c == nil || cache == nil {
		return nil, errors.New("freshet: a gateway needs a configuration and a cache")
	}
	if o == nil {
		o = new(Options)
	}
	g := &Gateway{cache: cache, codes: c.Compress.On(true), log: cmp.Or(o.Logger, slog.Default())}
	t, err := g.build(c, nil)
	if err != nil {
		return nil, err
	}
	g.current.Store(t)
	return g, nil
}

// build makes a table of c, with those of old's pools whose settings are the same. The
// error is what only the cache has against a rule: that it would not put writes on
// record, say. Called with mu held, or before anybody else knows g.
func (g *Gateway) build(c *Config, old map[string]*pool) (t *table, err error) {
	pools := g.poolsOf(c, old)
	defer func() {
		if p := recover(); p != nil {
			closeAll(pools, old)
			err = fmt.Errorf("freshet: the gateway's rules do not go with the cache: %v", p)
		}
	}()
	return newTable(c, g.cache, g.codes, pools), nil
}

// closeAll closes the pools that are not among kept.
func closeAll(pools, kept map[string]*pool) {
	for name, p := range pools {
		if kept[name] != p {
			p.Close()
		}
	}
}

// ServeHTTP answers a request. In its header, what proxies say of their clients is
// replaced by what is believed of it.
func (g *Gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	t := g.current.Load()
	endToEnd(r.Header)
	t.config.trust.Rewrite(r)
	r, refused := t.admit(r)
	if refused != nil {
		refused.write(w)
		return
	}
	if r.Method == methodPurge && t.config.PurgeMethod.On(false) {
		g.purgeURI(t, w, r)
		return
	}
	t.ServeHTTP(w, r)
}

// Reload puts c in the place of the configuration: requests that come later are
// answered by it, those under way by the one that they have begun with. The cache
// stays, and so do the connections and the health of upstreams that do not change. On
// an error nothing has changed.
func (g *Gateway) Reload(c *Config) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return errors.New("freshet: the gateway is closed")
	}
	old := g.current.Load()
	t, err := g.build(c, old.pools)
	if err != nil {
		return err
	}
	g.current.Store(t)
	closeAll(old.pools, t.pools)
	return nil
}

// Close ends the health checks and closes idle connections. Requests under way go on.
func (g *Gateway) Close() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closed = true
	closeAll(g.current.Load().pools, nil)
}

// Config returns the configuration in use.
func (g *Gateway) Config() *Config { return g.current.Load().config }

// ServerState is how a server of an upstream is doing.
type ServerState = upstream.State

// Upstreams returns how the servers of each upstream are doing, by its name.
func (g *Gateway) Upstreams() map[string][]ServerState {
	all := make(map[string][]ServerState)
	for name, p := range g.current.Load().pools {
		all[name] = p.States()
	}
	return all
}

// poolsOf returns the pools of c: those of old whose settings are the same, and new
// ones.
func (g *Gateway) poolsOf(c *Config, old map[string]*pool) map[string]*pool {
	all := make(map[string]*pool, len(c.Upstreams))
	for name, u := range c.Upstreams {
		if p := old[name]; p != nil && reflect.DeepEqual(p.config, u) {
			all[name] = p
		} else {
			all[name] = newPool(name, u, g.log)
		}
	}
	return all
}
