package api

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/freshet-dev/freshet"
)

// Server answers requests from a database, behind a cache of its own or a gateway.
type Server struct {
	db *DB
	// cache is nil behind a gateway: what handlers tell the cache is then told in
	// HTTP, or by the gateway's routes.
	cache  *freshet.Cache
	name   string
	pauses Pauses
	mux    *http.ServeMux
}

// New returns the API of one process. name is told in the answers it makes;
// noIntent switches write intents off in all rules.
func New(db *DB, cache *freshet.Cache, name string, pauses Pauses, noIntent bool) (*Server, error) {
	s := &Server{db: db, cache: cache, name: name, pauses: pauses, mux: http.NewServeMux()}
	for _, r := range append(s.reads(), s.writes(noIntent)...) {
		if err := cache.Handle(s.mux, r.pattern, r.rule, r.handler); err != nil {
			return nil, err
		}
	}
	// Not behind a rule: the cache is used inside the handler.
	s.mux.HandleFunc("GET /orgs/{org}/report", s.report)
	s.mux.HandleFunc("POST /orgs/{org}/items/{id}/job", s.job)
	return s, nil
}

// Plain returns the API without a cache, for behind a gateway on [Routes].
func Plain(db *DB, name string, pauses Pauses) *Server {
	s := &Server{db: db, name: name, pauses: pauses, mux: http.NewServeMux()}
	for _, r := range append(s.reads(), s.writes(false)...) {
		s.mux.HandleFunc(r.pattern, r.handler)
	}
	s.mux.HandleFunc("GET /orgs/{org}/report", s.stats)
	s.mux.HandleFunc("POST /orgs/{org}/items/{id}/job", s.write(func(ctx context.Context, r *http.Request) ([]Row, error) {
		return s.db.set(ctx, number(r, "id"), false)
	}))
	return s
}

// ServeHTTP answers one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.mux.ServeHTTP(w, r) }

// route is a handler and the rule it stands behind.
type route struct {
	pattern string
	rule    freshet.Rule
	handler http.HandlerFunc
}

// entryTTL is long: within a run nothing becomes fresh by expiring. What has the brief
// one is served for as long, but stale, while it is refreshed.
const (
	entryTTL = time.Hour
	briefTTL = 100 * time.Millisecond
)

// answer writes what a request has come to.
func (s *Server) answer(w http.ResponseWriter, r *http.Request, status int, rows []Row, read time.Time) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	s.body(w, r, rows, read)
}

// body writes an [Answer]. A client that has gone misses nothing.
func (s *Server) body(w http.ResponseWriter, r *http.Request, rows []Row, read time.Time) {
	_ = json.NewEncoder(w).Encode(Answer{
		Path: r.URL.RequestURI(), Caller: r.Header.Get(CallerHeader), Rows: rows, Maker: s.name, Read: read.UnixMicro(),
	})
}

// fail answers with an error of the database. There should never be one: chaos
// counts every answer of this status.
func fail(w http.ResponseWriter, err error) {
	http.Error(w, "database: "+err.Error(), http.StatusInternalServerError)
}

// detached keeps a change from being given up half-way with its client.
func detached(r *http.Request) context.Context { return context.WithoutCancel(r.Context()) }
