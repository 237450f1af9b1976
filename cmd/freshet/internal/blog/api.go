// Package blog is the demo's HTTP API: a blog and a staff directory. Its
// handlers are plain net/http and know the cache only where a write's result
// decides what else it changes; [API.Register] puts the rules around them.
package blog

import (
	"errors"
	"log/slog"
	"net/http"

	"github.com/freshet-dev/freshet"
	"github.com/freshet-dev/freshet/cmd/freshet/internal/blog/blogdb"
)

// How many posts the lists hold.
const (
	latestPosts      = 20
	authorPosts      = 50
	searchPage       = 10
	defaultPerPage   = 10
	maxPerPage       = 100
	maxPage          = 1_000_000
	maxSearchedBytes = 200
)

// API answers the demo's requests from a database.
type API struct {
	db   *blogdb.DB
	log  *slog.Logger
	runs *runs
}

// New returns an API on db, which the caller closes after the last request.
// Errors that are nobody's fault but the API's go to log.
func New(db *blogdb.DB, log *slog.Logger) *API {
	return &API{db: db, log: log, runs: new(runs)}
}

// Register registers all routes on mux, behind cache; nil is for an API that knows of
// none, because it stands behind a gateway. The error holds every misconfigured rule.
func (a *API) Register(mux *http.ServeMux, cache *freshet.Cache) error {
	var errs []error
	for _, rt := range a.routes() {
		// Counted inside of the cache: a hit is not a run.
		h := a.runs.count(rt.pattern, a.handler(rt.handle))
		if cache == nil {
			mux.Handle(rt.pattern, h)
			continue
		}
		errs = append(errs, cache.Handle(mux, rt.pattern, rt.rule, h))
	}
	mux.Handle("GET /debug/runs", a.runs)
	mux.HandleFunc("GET /{$}", a.index)
	return errors.Join(errs...)
}

// handler answers the error that handle returns. Nothing has been written then.
func (a *API) handler(handle func(http.ResponseWriter, *http.Request) error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := handle(w, r); err != nil {
			a.fail(w, r, err)
		}
	})
}
