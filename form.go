package freshet

import (
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/freshet-dev/freshet/internal/coding"
	"github.com/freshet-dev/freshet/internal/rfc9111"
)

// Coding is a content coding (RFC 9110, section 8.4.1): its Name, in lower case, and
// Encode, which appends the coded form of src to dst, may be called concurrently and
// makes the same of the same.
type Coding = coding.Coding

// Gzip returns the coding that every client knows.
func Gzip() Coding { return coding.Gzip() }

// Zstd returns the coding zstd (RFC 8878), which is decoded faster.
func Zstd() Coding { return coding.Zstd() }

// in returns q for the form of its answer in a coding: an entry beside the answer's,
// with the same key and tags, so that whatever drops the one drops the other.
func (q *query) in(k *Coding) query {
	return query{Ref: Ref{q.Key, coding.Variant(q.Variant, k.Name)}, identity: coding.Identity(q.identity, k.Name), bypass: q.bypass}
}

// either looks for the form in coding k of the answer to q, and for the answer itself
// if there is none that is fresh. A nil k stands for no coding.
func (c *Cache) either(r *http.Request, q *query, k *Coding) (Found, error) {
	if k != nil && !c.plain(q, k) {
		at := q.in(k)
		if found, err := c.look(r.Context(), &at); err != nil || found.fresh(time.Now()) {
			return found, err
		}
	}
	return c.look(r.Context(), q)
}

// plain reports whether the answer to q is known to have no form in coding k.
func (c *Cache) plain(q *query, k *Coding) bool {
	return c.forms.Plain(coding.Identity(q.identity, k.Name))
}

// wanted returns the coding that r is to be answered in if that can be had without
// another thought: nil also if its client says itself what it takes from a cache.
func (rt *route) wanted(r *http.Request) *Coding {
	if rt.plan.demanding(r) {
		return nil
	}
	return coding.Wanted(r, rt.cache.options.Codings)
}

// codes reports whether the cache codes answers itself, so that handlers are asked for
// them as they are: one answer is then enough for all, though it varies with what its
// handler would otherwise have been asked for.
func (rt *route) codes() bool {
	return len(rt.cache.options.Codings) > 0 && !slices.Contains(rt.plan.requests.VaryHeaders, "Accept-Encoding")
}

// unseen returns the field by which e does not differ, whatever its Vary says, as it is
// the answer of a handler that has not seen it; empty for none.
func (rt *route) unseen(e *Entry) string {
	if rt.codes() && len(rfc9111.Lines(e.Header, "Content-Encoding")) == 0 {
		return "Accept-Encoding"
	}
	return ""
}

// form returns e, the answer to q, in the form that r is to get it in.
func (rt *route) form(r *http.Request, q *query, e *Entry) *Entry {
	c := rt.cache
	if len(c.options.Codings) == 0 || e.Identity != q.identity {
		return e // it is a form already
	}
	k, worth := coding.Wanted(r, c.options.Codings), coding.Worth(e.Header, len(e.Body))
	if k != nil && !c.plain(q, k) {
		if f, ok := c.coded(r.Context(), q, e, k, worth); ok {
			return f
		}
	}
	if !worth {
		return e
	}
	varies := *e
	varies.Header = coding.Vary(slices.Clone(e.Header))
	return &varies
}

// coded returns the form of e, the answer to q, in coding k, if it has one.
func (c *Cache) coded(ctx context.Context, q *query, e *Entry, k *Coding, worth bool) (*Entry, bool) {
	at, of := q.in(k), e.Stamp.String()+e.Loaded.UTC().Format(time.StampMicro)
	return c.forms.Make(ctx, at.identity, of, func(ctx context.Context) (*Entry, bool) {
		if !worth {
			return nil, false
		}
		return c.encode(ctx, q, &at, e, k)
	})
}

// encode makes the form of e, the answer to q, that belongs at a place.
//
//  1. e is found, or has been loaded
//  2. it is invalidated
//  3. its form is stored
//
// So the form is stored under the stamp of a look-up that finds e once more: 2 came
// later, and the store knows what to do with the form of 3. A soft invalidation that
// came before has made e stale, and its form must not be taken for fresh.
func (c *Cache) encode(ctx context.Context, q, at *query, e *Entry, k *Coding) (*Entry, bool) {
	if found, err := c.look(ctx, at); err == nil && found.Entry != nil && found.Entry.alike(e) {
		return found.Entry, true // another process has, or one who asked a moment ago
	}
	body, err := k.Encode(nil, []byte(e.Body))
	if err != nil {
		c.options.logger().Error("freshet: an answer cannot be coded, and is sent as it is", "key", q.Key, "coding", k.Name, "error", err)
	}
	if err != nil || !coding.Pays(len(e.Body), len(body)) {
		return nil, false
	}
	f := *e
	f.Identity, f.Header, f.Body = at.identity, coding.Header(e.Header, k.Name, len(body)), string(body)
	if found, err := c.look(ctx, q); err == nil && found.Reason == Absent && found.Entry != nil && found.Entry.same(e) {
		f.Stamp = found.Stamp
		_, _ = c.guard.fill(ctx, at.Ref, f.Stamp, &f) // for the next; this one has it
	}
	return &f, true
}

// outdate takes the forms of the answer to q out of use, which has been loaded again
// before its time: of what is fresh the most recent is served (RFC 9111, section 4).
func (c *Cache) outdate(ctx context.Context, q *query) {
	for i := range c.options.Codings {
		at := q.in(&c.options.Codings[i])
		if found, err := c.look(ctx, &at); err == nil && found.Entry != nil {
			c.bury(ctx, &at, found.Stamp)
		}
	}
}

// bury takes what is stored for q out of use, unless it is newer than stamp: an entry of
// no load, too old to be served in any case, takes its place for a moment.
func (c *Cache) bury(ctx context.Context, q *query, stamp Stamp) {
	none := Entry{Identity: q.identity, Stamp: stamp, Loaded: time.Unix(0, 0), TTL: time.Millisecond, Status: http.StatusNoContent}
	_, _ = c.guard.fill(ctx, q.Ref, stamp, &none) // what stays runs out
}

// alike reports whether two entries are of the same load, as far as a store can tell.
func (e *Entry) alike(other *Entry) bool { return e.Loaded.UnixMicro() == other.Loaded.UnixMicro() }
