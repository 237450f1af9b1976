package upstream

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
)

// server is one of a pool's.
type server struct {
	url  *url.URL
	pool *Pool

	mu    sync.Mutex
	fails int       // on end
	since time.Time // of the last failure
	last  error
}

// request returns r as it is sent to s.
func (s *server) request(r *http.Request, body *attempted) *http.Request {
	out := r.WithContext(r.Context())
	if r.Body != nil && r.Body != http.NoBody {
		out.Body = body
	}
	u := *r.URL
	u.Scheme, u.Host, u.User = s.url.Scheme, s.url.Host, nil
	if front := s.url.EscapedPath(); front != "" && u.Opaque == "" {
		front = strings.TrimSuffix(front, "/")
		u.RawPath = front + u.EscapedPath()
		u.Path = strings.TrimSuffix(s.url.Path, "/") + u.Path
	}
	out.URL = &u
	return out
}

// usable reports whether s is worth a request: it has not failed too often, or it has
// had its rest and there are no checks that would say that it is back.
func (s *server) usable() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fails < s.pool.settings.Fails {
		return true
	}
	if s.pool.settings.Check.Path == "" && time.Since(s.since) >= s.pool.settings.Rest {
		// One request finds out; for the others the rest begins anew.
		s.since = time.Now()
		return true
	}
	return false
}

func (s *server) state() State {
	s.mu.Lock()
	defer s.mu.Unlock()
	up := s.fails < s.pool.settings.Fails
	state := State{URL: s.url.Redacted(), Up: up}
	if !up {
		state.Err = s.last
	}
	return state
}

// note takes down what became of a request. That the client has left says nothing
// about the server.
func (s *server) note(err error, left bool) {
	switch {
	case left && err != nil:
	case err != nil:
		s.failed(err)
	case s.pool.settings.Check.Path != "":
		// Only the checks know whether a server that answers is well; but it is there.
		s.answered()
	default:
		s.worked()
	}
}

// failed counts a failure.
func (s *server) failed(err error) {
	s.mu.Lock()
	s.fails, s.since, s.last = s.fails+1, time.Now(), err
	changed := s.fails == s.pool.settings.Fails
	s.mu.Unlock()
	if changed {
		s.tell(false, err)
	}
}

// answered ends a row of failures that is not yet long enough to count.
func (s *server) answered() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fails < s.pool.settings.Fails {
		s.fails = 0
	}
}

// worked ends a row of failures.
func (s *server) worked() {
	s.mu.Lock()
	changed := s.fails >= s.pool.settings.Fails
	s.fails, s.last = 0, nil
	s.mu.Unlock()
	if changed {
		s.tell(true, nil)
	}
}

func (s *server) tell(up bool, why error) {
	if s.pool.settings.Changed != nil {
		s.pool.settings.Changed(s.url.Redacted(), up, why)
	}
}

// statusError is the failure of a server that answers a check with an error.
type statusError int

// Error names the status.
func (e statusError) Error() string { return fmt.Sprintf("status %d", int(e)) }
