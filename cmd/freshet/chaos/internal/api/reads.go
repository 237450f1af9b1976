package api

import (
	"cmp"
	"context"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/freshet-dev/freshet"
)

// reads returns the routes that are cached: by key, with negative answers, as a
// list in variants, refreshed behind the back of requests, as aggregates under tags of the rule and of the handler, for
// the caller alone, and under keys that collide.
func (s *Server) reads() []route {
	return []route{
		{"GET /items/{id}", freshet.Rule{Key: "item:{id:int}", TTL: entryTTL, ErrorTTL: entryTTL}, s.item},
		{"GET /items/{id}/card", freshet.Rule{Key: "card:{id:int}", TTL: briefTTL, StaleWhileRevalidate: entryTTL,
			StaleIfError: entryTTL, SoftTimeout: briefTTL}, s.card},
		{"GET /orgs/{org}/items", freshet.Rule{Key: "list:{org:int}:p{page:int=1}", TTL: 10 * briefTTL, EarlyRefresh: true,
			RefreshAhead: briefTTL, StaleIfError: entryTTL, SoftTimeout: briefTTL}, s.list},
		{"GET /orgs/{org}/stats", freshet.Rule{Key: "stats:{org:int}", TTL: entryTTL, Tags: []string{"org:{org:int}"}}, s.stats},
		{"GET /orgs/{org}/top", freshet.Rule{Key: "top:{org:int}", TTL: entryTTL}, s.top},
		{"GET /pairs/{a}/{b}", freshet.Rule{Key: "pair:{a}_{b}", TTL: entryTTL}, s.pair},
		{"GET /mine", freshet.Rule{Key: "mine:{caller}", TTL: entryTTL, Caller: caller}, s.mine},
	}
}

func caller(r *http.Request) string { return r.Header.Get(CallerHeader) }

// load reads rows with query, and pauses before it returns them: they may be
// out of date by then.
func (s *Server) load(ctx context.Context, query func(context.Context) ([]Row, error)) ([]Row, time.Time, error) {
	read := time.Now()
	rows, err := query(ctx)
	s.pauses.pause()
	return rows, read, err
}

func (s *Server) ofItem(r *http.Request) ([]Row, time.Time, error) {
	return s.load(r.Context(), func(ctx context.Context) ([]Row, error) { return s.db.item(ctx, number(r, "id")) })
}

func (s *Server) ofOrg(r *http.Request) ([]Row, time.Time, error) {
	return s.load(r.Context(), func(ctx context.Context) ([]Row, error) { return s.db.ofOrg(ctx, number(r, "org")) })
}

// item answers 404 for a row that has been deleted, and says of which version.
func (s *Server) item(w http.ResponseWriter, r *http.Request) {
	rows, read, err := s.ofItem(r)
	status := http.StatusOK
	if len(rows) == 1 && rows[0].Gone {
		status = http.StatusNotFound
	}
	s.done(w, r, status, rows, read, err)
}

func (s *Server) card(w http.ResponseWriter, r *http.Request) {
	rows, read, err := s.ofItem(r)
	s.done(w, r, http.StatusOK, rows, read, err)
}

func (s *Server) list(w http.ResponseWriter, r *http.Request) {
	n, _ := strconv.Atoi(cmp.Or(r.URL.Query().Get("page"), "1"))
	rows, read, err := s.ofOrg(r)
	from := min((n-1)*pageOf, len(rows))
	rows = rows[from:min(from+pageOf, len(rows))]
	s.done(w, r, http.StatusOK, rows, read, err)
}

func (s *Server) stats(w http.ResponseWriter, r *http.Request) {
	rows, read, err := s.ofOrg(r)
	s.done(w, r, http.StatusOK, rows, read, err)
}

// top carries tags that only the result tells.
func (s *Server) top(w http.ResponseWriter, r *http.Request) {
	rows, read, err := s.ofOrg(r)
	s.tag(w, r, rows)
	s.done(w, r, http.StatusOK, rows, read, err)
}

func (s *Server) mine(w http.ResponseWriter, r *http.Request) {
	rows, read, err := s.load(r.Context(), func(ctx context.Context) ([]Row, error) { return s.db.ofOwner(ctx, caller(r)) })
	s.tag(w, r, rows)
	s.done(w, r, http.StatusOK, rows, read, err)
}

// pair is about the row that its first part begins with.
func (s *Server) pair(w http.ResponseWriter, r *http.Request) {
	text, _, _ := strings.Cut(r.PathValue("a"), "_")
	id, _ := strconv.Atoi(text)
	rows, read, err := s.load(r.Context(), func(ctx context.Context) ([]Row, error) { return s.db.item(ctx, id) })
	s.tag(w, r, rows)
	s.done(w, r, http.StatusOK, rows, read, err)
}

// loaded is what report keeps: rows, and when and by whom they were read.
type loaded struct {
	Rows  []Row
	Maker string
	Read  time.Time
}

// report is an aggregate by a typed load inside a handler.
func (s *Server) report(w http.ResponseWriter, r *http.Request) {
	org := number(r, "org")
	v, err := freshet.Load(r.Context(), s.cache, "report:"+strconv.Itoa(org), entryTTL, func(ctx context.Context) (loaded, error) {
		freshet.FromContext(ctx).Tag(orgTag(org))
		rows, read, err := s.load(ctx, func(ctx context.Context) ([]Row, error) { return s.db.ofOrg(ctx, org) })
		return loaded{rows, s.name, read}, err
	})
	s.done(w, r, http.StatusOK, v.Rows, v.Read, err)
}

// done answers a read. A request whose client has gone is nobody's error.
func (s *Server) done(w http.ResponseWriter, r *http.Request, status int, rows []Row, read time.Time, err error) {
	if err != nil {
		fail(w, err)
		return
	}
	if r.URL.Query().Get("order") == "down" {
		// What the client gets is compared with by id, whatever the order.
		rows = slices.Clone(rows)
		slices.Reverse(rows)
	}
	s.answer(w, r, status, rows, read)
}

func number(r *http.Request, name string) int {
	n, _ := strconv.Atoi(r.PathValue(name))
	return n
}

func orgTag(org int) string { return "org:" + strconv.Itoa(org) }
func rowTag(id int) string  { return "row:" + strconv.Itoa(id) }

// tag says that an answer is made from rows: to the cache, or to the gateway.
func (s *Server) tag(w http.ResponseWriter, r *http.Request, rows []Row) {
	var groups []string
	for _, row := range rows {
		tag := rowTag(row.ID)
		groups = append(groups, strconv.Quote(tag))
		if s.cache != nil {
			freshet.FromContext(r.Context()).Tag(tag)
		}
	}
	if s.cache == nil && len(groups) > 0 {
		w.Header().Set("Cache-Groups", strings.Join(groups, ", "))
	}
}
