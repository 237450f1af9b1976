package freshet

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/freshet-dev/freshet/internal/resolve"
	"github.com/freshet-dev/freshet/internal/rfc9111"
)

// mostNames bounds the request fields by which the answers of one place differ.
const mostNames = 16

// find looks for the answer to r, which is at home at a place, or for its form in a
// coding.
//
// Where answers differ by request fields that only they name, in Vary, there is a
// marker at home: an entry without a status that holds those names. The answers have
// places of their own, by the names of the marker and what r has under them, so a
// request finds none but one that agrees in all of them (RFC 9111, section 4.1). The
// marker is no answer: nothing that it says can be stale, only out of date, which
// costs a miss.
func (c *Cache) find(r *http.Request, at resolve.Place, k *Coding) (query, Found, error) {
	q := query{Ref: Ref{at.Key, at.Variant}, identity: at.Identity, home: at}
	found, err := c.either(r, &q, k)
	if e := found.Entry; e != nil && e.Status == 0 {
		names, _ := rfc9111.VaryNames([]string{e.Header[0].Value})
		q = q.among(names, r)
		found, err = c.either(r, &q, k)
	}
	return q, found, err
}

// look asks the store for the answer to q. An entry that was made for another
// request is a miss.
func (c *Cache) look(ctx context.Context, q *query) (Found, error) {
	found, err := c.guard.lookup(ctx, q.Ref)
	if found.Entry != nil && found.Entry.Identity != q.identity {
		found.Entry, found.Reason = nil, Absent
	}
	return found, err
}

// among returns q at the place that r has among answers which differ by names.
func (q *query) among(names []string, r *http.Request) query {
	at, other := q.home.Vary(names, r), *q
	other.Ref, other.identity, other.names = Ref{at.Key, at.Variant}, at.Identity, names
	return other
}

// varied returns q at the place of an answer whose Vary has these lines: by their
// names and those that had led to q, less those that the rule tells apart anyway, or
// that its handler has not seen. It reports false if there are too many.
func (p *plan) varied(q query, vary []string, r *http.Request, unseen string) (query, bool) {
	names, _ := rfc9111.VaryNames(vary)
	names = slices.DeleteFunc(names, func(name string) bool {
		return name == unseen || slices.Contains(p.requests.VaryHeaders, name)
	})
	names = append(names, q.names...)
	slices.Sort(names)
	if names = slices.Compact(names); len(names) > len(q.names) {
		q = q.among(names, r)
	}
	return q, len(names) <= mostNames
}

// mark keeps the marker at q's home that leads to an answer which is kept for ttl. It
// is kept for longer, so that not every answer needs a new one.
func (c *Cache) mark(ctx context.Context, q *query, stamp Stamp, ttl time.Duration) (Outcome, error) {
	home, names := Ref{q.home.Key, q.home.Variant}, strings.Join(q.names, ", ")
	found, err := c.guard.lookup(ctx, home)
	if e := found.Entry; err == nil && e != nil && e.Identity == q.home.Identity && e.Status == 0 &&
		e.Header[0].Value == names && e.TTL-time.Since(e.Loaded) >= ttl {
		return Stored, nil
	}
	return c.guard.fill(ctx, home, stamp, &Entry{
		Identity: q.home.Identity, Stamp: stamp, Loaded: time.Now(), TTL: min(2*ttl, MaxTTL),
		Header: []Field{{Name: "Vary", Value: names}},
	})
}
