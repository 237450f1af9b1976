package api

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"strconv"
	"time"

	"github.com/freshet-dev/freshet"
)

// ModeHeader asks a write for something out of the ordinary.
const ModeHeader = "X-Mode"

// JobHeader is what Cache-Status is for other writes.
const JobHeader = "X-Job"

// The values of [ModeHeader].
const (
	Refuse = "refuse" // answer 409 and change nothing
	Abort  = "abort"  // panic after the commit
	Stream = "stream" // begin to answer before the commit
	Die    = "die"    // kill the process right after the commit
)

// writes returns the routes that change rows. Each drops every view of what it
// changes: by its own key, extra keys, patterns and tags of the rule, or by what
// the handler finds out.
func (s *Server) writes(noIntent bool) []route {
	item := freshet.Rule{
		Key:             "item:{id:int}",
		Invalidate:      []string{"card:{id:int}"},
		InvalidateMatch: []string{"list:{org:int}:*"},
		InvalidateTags:  []string{"org:{org:int}", "row:{id:int}"},
		NoIntent:        noIntent,
	}
	return []route{
		{"PUT /orgs/{org}/items/{id}", item, s.write(func(ctx context.Context, r *http.Request) ([]Row, error) {
			return s.db.set(ctx, number(r, "id"), false)
		})},
		{"DELETE /orgs/{org}/items/{id}", item, s.write(func(ctx context.Context, r *http.Request) ([]Row, error) {
			return s.db.set(ctx, number(r, "id"), true)
		})},
		{"POST /orgs/{org}/items/{id}/touch", freshet.Rule{Key: "touch:{id:int}", NoIntent: noIntent}, s.write(s.touch)},
		{"POST /orgs/{org}/reset", freshet.Rule{Key: "reset:{org:int}", NoIntent: noIntent}, s.write(s.reset)},
	}
}

// reset changes a whole organisation, and drops everything.
func (s *Server) reset(ctx context.Context, r *http.Request) ([]Row, error) {
	if err := freshet.FromContext(ctx).Invalidate(freshet.All()); err != nil {
		return nil, err
	}
	return s.db.touchOrg(ctx, number(r, "org"))
}

// touch names what it drops itself, before its change is committed: so it is on
// record in time.
func (s *Server) touch(ctx context.Context, r *http.Request) ([]Row, error) {
	id, org := number(r, "id"), number(r, "org")
	if err := freshet.FromContext(ctx).Invalidate(targets(id, org)...); err != nil {
		return nil, err
	}
	return s.db.set(ctx, id, false)
}

// job changes a row outside of any rule, as a consumer of messages would, and tells
// in a header of its own whether the invalidation has been carried out.
func (s *Server) job(w http.ResponseWriter, r *http.Request) {
	id, org := number(r, "id"), number(r, "org")
	var rows []Row
	var failed error
	_, err := s.cache.Update(detached(r), func(ctx context.Context) error {
		rows, failed = s.db.set(ctx, id, false)
		s.pauses.pause()
		return failed
	}, targets(id, org)...)
	switch {
	case failed != nil:
		fail(w, failed)
		return
	case errors.Is(err, freshet.ErrUnrecorded):
		w.Header().Set(JobHeader, "refused")
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	case err != nil:
		w.Header().Set(JobHeader, "invalidation-pending")
	default:
		w.Header().Set(JobHeader, "invalidated")
	}
	s.answer(w, r, http.StatusOK, rows, time.Now())
}

// targets names every view of a row.
func targets(id, org int) []freshet.Target {
	return []freshet.Target{
		freshet.Key("item:" + strconv.Itoa(id)), freshet.Key("card:" + strconv.Itoa(id)),
		freshet.Match("list:" + strconv.Itoa(org) + ":*"), freshet.Tag(orgTag(org)), freshet.Tag(rowTag(id)),
	}
}

// die ends this process as kill -9 does: nothing that is deferred or registered is
// run.
func die() {
	self, err := os.FindProcess(os.Getpid())
	if err == nil {
		_ = self.Kill()
	}
	select {}
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
		if mode == Die {
			die()
		}
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
