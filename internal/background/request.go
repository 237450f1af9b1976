package background

import (
	"context"
	"net/http"
)

// Request returns a copy of r under ctx to load its answer by, once r has been
// answered: a request for the whole answer, without what its client alone wanted.
func Request(ctx context.Context, r *http.Request) *http.Request {
	r = r.Clone(ctx)
	for _, name := range [...]string{"If-None-Match", "If-Modified-Since", "Range", "If-Range", "Cache-Control", "Pragma"} {
		delete(r.Header, name)
	}
	if r.Method == http.MethodHead {
		r.Method = http.MethodGet
	}
	r.Body = http.NoBody
	if r.GetBody != nil {
		if body, err := r.GetBody(); err == nil {
			r.Body = body
		}
	}
	return r
}
