package background

import (
	"context"
	"net/http"

	"github.com/freshet-dev/freshet/internal/rfc9111"
)

// Request returns a copy of r under ctx to load its answer by, once r has been
// answered: a request for the whole answer, without what its client alone wanted.
func Request(ctx context.Context, r *http.Request) *http.Request {
	r = r.Clone(ctx)
	rfc9111.Whole(r.Header)
	delete(r.Header, "Cache-Control")
	delete(r.Header, "Pragma")
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

// most is how much of a request is kept.
const most = 8 << 10

// Small reports whether a copy of r may be kept for long, one of many: it is no larger
// than what clients usually send, and has no body.
func Small(r *http.Request) bool {
	size := len(r.RequestURI)
	for name, lines := range r.Header {
		for _, line := range lines {
			size += len(name) + len(line)
		}
	}
	return size <= most && r.ContentLength == 0
}
