package freshet

import (
	"context"
	"net/http"
	"time"

	"github.com/freshet-dev/freshet/internal/audit"
	"github.com/freshet-dev/freshet/internal/capture"
)

// Audit is the setting of the auditor, which runs the handlers of some hits again,
// in background once these have been answered, and compares: see docs/audit.md.
// Each run is on a copy of the request. What it tells [FromContext] has no effect;
// whatever else it does, it does.
type Audit struct {
	// Fraction of the hits of handlers that is audited, at most 1. There are never
	// more than four audits at a time. Default: 0, none.
	Fraction float64
	// Grace is how long after its change an invalidation may return: longer than
	// the slowest write, and than the store's intent deadline. Default: 15 seconds.
	// It needs a Fraction.
	Grace time.Duration
	// Report is told of every violation. Default: the log, at level Error.
	Report func(Violation)
}

// Violation is a hit that its handler answers otherwise though nothing has
// invalidated it: an invalidation is missing, or the key, or the cache is wrong.
type Violation struct {
	Rule    string
	Ref     Ref
	Entry   *Entry   // what was served
	Differs []string // in what: "status", "body" and names of header fields
	History History  // zero if the store is no [Historian], or could not be asked
}

// Audited counts the audits that have ended, by verdict, in its fields Fresh,
// Overtaken, Unsteady and Violations; docs/audit.md says what they mean. Its method
// Nines says how fresh hits are, 3 for 99.9 %; without a violation that is what they
// are at least, with 95 % confidence. String puts all this in one line.
type Audited = audit.Counts

// Audited returns what the auditor has found so far.
func (c *Cache) Audited() Audited { return c.auditor.Counts() }

// audit looks into a hit. header is what middleware in front had set.
func (rt *route) audit(header http.Header, r *http.Request, q *query, e *Entry) {
	c, start, ref, id, names := rt.cache, time.Now(), q.Ref, q.identity, q.names
	ctx, _ := withControl(r.Context())
	if e.Identity != q.identity { // a form of what the handler answers
		if found, err := c.look(ctx, q); err == nil && found.Entry != nil {
			e = found.Entry
		}
	}
	r = r.WithContext(ctx)
	if rt.codes() {
		r.Header = r.Header.Clone()
		r.Header["Accept-Encoding"] = []string{"identity"}
	}
	c.auditor.Audit(audit.Subject{
		Request: r,
		Header:  header,
		Served:  capture.Answer{Status: e.Status, Header: e.Header, Body: e.Body},
		Handler: rt.next,
		Limit:   rt.plan.MaxBody,
		Same: func(r *http.Request) bool {
			at, why := rt.plan.requests.Read(r)
			return why == "" && at.Vary(names, r).Identity == id
		},
		Stands: func(ctx context.Context) bool {
			found, err := c.guard.lookup(ctx, ref)
			now := found.Entry
			return err == nil && now != nil && now.Stamp == e.Stamp && now.Loaded.Equal(e.Loaded)
		},
		Ended: func(ctx context.Context, v audit.Verdict, parts []string) {
			c.observe(Event{Kind: EventAudit, Rule: rt.plan.Name, Key: ref.Key, Reason: v.String(), Elapsed: time.Since(start)})
			if v == audit.Violation {
				c.violated(ctx, Violation{Rule: rt.plan.Name, Ref: ref, Entry: e, Differs: parts})
			}
		},
	})
}

func (c *Cache) violated(ctx context.Context, v Violation) {
	var err error
	if h, ok := c.store.(Historian); ok {
		v.History, err = h.History(ctx, v.Ref, v.Entry.Tags)
	}
	if report := c.options.Audit.Report; report != nil {
		report(v)
		return
	}
	c.options.logger().Error("freshet: a hit is not what its handler answers, and nothing has invalidated it",
		"rule", v.Rule, "key", v.Ref.Key, "variant", v.Ref.Variant, "tags", v.Entry.Tags, "differs", v.Differs,
		"loaded", v.Entry.Loaded, "stamp", v.Entry.Stamp, "now", v.History.Stamp, "bans", v.History.Bans, "error", err)
}
