package api

import (
	"context"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/freshet-dev/freshet"
)

// ModeHeader asks a write for something out of the ordinary.
const ModeHeader = "X-Mode"

// The values of [ModeHeader].
const (
	Refuse = "refuse" // answer 409 and change nothing
	Abort  = "abort"  // panic after the commit
	Stream = "stream" // begin to answer before the commit
)

// writes returns the routes that change rows. Each drops every view of what it
// changes: by its own key, extra keys, patterns and tags of the rule, or by what
// the handler finds out.
func (s *Server) writes() []route {
	item := freshet.Rule{
		Key:             "item:{id:int}",
		Invalidate:      []string{"card:{id:int}"},
		InvalidateMatch: []string{"list:{org:int}:*"},
		InvalidateTags:  []string{"org:{org:int}", "row:{id:int}"},
	}
	return []route{
		{"PUT /orgs/{org}/items/{id}", item, s.write(func(ctx context.Context, r *http.Request) ([]Row, error) {
			return s.db.set(ctx, number(r, "id"), false)
		})},
		{"DELETE /orgs/{org}/items/{id}", item, s.write(func(ctx context.Context, r *http.Request) ([]Row, error) {
			return s.db.set(ctx, number(r, "id"), true)
		})},
		{"POST /orgs/{org}/items/{id}/touch", freshet.Rule{Key: "touch:{id:int}"}, s.write(s.touch)},
		{"POST /orgs/{org}/reset", freshet.Rule{Key: "reset:{org:int}"}, s.write(func(ctx context.Context, r *http.Request) ([]Row, error) {
			if err := freshet.FromContext(ctx).Invalidate(freshet.All()); err != nil {
				return nil, err
			}
			return s.db.touchOrg(ctx, number(r, "org"))
		})},
	}
}

// touch names what it drops itself, before its change is committed: so it is on
// record in time.
func (s *Server) touch(ctx context.Context, r *http.Request) ([]Row, error) {
	id, org := number(r, "id"), number(r, "org")
	err := freshet.FromContext(ctx).Invalidate(
		freshet.Key("item:"+strconv.Itoa(id)), freshet.Key("card:"+strconv.Itoa(id)),
		freshet.Match("list:"+strconv.Itoa(org)+":*"), freshet.Tag(orgTag(org)), freshet.Tag(rowTag(id)))
	if err != nil {
		return nil, err
	}
	return s.db.set(ctx, id, false)
}

// write runs change, and pauses between its commit and the answer: a process that
// is killed then has changed its data and invalidated nothing yet.
func (s *Server) write(change func(context.Context, *http.Request) ([]Row, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		mode := r.Header.Get(ModeHeader)
		if mode == Refuse {
			s.answer(w, r, http.StatusConflict, nil, time.Now())
			return
		}
		if mode == Stream {
			_, _ = io.WriteString(w, " ")
			_ = http.NewResponseController(w).Flush()
		}
		rows, err := change(detached(r), r)
		// More often than reads: there are fewer of them, and what matters is
		// that something dies meanwhile.
		Pauses{min(1, 3*s.pauses.Share), s.pauses.Longest}.pause()
		switch {
		case err != nil:
			fail(w, err)
		case mode == Abort:
			panic(http.ErrAbortHandler)
		case mode == Stream:
			s.body(w, r, rows, time.Now()) // its header has gone out
		default:
			s.answer(w, r, http.StatusOK, rows, time.Now())
		}
	}
}
