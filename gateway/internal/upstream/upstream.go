// Package upstream sends requests to one of several servers that are as good as each
// other: round robin over those that work, and a request that may be made twice is
// made again at another server when the first cannot be reached.
package upstream

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"sync/atomic"
	"time"
)

// Settings are those of a pool. All durations are positive.
type Settings struct {
	// Servers are where requests go, as scheme, host and, in front of every path, a
	// path. There is at least one.
	Servers []*url.URL
	// Connect limits the time for a connection, the TLS handshake included, Answer
	// that from the request's last byte to the answer's header, and Stall that
	// between two parts of the answer's body.
	Connect, Answer, Stall time.Duration
	// Retries is at how many other servers a request may be tried. RetryOn are the
	// statuses that count as a failure then.
	Retries int
	RetryOn []int
	// MaxIdle is how many connections to each server are kept open for later.
	MaxIdle int
	// Protocols are spoken to the servers.
	Protocols *http.Protocols
	// TLS is for servers with https; nil is the default.
	TLS *tls.Config
	// Fails is after how many failures on end a server is left alone, until it answers
	// a check or, without checks, Rest has passed.
	Fails int
	Rest  time.Duration
	// Check asks each server regularly how it is. Default: no checks.
	Check Check
	// Changed is called when a server fails or works again. It may be nil.
	Changed func(server string, up bool, why error)
}

// maxHeader is how many bytes of header an answer may have.
const maxHeader = 1 << 20

// Pool is an http.RoundTripper to a set of servers. It is made by New and ends with
// Close.
type Pool struct {
	settings  Settings
	transport *http.Transport
	servers   []*server
	turn      atomic.Uint64
	checks    checks
}

// New returns a pool, and begins with its checks.
func New(s Settings) *Pool {
	p := &Pool{settings: s}
	p.transport = &http.Transport{
		DialContext:         dial(&net.Dialer{Timeout: s.Connect, KeepAlive: 30 * time.Second}),
		TLSHandshakeTimeout: s.Connect,
		TLSClientConfig:     s.TLS,
		Protocols:           s.Protocols,
		// The transport's own two would open a connection for nearly every request.
		MaxIdleConnsPerHost:    s.MaxIdle,
		IdleConnTimeout:        90 * time.Second,
		ResponseHeaderTimeout:  s.Answer,
		ExpectContinueTimeout:  time.Second,
		MaxResponseHeaderBytes: maxHeader,
		// What is coded, and how, is between the client, the cache and the server.
		DisableCompression: true,
	}
	for _, u := range s.Servers {
		p.servers = append(p.servers, &server{url: u, pool: p})
	}
	p.checks.begin(p)
	return p
}

// Close ends the checks. Requests under way go on; connections close as they end.
func (p *Pool) Close() {
	p.checks.end()
	p.transport.CloseIdleConnections()
}

// State is how a server is doing.
type State struct {
	URL string // without a password
	Up  bool
	Err error // the last failure while it is not up
}

// States returns the state of each server.
func (p *Pool) States() []State {
	all := make([]State, len(p.servers))
	for i, s := range p.servers {
		all[i] = s.state()
	}
	return all
}

// RoundTrip implements http.RoundTripper. The request's URL has the path and the
// query that are wanted; the server's address, and the path in front, are put in.
func (p *Pool) RoundTrip(r *http.Request) (*http.Response, error) {
	var tried []*server
	for {
		body := &attempted{ReadCloser: r.Body}
		s := p.pick(tried)
		tried = append(tried, s)
		out := s.request(r, body)
		answer, err := p.roundTrip(out)
		if broken := body.broken.Load(); err != nil && broken != nil {
			return nil, broken
		}
		s.note(err, out.Context().Err() != nil)
		if len(tried) > p.settings.Retries || len(tried) >= len(p.servers) || !p.again(r, body, answer, err) {
			if err != nil {
				return nil, fmt.Errorf("%s: %w", s.url.Host, err)
			}
			return p.watched(answer), nil
		}
		if answer != nil {
			// Read a little, so that the connection can be used again.
			_, _ = io.CopyN(io.Discard, answer.Body, 4<<10)
			_ = answer.Body.Close()
		}
	}
}

// pick returns the next server that works and has not been tried; if none works, the
// next that has not been tried: asking it is better than refusing.
func (p *Pool) pick(tried []*server) *server {
	from := p.turn.Add(1) - 1
	var fallback *server
	for i := range uint64(len(p.servers)) {
		s := p.servers[(from+i)%uint64(len(p.servers))]
		switch {
		case slices.Contains(tried, s):
		case s.usable():
			return s
		case fallback == nil:
			fallback = s
		}
	}
	return fallback
}

// again reports whether r may be sent to another server after what became of it: it
// is idempotent (RFC 9110, section 9.2.2), or it has not been sent at all, since there
// was no connection. What has been read of a body is gone.
func (p *Pool) again(r *http.Request, body *attempted, answer *http.Response, err error) bool {
	if r.Context().Err() != nil {
		return false
	}
	var dial *net.OpError
	unsent := errors.As(err, &dial) && dial.Op == "dial"
	if !unsent && (!idempotent[r.Method] || r.Header["Upgrade"] != nil) {
		return false
	}
	return (err != nil || slices.Contains(p.settings.RetryOn, answer.StatusCode)) && body.abandon()
}

var idempotent = map[string]bool{
	http.MethodGet: true, http.MethodHead: true, http.MethodOptions: true,
	http.MethodPut: true, http.MethodDelete: true, "QUERY": true,
}

// BodyError says that a request has failed because its own body could not be read:
// its client is the one to blame.
type BodyError struct{ Err error }

// Error says what reading the body has ended with.
func (e *BodyError) Error() string { return "reading the request's body: " + e.Err.Error() }

// Unwrap returns what reading the body has ended with.
func (e *BodyError) Unwrap() error { return e.Err }

// attempted is a request's body as one attempt sees it. It is not lost with that:
// closing is left to those who have made the request.
type attempted struct {
	io.ReadCloser
	use    atomic.Int32
	broken atomic.Pointer[BodyError]
}

// What has become of an attempt's body.
const (
	untouched int32 = iota
	touched
	abandoned
)

// errAbandoned is what an attempt is told that has been given up.
var errAbandoned = errors.New("the request is being tried elsewhere")

// abandon keeps the body for another attempt. It reports false if some of it may have
// been read. A transport may come to read it after it has answered, which would take
// the beginning away from the attempt that follows.
func (a *attempted) abandon() bool { return a.use.CompareAndSwap(untouched, abandoned) }

// Read implements io.Reader.
func (a *attempted) Read(b []byte) (int, error) {
	if !a.use.CompareAndSwap(untouched, touched) && a.use.Load() == abandoned {
		return 0, errAbandoned
	}
	n, err := a.ReadCloser.Read(b)
	if err != nil && err != io.EOF {
		a.broken.Store(&BodyError{err})
	}
	return n, err
}

// Close implements io.Closer.
func (a *attempted) Close() error { return nil }
