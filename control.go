package freshet

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/freshet-dev/freshet/internal/owed"
)

// Control lets a handler, or a function under [Load], decide about its own
// answer while it works: what only the result can tell. Its methods may be
// called concurrently, until the handler returns.
type Control struct {
	mu      sync.Mutex
	tags    []string
	targets []Target
	ttl     time.Duration
	noStore bool
	// join puts targets on record; nil outside of writes.
	join func(targets []Target) error
}

type controlKey struct{}

func withControl(ctx context.Context) (context.Context, *Control) {
	c := new(Control)
	return context.WithValue(ctx, controlKey{}, c), c
}

// FromContext returns the control of the request or load that ctx belongs to.
// It is never nil: outside of one, the control that it returns has no effect.
// To invalidate from anywhere else, use [Cache.Invalidate].
func FromContext(ctx context.Context) *Control {
	if c, ok := ctx.Value(controlKey{}).(*Control); ok {
		return c
	}
	return new(Control)
}

// Tag adds tags to the entry that is being made. Values that come from outside
// go through [Escape] first, as they do in templates.
func (c *Control) Tag(tags ...string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, tag := range tags {
		// An answer that depends on something nameless can never be dropped
		// when it changes, so it is not kept.
		c.noStore = c.noStore || tag == ""
	}
	c.tags = append(c.tags, tags...)
}

// SetTTL sets how long the answer may be kept, instead of the rule's TTL. Less
// than a millisecond means: not at all. More than [MaxTTL] means MaxTTL.
func (c *Control) SetTTL(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ttl = min(d, MaxTTL)
	c.noStore = c.noStore || d < time.Millisecond
}

// NoStore keeps the answer from being stored or shared.
func (c *Control) NoStore() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.noStore = true
}

// Invalidate adds targets to what is invalidated when the handler has answered. In
// a write, that is in one step with the rule's own targets, before the first byte
// of the answer can reach the client, and not at all if its status is 4xx; in a
// read or a load, it is when that has ended, whatever the status.
//
// In a write the targets are on record when Invalidate returns ([Intender]): called
// before the change is committed, it makes sure that they are invalidated even if
// this process dies right after.
//
// A target that names nothing is left out and returned as an error that is
// [ErrTarget]. Where [Options.RefuseWrites] is set, [ErrUnrecorded] says that the
// change had better be rolled back; the targets are invalidated in any case.
func (c *Control) Invalidate(targets ...Target) error {
	good, bad := make([]Target, 0, len(targets)), error(nil)
	for _, t := range targets {
		if err := t.check(); err != nil {
			bad = err
			continue
		}
		good = append(good, t)
	}
	c.mu.Lock()
	c.targets = append(c.targets, good...)
	c.mu.Unlock()
	if c.join != nil {
		bad = errors.Join(bad, c.join(good))
	}
	return bad
}

// added returns the targets added so far, each once.
func (c *Control) added() []Target {
	c.mu.Lock()
	defer c.mu.Unlock()
	return owed.Distinct(c.targets, Target.outlasting)
}

// allTags returns tags and those that the handler has added, sorted, each once.
func (c *Control) allTags(tags []string) []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	tags = slices.Concat(tags, c.tags)
	slices.Sort(tags)
	return slices.Compact(tags)
}

// lifetime returns what the handler has set, 0 for nothing.
func (c *Control) lifetime() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ttl
}

// refuses reports whether the handler has said that the answer is not to be stored.
func (c *Control) refuses() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.noStore
}
