package blog

import (
	"net/http"
	"sync/atomic"
)

// runs counts how often the handler of each route has run.
type runs struct {
	routes []*counter // complete before the first request
}

type counter struct {
	pattern string
	n       atomic.Int64
}

// count returns h with its runs counted under pattern.
func (c *runs) count(pattern string, h http.Handler) http.Handler {
	k := &counter{pattern: pattern}
	c.routes = append(c.routes, k)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		k.n.Add(1)
		h.ServeHTTP(w, r)
	})
}

// ServeHTTP answers the counts as a JSON object, pattern to count.
func (c *runs) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	counts := make(map[string]int64, len(c.routes))
	for _, k := range c.routes {
		counts[k.pattern] = k.n.Load()
	}
	w.Header().Set("Cache-Control", "no-store")
	reply(w, http.StatusOK, counts)
}
