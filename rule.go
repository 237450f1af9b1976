package freshet

import (
	"fmt"
	"net/http"
	"time"

	"github.com/freshet-dev/freshet/internal/resolve"
)

// Defaults of a [Rule].
const (
	DefaultTTL     = time.Hour
	DefaultMaxBody = 1 << 20
)

// Rule says how one route is cached and what its writes invalidate. Templates
// are written as docs/keys.md has them: "{username}_posts:page_{page:int=1}".
// Only Key is required.
type Rule struct {
	// Name stands for the rule in errors, logs and events. Default: Pattern,
	// or else Key.
	Name string

	// Pattern is the route's pattern as http.ServeMux writes it, for example
	// "GET /posts/{post_id}". [Cache.Handle] fills it in; with another router
	// set it by hand: it lets {} be resolved, misspelt placeholders be found at
	// registration, and writes, of this rule and of others, find what this one has
	// stored of a URI.
	Pattern string

	// Key is the template of the entry's key. {} is the route's only wildcard,
	// or the one named id, or the only one whose name ends in id. A request
	// whose values do not resolve it bypasses the cache.
	Key string

	// TTL is how long an answer is kept, a millisecond at least. Default: one
	// hour. The handler can set another for its answer ([Control.SetTTL]).
	TTL time.Duration

	// ErrorTTL takes the place of TTL for statuses from 400 on: for 404 and 410, and for
	// others that say themselves how long they are fresh. Default: they are not stored,
	// or, with LifetimeAnswer and LifetimeHeuristic, as they say themselves.
	ErrorTTL time.Duration

	// Lifetime says how TTL and what the answer itself says of its lifetime go
	// together. Default: [LifetimeShorter].
	Lifetime Lifetime

	// Jitter shortens lifetimes that come from TTL at random by up to this fraction,
	// so that what was stored together does not expire together. Default: 0; less
	// than 1.
	Jitter float64

	// StaleWhileRevalidate is how long past its lifetime an answer is served while
	// it is loaded again in the background, and StaleIfError how long instead of an
	// error of the handler (RFC 5861), where the answer says neither itself. Not of
	// an answer that forbids it (must-revalidate, proxy-revalidate, no-cache, and
	// s-maxage: RFC 9111, section 4.2.4). Default: not at all.
	StaleWhileRevalidate, StaleIfError time.Duration

	// SoftTimeout is how long a request waits for the handler while there is a stale
	// answer that StaleIfError allows; then it gets that. HardTimeout is how long it
	// waits at all; then it gets 504. The handler goes on in both cases, and its
	// answer is stored. Default: no limit.
	SoftTimeout, HardTimeout time.Duration

	// EarlyRefresh loads an answer again before its lifetime ends, in the background
	// of a hit, the more likely the less time is left compared to how long its load
	// took (XFetch: Vattani, Chierichetti and Lowenstein, VLDB 2015).
	EarlyRefresh bool

	// RefreshAhead loads an answer again this long before its lifetime ends, provided
	// that somebody has asked for it since its last load. Default: not at all; less
	// than TTL.
	RefreshAhead time.Duration

	// IgnoreClient disregards Cache-Control and Pragma in requests, so that clients
	// cannot have answers loaded again that are fresh. Default: they are obeyed.
	IgnoreClient bool

	// GroupPrefix is the template of what is put before the groups that answers name
	// in Cache-Groups and Cache-Group-Invalidation (RFC 9875): with it they are tags of
	// the entry, or are invalidated. Rules for several origins need one that tells
	// these apart. Default: nothing, a group is the tag of its name.
	GroupPrefix string

	// Tags are templates of the tags that each entry carries.
	Tags []string

	// Invalidate, InvalidateMatch and InvalidateTags are templates of the keys,
	// patterns and tags that a write drops besides its own key, what rules with a
	// Pattern have stored of its URI, and of those that its answer names (RFC 9111,
	// section 4.4). Where a read's key is the same template as the write's, the
	// write's is what counts: one with {caller} drops the writer's entry. A placeholder
	// whose value the request lacks matches anything: dropping too much costs a
	// miss, dropping too little a stale answer.
	Invalidate      []string
	InvalidateMatch []string
	InvalidateTags  []string

	// FenceFor fences everything that a write of this rule invalidates, for reads
	// from replicas of the database which lag behind by up to this long: see
	// [Target.FenceFor]. Default: no fence; at most [MaxFence].
	FenceFor time.Duration

	// NoIntent runs writes without putting on record beforehand what they are to
	// invalidate ([Intender]). It saves a call to the store per write. A process
	// that dies between the change and the invalidation then leaves entries from
	// before the change, until their TTL. It excludes Options.RefuseWrites.
	NoIntent bool

	// Query names the query parameters, beside those with a default, that the
	// templates take values from. It is only read where Pattern is known, to
	// tell a parameter from a misspelling.
	Query []string

	// IgnoreQuery names query parameters that do not change the answer, such as
	// "utm_source"; "*" is all that the key does not name. Every other unnamed
	// parameter makes a variant of the entry.
	IgnoreQuery []string

	// VaryHeaders names the request headers that change the answer. Each
	// combination of their values is a variant. Those that an answer names in Vary, 16
	// at most, need not be listed: they are learnt from it, with one more look-up.
	VaryHeaders []string

	// Caller returns what tells one caller from another, such as the user's id
	// that the authentication in front of the cache has found; empty for an
	// anonymous request. Answers are then never shared between callers. It may
	// become part of a key, so a secret must be hashed first: [CallerByHeader].
	Caller func(*http.Request) string

	// Shared declares that answers are the same for everybody, though requests
	// carry credentials (Authorization or cookies). Without it, and without
	// Caller, only answers that say themselves that they may be shared are.
	Shared bool

	// MaxBody is the largest body stored, in bytes, and the largest content of a
	// QUERY (RFC 10008) that is told from others. A larger answer, and the answer to
	// a larger question, streams through. Default: 1 MiB.
	MaxBody int64

	// Params returns path parameters for routers that do not fill in
	// http.Request.PathValue. It is asked before the query, so that a query
	// parameter of the same name cannot stand in for a part of the path. When a write
	// looks for what is stored of a URI, r is a GET of that under the write's context.
	//
	// Such routers use what they keep in the context again. So where Params is set, a
	// handler that goes on after its request has been answered (SoftTimeout,
	// HardTimeout, StaleWhileRevalidate, EarlyRefresh) keeps that request from ending.
	Params func(r *http.Request, name string) (value string, ok bool)

	// ParamsLast says that what Params and the handler find out about a request is
	// still good when that has been answered. Without it, where there are Params, a
	// refresh behind a request ends before the request does: routers such as chi use
	// what they keep in a request's context again.
	ParamsLast bool
}

