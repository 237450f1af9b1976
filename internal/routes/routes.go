// Package routes finds, for a URI, the rules whose handlers answer reads of it.
package routes

import (
	"fmt"
	"net/http"
	"slices"
	"sync"

	"github.com/freshet-dev/freshet/internal/resolve"
)

// Table holds rules by the paths of their patterns. The zero value is empty. All
// methods may run concurrently.
type Table struct {
	mu     sync.RWMutex
	routes []route // replaced as a whole
}

// route is a rule with a ServeMux of its own: what matches is what http.ServeMux says
// matches, and yet no pattern can be in conflict with another, which may be that of
// another router, nor hide it.
type route struct {
	path, name string
	plan       *resolve.Plan
	mux        *http.ServeMux
}

// Add registers a rule, if its pattern is known and it answers reads. It takes the
// place of the one that has been registered for the same path and key: rules that are
// made anew again and again take no more room.
func (t *Table) Add(plan *resolve.Plan) {
	if plan.Pattern == "" || plan.Key == nil || !plan.Route.Reads() {
		return
	}
	r := route{plan.Route.Path, fmt.Sprint(plan.Caller != nil, plan.Params != nil, plan.Key), plan, http.NewServeMux()}
	// The path of any method: all that is stored for a URI counts.
	r.mux.HandleFunc(r.path, func(w http.ResponseWriter, r *http.Request) { w.(*finder).found = r })
	t.mu.Lock()
	defer t.mu.Unlock()
	routes := slices.Clone(t.routes)
	if n := slices.IndexFunc(routes, func(o route) bool { return o.path == r.path && o.name == r.name }); n >= 0 {
		routes[n] = r
	} else {
		routes = append(routes, r)
	}
	t.routes = routes
}

// Target calls yield with what may be stored of the URI that a write is for, and read
// reads. It leaves out rules with the same key as own, the write's: own says that
// itself, and where the key names the caller, more exactly than can be said of readers
// who are not known.
func (t *Table) Target(read *http.Request, own *resolve.Plan, yield func(kind resolve.Kind, text string)) {
	t.find(read, func(plan *resolve.Plan, read *http.Request) {
		if own.Key == nil || plan.Key.String() != own.Key.String() {
			plan.Stored(read, yield)
		}
	})
}

// Related calls yield with what may be stored of another URI, which read reads, that
// the answer to a write names. The write's own rule counts, too, though its pattern is
// not known: it may make keys of whole URIs.
func (t *Table) Related(read *http.Request, own *resolve.Plan, yield func(kind resolve.Kind, text string)) {
	t.find(read, func(plan *resolve.Plan, read *http.Request) { plan.Stored(read, yield) })
	if own.Pattern == "" && own.Key != nil {
		own.Stored(read, yield)
	}
}

// find calls yield with each rule that matches r, and r as the rule's handler would
// get it: with the path's values.
func (t *Table) find(r *http.Request, yield func(plan *resolve.Plan, r *http.Request)) {
	t.mu.RLock()
	routes := t.routes
	t.mu.RUnlock()
	for _, route := range routes {
		if _, path := route.mux.Handler(r); path == "" {
			continue
		}
		// Only to handlers does http.ServeMux give the values. Where it redirects,
		// there is nothing stored either: reads are redirected, too.
		asked, f := *r, finder{header: make(http.Header)}
		if route.mux.ServeHTTP(&f, &asked); f.found != nil {
			yield(route.plan, f.found)
		}
	}
}

// finder is the http.ResponseWriter of a request that is made to be matched.
type finder struct {
	header http.Header
	found  *http.Request
}

func (f *finder) Header() http.Header         { return f.header }
func (f *finder) Write(p []byte) (int, error) { return len(p), nil }
func (f *finder) WriteHeader(int)             {}
