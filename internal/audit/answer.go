package audit

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/freshet-dev/freshet/internal/capture"
	"github.com/freshet-dev/freshet/internal/pattern"
	"github.com/freshet-dev/freshet/internal/rfc9111"
)

// The names of what is no header field.
const (
	Status = "status"
	Body   = "body"
)

// moment are the fields that say when and by whom an answer was made, and nothing
// of the data in it. Expires is a lifetime in the form of a time. Other fields
// that are new each time, such as a request's id, give themselves away by being
// different in two runs one after the other; those made of whole seconds do not.
var moment = []string{"Age", "Cache-Status", "Date", "Expires"}

// Differences returns in what a and b differ: [Status], [Body] and names of header
// fields, sorted. Nil means that they are the same.
func Differences(a, b capture.Answer) (parts []string) {
	if a.Body != b.Body {
		parts = append(parts, Body)
	}
	if a.Status != b.Status {
		parts = append(parts, Status)
	}
	ours, theirs := lines(a.Header), lines(b.Header)
	for name, values := range ours {
		if !slices.Equal(values, theirs[name]) {
			parts = append(parts, name)
		}
	}
	for name := range theirs {
		if ours[name] == nil {
			parts = append(parts, name)
		}
	}
	slices.Sort(parts)
	return parts
}

// lines groups the fields that count by their names, without the marks that tell
// how they go together with what middleware in front has set: that depends on the
// request, and is no part of the handler's answer.
func lines(header []capture.Field) map[string][]string {
	all := make(map[string][]string, len(header))
	for _, f := range header {
		name := strings.TrimPrefix(f.Name, ">")
		if !strings.HasPrefix(name, "<") && !slices.Contains(moment, name) {
			all[name] = append(all[name], f.Value)
		}
	}
	return all
}

// run has h answer r. header is what middleware in front had set. It reports false
// when the handler has no whole answer of at most limit bytes to give, or fails.
func run(h http.Handler, r *http.Request, header http.Header, limit int64) (a capture.Answer, ok bool) {
	defer func() {
		// Nobody waits for this answer; and a panic here, unlike one under
		// net/http, would end the process.
		if recover() != nil {
			a, ok = capture.Answer{}, false
		}
	}()
	out := capture.New(capture.Nowhere(header), limit, func() {})
	h.ServeHTTP(out, r)
	out.Settle()
	if !out.Whole() || out.Status >= http.StatusInternalServerError || r.Context().Err() != nil {
		return capture.Answer{}, false
	}
	out.Complete(time.Now())
	return capture.Answer{Status: out.Status, Header: out.Fields(), Body: string(out.Body)}, true
}

// again returns a copy of r to run a handler on: what the entry was loaded by, a
// GET of the whole without conditions, whatever the client has sent, or a QUERY with its
// content.
func again(ctx context.Context, r *http.Request) *http.Request {
	r = r.Clone(ctx)
	rfc9111.Whole(r.Header)
	if r.Method != pattern.Query {
		r.Method, r.Body = http.MethodGet, http.NoBody
	} else if r.GetBody != nil {
		r.Body, _ = r.GetBody() // of what is held, which cannot fail
	}
	return r
}
