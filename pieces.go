package freshet

import (
	"net/http"

	"github.com/freshet-dev/freshet/internal/resolve"
	"github.com/freshet-dev/freshet/internal/rfc9111"
)

// pieces returns q at the place where pieces of its answer are kept (206). That is
// apart from the answer's own: nothing but a request for a piece looks there.
func (q query) pieces() query {
	at := resolve.Place{Key: q.Key, Variant: q.Variant, Identity: q.identity}.Pieces()
	q.Ref, q.identity = Ref{at.Key, at.Variant}, at.Identity
	return q
}

// pick answers a request for a piece of what is not kept as a whole, from the piece
// that is kept, and reports whether it has. One that is of no use yet may be joined
// with the one that the handler sends.
func (v *visit) pick() bool {
	at := v.query.pieces()
	found, err := v.route.cache.look(v.r.Context(), &at)
	if err != nil || found.Entry == nil || v.home.Credentialed && !v.route.plan.shared(found.Entry, v.r) {
		return false
	}
	v.part = found.Entry
	if !found.fresh(v.start) || v.route.plan.demanding(v.r) || !v.part.piece().Covers(v.r) {
		return false
	}
	// Not as a plain hit, which may be audited: handlers are run for whole answers.
	v.route.hit(v.w, v.r, &at, v.part, &rfc9111.Status{Hit: true}, v.start)
	return true
}

// piece reports whether an answer is a piece that can be kept. To a client that says
// If-Range, and so has the rest of the header, it need not be sent (RFC 9110, section
// 15.3.7): with what there is of it others could not do.
func (l *load) piece(status int, h http.Header) bool {
	_, _, known := rfc9111.ContentRange(h.Get("Content-Range"))
	return status == http.StatusPartialContent && l.single && l.ranged() && known && l.r.Header["If-Range"] == nil
}

// assemble joins e, a piece, with the one that is kept, and reports whether the result
// may be kept. That was looked up after the stamp which e is filled under was taken: an
// invalidation since then covers both.
func (l *load) assemble(e *Entry) bool {
	var kept *rfc9111.Part
	if l.part != nil {
		kept = new(l.part.piece())
	}
	p, ok := rfc9111.Assemble(kept, e.piece(), e.Loaded)
	if l.part != nil { // of which at least fields may remain
		e.Tags = l.part.Tags
	}
	e.Status, e.Header, e.Body = p.Status, p.Header, p.Body
	return ok && int64(len(e.Body)) <= l.route.plan.MaxBody
}

func (e *Entry) piece() rfc9111.Part {
	return rfc9111.Part{Status: e.Status, Header: e.Header, Body: e.Body}
}
