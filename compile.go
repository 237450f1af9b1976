package freshet

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/freshet-dev/freshet/internal/resolve"
	"github.com/freshet-dev/freshet/internal/rfc9111"
)

// plan is a rule made ready: templates parsed, defaults filled in, everything
// checked. It does not change once compiled.
type plan struct {
	Rule
	requests resolve.Plan
	policy   rfc9111.Policy
}

// maxBody is the largest MaxBody: what an envelope is trusted to unpack to.
const maxBody = 64 << 20

// compiler collects every problem of a rule, so that one run shows them all.
type compiler struct {
	plan
	problems []error
}

// compile makes r ready for a cache that refuses writes ([Options.RefuseWrites]),
// or does not.
func compile(r Rule, refuses bool) (*plan, error) {
	c := &compiler{plan: plan{Rule: r}}
	c.Name = cmp.Or(r.Name, r.Pattern, r.Key)
	c.limits()
	c.refreshAhead()
	slices.SortStableFunc(c.problems, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	c.requests = resolve.Compile(resolve.Rule{
		Pattern: r.Pattern, Key: r.Key, GroupPrefix: r.GroupPrefix, Tags: r.Tags,
		Invalidate: r.Invalidate, InvalidateMatch: r.InvalidateMatch, InvalidateTags: r.InvalidateTags,
		Query: r.Query, IgnoreQuery: r.IgnoreQuery, VaryHeaders: r.VaryHeaders,
		Lifetime: uint8(c.Lifetime), TTL: c.TTL, ErrorTTL: c.ErrorTTL, Shared: r.Shared, Caller: r.Caller, Params: r.Params,
	}, func(field string, err error) { c.fail(field, "%w", err) })
	c.writes(refuses)
	c.policy = rfc9111.Policy{
		Lifetime: rfc9111.Lifetime(c.Lifetime), TTL: c.TTL, ErrorTTL: c.ErrorTTL, Jitter: c.Jitter,
		StaleWhileRevalidate: c.StaleWhileRevalidate, StaleIfError: c.StaleIfError, IgnoreClient: c.IgnoreClient,
	}
	if len(c.problems) > 0 {
		return nil, errors.Join(c.problems...)
	}
	return &c.plan, nil
}

func (c *compiler) fail(field, format string, args ...any) {
	c.problems = append(c.problems, &RuleError{c.Name, field, fmt.Errorf(format, args...)})
}

func (c *compiler) limits() {
	for field, d := range map[string]*time.Duration{
		"TTL": &c.TTL, "ErrorTTL": &c.ErrorTTL, "StaleWhileRevalidate": &c.StaleWhileRevalidate,
		"StaleIfError": &c.StaleIfError, "SoftTimeout": &c.SoftTimeout, "HardTimeout": &c.HardTimeout,
	} {
		if *d != 0 && (*d < time.Millisecond || *d > MaxTTL) {
			c.fail(field, "%v is out of range: use a millisecond to %v, or 0 for the default", *d, MaxTTL)
		}
	}
	c.TTL, c.MaxBody = cmp.Or(c.TTL, DefaultTTL), cmp.Or(c.MaxBody, DefaultMaxBody)
	if c.MaxBody < 0 || c.MaxBody > maxBody {
		c.fail("MaxBody", "%d is out of range: use 1 to %d bytes, or 0 for the default of %d", c.MaxBody, maxBody, DefaultMaxBody)
	}
	if c.Lifetime > LifetimeRule {
		c.fail("Lifetime", "%d is none of the sources of lifetimes", c.Lifetime)
	}
	if !(c.Jitter >= 0 && c.Jitter < 1) { // so that NaN is refused
		c.fail("Jitter", "%v is out of range: use 0 to less than 1", c.Jitter)
	}
	if c.HardTimeout > 0 && c.SoftTimeout >= c.HardTimeout {
		c.fail("SoftTimeout", "%v is not less than the HardTimeout of %v: it would never end the wait", c.SoftTimeout, c.HardTimeout)
	}
}

// writes checks what is said about writes alone.
func (c *compiler) writes(refuses bool) {
	reads := !c.requests.Route.Writes()
	switch {
	case c.FenceFor < 0 || c.FenceFor > MaxFence:
		c.fail("FenceFor", "%v is out of range: use 0 to %v", c.FenceFor, MaxFence)
	case c.FenceFor > 0 && reads:
		c.fail("FenceFor", "%w", ErrReadInvalidates)
	}
	switch {
	case c.NoIntent && reads:
		c.fail("NoIntent", "%w", ErrReadInvalidates)
	case c.NoIntent && refuses:
		c.fail("NoIntent", "Options.RefuseWrites asks for every write to be on record: take one of them back")
	}
}
