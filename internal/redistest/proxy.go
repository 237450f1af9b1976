package redistest

import (
	"math/rand/v2"
	"net"
	"sync"
	"testing"
	"time"
)

// Proxy passes TCP connections on to a server, and does to them what networks
// do: see its methods. Faults add up until [Proxy.Pass] ends them. A new proxy
// has none. All methods may be called concurrently.
type Proxy struct {
	// Addr is "127.0.0.1:port", the address to connect to; it never changes.
	Addr string
	// Port is the port of Addr.
	Port int

	target string
	fail   func(format string, args ...any)
	links  sync.WaitGroup // goroutines of listeners and links

	mu       sync.Mutex
	closed   bool
	listener net.Listener // nil while connections are refused
	faults   faults
	open     map[*link]struct{}
}

// faults are what is wrong at the moment.
type faults struct {
	delay, pause time.Duration
	reset        float64
	hole         bool
}

// StartProxy starts a proxy in front of target, "host:port", that lives until the
// end of the test.
func StartProxy(tb testing.TB, target string) *Proxy {
	tb.Helper()
	p, err := LaunchProxy(target)
	if err != nil {
		tb.Fatal(err)
	}
	p.fail = tb.Fatalf
	tb.Cleanup(p.Close)
	return p
}

// LaunchProxy is [StartProxy] for places without a testing.TB. The caller closes
// the proxy. What fails later panics.
func LaunchProxy(target string) (*Proxy, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := &Proxy{Addr: l.Addr().String(), Port: l.Addr().(*net.TCPAddr).Port, target: target, fail: panicf,
		open: make(map[*link]struct{})}
	p.listen(l)
	return p, nil
}

// Delay makes every reply late by d. Replies that are on their way together stay
// together: it is latency, and no limit on how many come in a second.
func (p *Proxy) Delay(d time.Duration) { p.change(func(f *faults) { f.delay = d }) }

// Trickle makes replies come byte by byte, with a pause after each.
func (p *Proxy) Trickle(pause time.Duration) { p.change(func(f *faults) { f.pause = pause }) }

// Reset makes each chunk of bytes, in either direction, break its connection with
// the given probability: both ends are told by an RST, and what was on its way is
// lost.
func (p *Proxy) Reset(probability float64) { p.change(func(f *faults) { f.reset = probability }) }

// BlackHole makes connections half-open: what is sent is taken and goes nowhere,
// nothing comes back, and no end is told. It is done to those that are there,
// which stay so after [Proxy.Pass], as with a firewall that has forgotten them;
// and to new ones as long as it lasts.
func (p *Proxy) BlackHole() {
	p.change(func(f *faults) { f.hole = true })
	p.each(func(l *link) { l.lost.Store(true) })
}

// Cut closes all connections. New ones are accepted.
func (p *Proxy) Cut() { p.each((*link).close) }

// Refuse makes new connections be refused. Those that stand are left alone: Cut
// them, before or after, for what a server does that is stopped.
func (p *Proxy) Refuse() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.deafen()
}

// deafen closes the listener; mu is held.
func (p *Proxy) deafen() {
	if p.listener != nil {
		_ = p.listener.Close()
		p.listener = nil
	}
}

// Pass ends all faults: from now on everything is passed on as it comes.
func (p *Proxy) Pass() {
	p.change(func(f *faults) { *f = faults{} })
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.listener != nil || p.closed {
		return
	}
	// Somebody else may have been given the port meanwhile, for a connection.
	for deadline := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
		l, err := net.Listen("tcp", p.Addr)
		if err == nil {
			p.listen(l)
			return
		}
		if time.Now().After(deadline) {
			p.fail("redistest: %v", err)
			return
		}
	}
}

// Close ends the proxy with all connections. StartProxy calls it at the end of
// the test. Closing twice does nothing.
func (p *Proxy) Close() {
	p.mu.Lock()
	p.closed = true
	p.deafen()
	p.mu.Unlock()
	p.Cut()
	p.links.Wait()
}

// change changes what is wrong.
func (p *Proxy) change(f func(*faults)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f(&p.faults)
}

func (p *Proxy) now() faults {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.faults
}

// each calls f for all links, without the lock: f may wait for it.
func (p *Proxy) each(f func(*link)) {
	p.mu.Lock()
	all := make([]*link, 0, len(p.open))
	for l := range p.open {
		all = append(all, l)
	}
	p.mu.Unlock()
	for _, l := range all {
		f(l)
	}
}

// listen accepts connections from l; mu is held, or nobody else knows p.
func (p *Proxy) listen(l net.Listener) {
	p.listener = l
	p.links.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return // it has been closed
			}
			p.accept(conn.(*net.TCPConn))
		}
	})
}

// accept makes a link of conn. It is known before the server is dialled, so that
// Cut and Close find it.
func (p *Proxy) accept(conn *net.TCPConn) {
	l := &link{proxy: p, client: conn, done: make(chan struct{})}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		_ = conn.Close()
		return
	}
	p.open[l] = struct{}{}
	l.lost.Store(p.faults.hole)
	p.links.Go(l.run)
}

// strikes reports whether a reset hits the next chunk.
func (f faults) strikes() bool { return f.reset > 0 && rand.Float64() < f.reset }