// Lifetime says where the lifetime of an answer comes from. Whatever it is, an answer
// that says private or no-store, or sets a cookie, is not stored.
type Lifetime uint8

// The sources of lifetimes. The answer's own is the first that it has of a targeted
// field (RFC 9213: Freshet-Cache-Control, CDN-Cache-Control), s-maxage, max-age and
// Expires.
const (
	LifetimeShorter   Lifetime = iota // the answer's own, but TTL at most; TTL if it has none
	LifetimeAnswer                    // the answer's own; without one it is not stored
	LifetimeHeuristic                 // the answer's own; without one, a tenth of the time since Last-Modified, TTL at most
	LifetimeRule                      // TTL, though the answer says otherwise or no-cache
)

// CallerByHeader returns a [Rule.Caller] that tells callers apart by a request
// header such as Authorization, by a digest of it: keys never hold the secret.
func CallerByHeader(name string) func(*http.Request) string { return resolve.CallerByHeader(name) }

// ErrReadInvalidates is wrapped by the error of a rule that gives invalidation
// lists, or what else only a write can use, to a route that only reads.
var ErrReadInvalidates = resolve.ErrReadInvalidates

// RuleError is a misconfiguration of one field of a rule.
type RuleError struct {
	Rule  string // the rule's name
	Field string // the field, as it is spelt in Rule
	Err   error  // what is wrong and what to do
}

// Error names the rule and the field.
func (e *RuleError) Error() string {
	return fmt.Sprintf("freshet: rule %q: %s: %v", e.Rule, e.Field, e.Err)
}

// Unwrap returns what is wrong.
func (e *RuleError) Unwrap() error { return e.Err }

// Validate reports everything that is wrong with the rule as [RuleError]s joined
// in one error, and nil when it can be registered.
func (r Rule) Validate() error {
	_, err := compile(r, false)
	return err
}
