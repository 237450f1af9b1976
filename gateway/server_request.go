package gateway

import (
	"context"
	"encoding/hex"
	"math/rand/v2"
	"net/http"
	"strings"
	"time"

	"github.com/freshet-dev/freshet/gateway/internal/access"
	"github.com/freshet-dev/freshet/gateway/internal/conns"
	"github.com/freshet-dev/freshet/gateway/internal/forwarded"
	"github.com/freshet-dev/freshet/gateway/internal/pace"
	"github.com/freshet-dev/freshet/internal/rfc9111"
)

// idField is the request's name in logs, here and behind the gateway.
const idField = "X-Request-Id"

// everybody answers a request to the gateway's address.
func (f *Front) everybody(w http.ResponseWriter, r *http.Request) {
	f.running.RLock()
	defer f.running.RUnlock()
	if f.over {
		return // its connection is closed
	}
	identify(r)
	if l := f.access.Load(); l != nil {
		f.recorded(l, w, r)
		return
	}
	f.paced(w, r, f.answer)
}

// operator answers a request to the address of admin.addr. It is not for the access
// log, which probes would fill.
func (f *Front) operator(w http.ResponseWriter, r *http.Request) {
	f.running.RLock()
	defer f.running.RUnlock()
	if !f.over {
		f.paced(w, r, f.own)
	}
}

// answer answers a request that is within the limits.
func (f *Front) answer(w http.ResponseWriter, r *http.Request) {
	if f.admin == nil && reserved(r, f.gateway.Config().Admin.Prefix) {
		f.own(w, r)
		return
	}
	f.gateway.ServeHTTP(w, r)
}

// identify sees to it that a request has a name. One that the client gives is kept if
// it is harmless wherever it is written: it goes to upstreams and into logs.
func identify(r *http.Request) {
	if lines := r.Header[idField]; len(lines) == 1 && harmless(lines[0]) {
		return
	}
	var id [16]byte
	for i := range id {
		id[i] = byte(rand.Uint32()) // names, not secrets
	}
	r.Header[idField] = []string{hex.EncodeToString(id[:])}
}

func harmless(id string) bool {
	return id != "" && len(id) <= 128 && !strings.ContainsFunc(id, func(c rune) bool {
		return (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && !strings.ContainsRune("-_.:+/=", c)
	})
}

// recorded answers, and writes a line for it.
func (f *Front) recorded(l *access.Log, w http.ResponseWriter, r *http.Request) {
	start := time.Now()
	way := new(trail)
	r = r.WithContext(context.WithValue(r.Context(), trailKey{}, way))
	path, query, _ := strings.Cut(r.RequestURI, "?")
	out := &access.Recorder{ResponseWriter: w}
	whole := false
	defer func() {
		if !l.Query() {
			query = ""
		}
		record := &access.Record{
			Time: start, Took: time.Since(start), Client: forwarded.Client(r),
			Method: r.Method, Scheme: scheme(r), Host: r.Host, Path: path, Query: query, Proto: r.Proto,
			Status: out.Status, Bytes: out.Bytes, Cache: access.CacheWord(w.Header()["Cache-Status"], rfc9111.CacheName),
			ID: r.Header.Get(idField), Referer: r.Referer(), UserAgent: r.UserAgent(), Aborted: !whole,
		}
		if server := way.server.Load(); server != nil {
			record.Upstream = *server
		}
		// The log may have been replaced by now.
		for ; l != nil && !l.Add(record); l = f.access.Load() {
		}
	}()
	f.paced(out, r, f.answer)
	// net/http answers for a handler that says nothing.
	if out.Status == 0 {
		out.Status = http.StatusOK
	}
	whole = true
}

// paced has next answer, under the limits of the configuration.
func (f *Front) paced(w http.ResponseWriter, r *http.Request, next http.HandlerFunc) {
	c := f.gateway.Config()
	if r.ProtoMajor > 1 {
		paced := pace.NewWriter(w, c.Timeouts.Write)
		defer paced.Release()
		w = paced
	}
	if r.Body != nil && r.Body != http.NoBody {
		inner := r.Body
		if c.Limits.Body > 0 {
			inner = http.MaxBytesReader(w, inner, int64(c.Limits.Body))
		}
		// Before anything is refused: net/http waits for what is left of a body.
		body := pace.NewBody(inner, c.Timeouts.Body, http.NewResponseController(w).SetReadDeadline)
		defer body.Release()
		r.Body = body
	}
	if fields(r.Header) > c.Limits.HeaderFields {
		c.turnAway(w, r, http.StatusRequestHeaderFieldsTooLarge, "the request's header has too many fields")
		return
	}
	if c.Limits.Body > 0 && r.ContentLength > int64(c.Limits.Body) {
		c.turnAway(w, r, http.StatusRequestEntityTooLarge, "the request's body is too large")
		return
	}
	next(conns.Whole(w, r), r)
}

func fields(h http.Header) (n int) {
	for _, lines := range h {
		n += len(lines)
	}
	return n
}

// turnAway answers a request that nobody is asked about. The connection ends with it:
// what is still to come of the request is not read.
func (c *Config) turnAway(w http.ResponseWriter, r *http.Request, status int, why string) {
	c.trust.Rewrite(r) // for the log
	w.Header().Set("Connection", "close")
	w.Header().Set("Cache-Control", "no-store")
	http.Error(w, why, status)
}

// reserved reports whether the gateway answers a request itself.
func reserved(r *http.Request, prefix string) bool {
	rest, ok := strings.CutPrefix(r.URL.Path, prefix)
	return ok && (rest == "" || rest[0] == '/')
}
