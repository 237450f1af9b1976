package freshet

import (
	"net/http"

	"github.com/freshet-dev/freshet/internal/capture"
	"github.com/freshet-dev/freshet/internal/resolve"
	"github.com/freshet-dev/freshet/internal/rfc9111"
)

// write is a request that changes something.
type write struct {
	change
	plan *plan
	// target is a read of what is written to, apart from the request, which the
	// handler may change.
	target     *http.Request
	prefix     string   // of groups
	unprefixed bool     // it cannot be resolved
	groups     []Target // those that the answer names, see hear
	out        *capture.Writer
	returned   bool // the handler has
}

// write runs a handler that changes something and invalidates what it affects.
// The invalidation has happened before the first byte of the answer can reach
// the client, so that nobody who has heard of the change is shown the state
// before it.
func (rt *route) write(w http.ResponseWriter, r *http.Request) {
	p := rt.plan
	wr := &write{change: change{cache: rt.cache, rule: p.Name, fence: p.FenceFor}, plan: p, target: resolve.Reading(r, r.URL)}
	p.requests.Write(r, wr.add)
	rt.cache.routes.Target(wr.target, &p.requests, wr.add)
	prefix, why := p.requests.GroupPrefixOf(r)
	wr.prefix, wr.unprefixed = prefix, why != ""
	if wr.begin(r.Context(), p.NoIntent) != nil {
		refuse(w)
		return
	}
	wr.out = capture.New(w, p.MaxBody, wr.before)
	settled := false
	defer func() {
		if !settled {
			// The handler has panicked, and who knows what it had changed.
			_, _ = wr.end(wr.all())
		}
	}()
	rt.next.ServeHTTP(wr.out, r.WithContext(wr.ctx))
	wr.returned = true
	if wr.out.Passing() {
		// Its answer began to go out while it was still at work: what it has
		// changed since is not covered by the invalidation from before.
		_ = wr.settle()
	}
	wr.out.Finish()
	settled = true
}

// add adds what a text names to the targets of wr.
func (wr *write) add(kind resolve.Kind, text string) {
	wr.targets = append(wr.targets, Target{Kind: TargetKind(kind), Value: text})
}

// hear adds what the answer itself says to be stale: the resources that it names (RFC
// 9111, section 4.4) and the groups (RFC 9875, section 3). A group is invalidated
// whatever the status: nobody would name one for nothing.
func (wr *write) hear() {
	h := wr.out.Sent
	if rfc9111.InvalidatesTarget(wr.out.Status) {
		for _, u := range rfc9111.Related(wr.target, h) {
			wr.cache.routes.Related(resolve.Reading(wr.target, u), &wr.plan.requests, wr.add)
		}
	}
	for _, tag := range resolve.TagGroups(wr.prefix, rfc9111.Groups(h["Cache-Group-Invalidation"])) {
		target := Tag(tag)
		if wr.unprefixed {
			target = All() // whatever the group is called
		}
		wr.groups = append(wr.groups, target)
	}
	wr.targets = append(wr.targets, wr.groups...)
}

// before runs right before anything of the answer goes out.
func (wr *write) before() {
	wr.hear()
	status := rfc9111.Status{Forward: "method"}
	if err := wr.settle(); err != nil {
		status.Detail = []string{"invalidation-pending"}
	} else if len(wr.groups) > 0 || !refused(wr.out.Status) {
		status.Detail = []string{"invalidated"}
	}
	if wr.out.Sent != nil {
		wr.out.Sent.Add("Cache-Status", status.String())
	}
}

// stale returns what the answer makes stale, by its status.
func (wr *write) stale() []Target {
	if refused(wr.out.Status) {
		return wr.fenced(wr.groups)
	}
	return wr.all()
}

// settle invalidates what the answer makes stale. While the handler is at work the
// record stays. A failure has been logged and is being retried; the answer to the
// write stands.
func (wr *write) settle() (err error) {
	if wr.returned {
		_, err = wr.end(wr.stale())
	} else {
		_, err = wr.cache.drop(wr.ctx, wr.rule, nil, wr.stale())
	}
	return err
}

// refused reports whether a write was turned down, so that nothing has changed.
func refused(status int) bool { return status >= 400 && status < 500 }

// retryAfter is in seconds: by then a failing store has been asked once more.
const retryAfter = "2"

// refuse answers a write that must not be made: its invalidation is not on record.
func refuse(w http.ResponseWriter) {
	status := rfc9111.Status{Forward: "method", Detail: []string{"refused"}}
	w.Header().Add("Cache-Status", status.String())
	w.Header().Set("Retry-After", retryAfter)
	http.Error(w, "the change cannot be put on record", http.StatusServiceUnavailable)
}
