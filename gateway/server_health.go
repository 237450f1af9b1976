package gateway

import (
	"encoding/json"
	"net/http"
	"strings"
	"sync/atomic"

	"github.com/freshet-dev/freshet"
)

// StoreHealth remembers what a cache says of its store. Its zero value is ready: give
// Observe to [freshet.Options], or call it from there, and it to [FrontOptions].
type StoreHealth struct{ failing atomic.Bool }

// Observe takes down events of the kind [freshet.EventStore].
func (s *StoreHealth) Observe(e freshet.Event) {
	if e.Kind == freshet.EventStore {
		s.failing.Store(e.Err != nil)
	}
}

// own answers what is below the reserved prefix.
func (f *Front) own(w http.ResponseWriter, r *http.Request) {
	f.gateway.Config().trust.Rewrite(r) // for the log
	w.Header().Set("Cache-Control", "no-store")
	switch path := strings.TrimPrefix(r.URL.Path, f.gateway.Config().Admin.Prefix); path {
	case "/live":
		f.report(w, r, http.StatusOK, map[string]any{"live": true})
	case "/ready":
		status, report := f.readiness()
		f.report(w, r, status, report)
	case "/purge":
		f.gateway.Purge().ServeHTTP(w, r)
	default:
		http.NotFound(w, r)
	}
}

// report answers about the gateway's health. What is behind it is not for everybody:
// details are told at the address of its own, which is the operator's.
func (f *Front) report(w http.ResponseWriter, r *http.Request, status int, report map[string]any) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "this is only to be read", http.StatusMethodNotAllowed)
		return
	}
	if f.admin == nil {
		delete(report, "upstreams")
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(report) // the client's loss
}

// readiness says whether requests are welcome: not when the gateway has been told to
// stop, and not when an upstream has no server that works. A store that fails is no
// reason: requests are answered without it, and elsewhere it would fail, too.
func (f *Front) readiness() (status int, report map[string]any) {
	type server struct {
		URL   string `json:"url"`
		Up    bool   `json:"up"`
		Error string `json:"error,omitempty"`
	}
	all := make(map[string][]server)
	ready := !f.stops.Load()
	report = map[string]any{"stopping": !ready, "upstreams": all}
	for name, states := range f.gateway.Upstreams() {
		up := false
		for _, s := range states {
			one := server{URL: s.URL, Up: s.Up}
			if s.Err != nil {
				one.Error = s.Err.Error()
			}
			all[name] = append(all[name], one)
			up = up || s.Up
		}
		ready = ready && up
	}
	if f.store != nil {
		report["store"] = "works"
		if f.store.failing.Load() {
			report["store"] = "fails"
		}
	}
	report["ready"] = ready
	if ready {
		return http.StatusOK, report
	}
	return http.StatusServiceUnavailable, report
}
