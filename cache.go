package freshet

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/freshet-dev/freshet/internal/ahead"
	"github.com/freshet-dev/freshet/internal/audit"
	"github.com/freshet-dev/freshet/internal/background"
	"github.com/freshet-dev/freshet/internal/coding"
	"github.com/freshet-dev/freshet/internal/flight"
	"github.com/freshet-dev/freshet/internal/memo"
	"github.com/freshet-dev/freshet/internal/owed"
	"github.com/freshet-dev/freshet/internal/routes"
	"github.com/freshet-dev/freshet/internal/typeid"
)

// MaxTTL is the longest time that an entry may be kept: a year, as RFC 9111 and
// its predecessors have long advised for "never expires".
const MaxTTL = 365 * 24 * time.Hour

// Options are the settings of a [Cache]. The zero value is the default.
type Options struct {
	// Logger gets what an operator has to know: the store failing and working
	// again, and invalidations that are retried. Default: slog.Default().
	Logger *slog.Logger

	// Observe is called for every event, from the request's goroutine: it must
	// be quick and may run concurrently. Default: none.
	Observe func(Event)

	// Audit has some hits compared with what their handlers answer. Default: none.
	Audit Audit

	// Codings are the content codings that answers of text and the like, of a kibibyte
	// and more, are sent in to clients which want one: the first, where a client wants
	// several as much. The form in a coding is made once and is an entry beside the
	// answer's: what drops the one drops the other, and each is a variant of the key.
	// Its ETag is the answer's and the coding's name. Answers that are not stored are
	// sent as they are; the handlers of the others are asked for no coding. Default: none;
	// see [Zstd] and [Gzip].
	Codings []Coding

	// RefuseWrites answers a write with 503 and Retry-After, and does not run its
	// handler, when what it invalidates cannot be put on record ([Intender]): for
	// those to whom an entry that may outlive a change is worse than a change
	// that has to wait. [Cache.Update] then fails with [ErrUnrecorded]. Default:
	// the change is made, and if this process dies before it has told the store,
	// entries from before it live until their TTL. A store that is no Intender,
	// such as the one in process, refuses nothing.
	RefuseWrites bool

	// Disabled makes a cache that does nothing: every request reaches its
	// handler. It needs no store.
	Disabled bool
}

func (o *Options) logger() *slog.Logger { return cmp.Or(o.Logger, slog.Default()) }

// Cache answers requests from a store and keeps the store true. It is made by
// [New] or [Open]. All methods may run concurrently.
type Cache struct {
	options Options
	store   Store
	guard   *guard
	flights flight.Group[moment, *Entry]
	batches flight.Group[moment, *Entry] // of the loads while the store cannot be asked
	types   typeid.Names
	auditor *audit.Auditor // nil: no hit is audited
	memo    memo.Memo
	runs    background.Runs
	routes  routes.Table // the rules that answer reads
	ahead   *ahead.Ahead
	forms   coding.Forms[*Entry]
}

// New returns a cache on store, which it owns from now on. o may be nil; it is
// copied.
func New(store Store, o *Options) (*Cache, error) {
	c := new(Cache)
	if o != nil {
		c.options = *o
	}
	if c.options.Disabled {
		return c, nil
	}
	if store == nil {
		return nil, errors.New("freshet: New needs a store, unless Options.Disabled is set")
	}
	if err := coding.Check(c.options.Codings); err != nil {
		return nil, fmt.Errorf("freshet: Options.Codings: %w", err)
	}
	var err error
	if c.auditor, err = audit.New(c.options.Audit.Fraction, c.options.Audit.Grace); err != nil {
		return nil, err
	}
	c.store, c.ahead = store, ahead.New()
	c.guard = newGuard(store, c.options.logger(), c.observe)
	return c, nil
}

// Close makes one last attempt to deliver invalidations that the store has not
// taken yet, within ctx, and closes the store. Handlers that are still running
// must have finished before. The error says how many could not be. Only
// the first call does anything.
func (c *Cache) Close(ctx context.Context) error {
	if c.options.Disabled {
		return nil
	}
	c.auditor.Close()
	c.runs.Close()
	c.ahead.Close() // whose loads are runs
	return c.guard.close(ctx)
}

// Store returns the cache's store, nil if the cache is disabled.
func (c *Cache) Store() Store { return c.store }

// Invalidate makes everything that targets cover unservable, or stale
// ([Target.Softly]): once it has returned nil, no request that starts later, in any
// process on the same store, is answered from data loaded before, unless as stale. Call it after the change is committed.
// All targets go in one call, atomic where the store is one partition. The end
// of ctx does not stop it, only the store's own time limit does.
//
// On an error that is [ErrTarget] nothing has been done. On any other the
// invalidation is retried in the background until the store has taken it, and
// meanwhile this process does not serve what it covers.
func (c *Cache) Invalidate(ctx context.Context, targets ...Target) (Version, error) {
	if err := check(targets); err != nil {
		return 0, err
	}
	if c.options.Disabled {
		return 0, nil
	}
	return c.drop(ctx, "", nil, owed.Distinct(targets, Target.outlasting))
}

// drop invalidates targets, if any, which are known to be good and distinct, for a
// rule. It ends r, unless that is nil. A failure has been logged and is being
// retried.
func (c *Cache) drop(ctx context.Context, rule string, r *record, targets []Target) (Version, error) {
	if len(targets) == 0 {
		return 0, nil
	}
	start := time.Now()
	// A client that goes away must not take the invalidation with it.
	version, err := c.guard.Invalidate(context.WithoutCancel(ctx), r, targets)
	c.observe(Event{Kind: EventInvalidate, Rule: rule, Targets: targets, Elapsed: time.Since(start), Err: err})
	return version, err
}

// Handler wraps h by rule: reads are answered from the cache, writes invalidate.
// It works with any router; where the router is http.ServeMux, [Cache.Handle]
// knows the pattern and finds more mistakes. Like http.ServeMux.Handle, it
// panics when the registration is wrong; [Rule.Validate] tells beforehand.
//
// A read's handler runs under the values of its request's context but not under
// its end, since others may wait for the answer: the context has no deadline, and
// is cancelled when nobody waits any more.
func (c *Cache) Handler(rule Rule, h http.Handler) http.Handler {
	p, err := compile(rule, c.options.RefuseWrites)
	if err != nil {
		panic(err)
	}
	if h == nil {
		panic(fmt.Errorf("freshet: rule %q: nil handler", p.Name))
	}
	if c.options.Disabled {
		return h
	}
	c.routes.Add(&p.requests)
	return &route{cache: c, plan: p, next: h}
}

// Middleware is [Cache.Handler] in the form that routers chain. It panics when
// the rule is wrong.
func (c *Cache) Middleware(rule Rule) func(http.Handler) http.Handler {
	if _, err := compile(rule, c.options.RefuseWrites); err != nil {
		panic(err)
	}
	return func(h http.Handler) http.Handler { return c.Handler(rule, h) }
}

// Handle wraps h by rule and registers it on mux, an http.ServeMux or the like,
// under pattern. The error holds
// every misconfiguration of the rule, each a [RuleError]; nothing has been
// registered then. A pattern that mux itself refuses makes mux panic.
func (c *Cache) Handle(mux interface{ Handle(string, http.Handler) }, pattern string, rule Rule, h http.Handler) error {
	rule.Pattern = pattern
	if _, err := compile(rule, c.options.RefuseWrites); err != nil {
		return err
	}
	mux.Handle(pattern, c.Handler(rule, h))
	return nil
}
