package redisstore

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/rueidis"

	"github.com/freshet-dev/freshet"
)

// ErrUnavailable is wrapped by the errors of a store that has not been able to
// connect yet. It keeps trying in the background.
var ErrUnavailable = errors.New("freshet: Redis is unavailable")

// Store keeps entries in Redis. It implements [freshet.Store], [freshet.Leaser]
// and [freshet.Intender]; all methods but Close may be called concurrently.
//
// No call takes longer than the socket timeout, give or take a tenth of it,
// whatever its context says. A context without a deadline that is cancelled
// while the store waits for Redis has no effect until then: see within.
type Store struct {
	settings settings
	layout   layout
	log      *slog.Logger

	client atomic.Pointer[rueidis.Client] // nil until connected
	limit  atomic.Pointer[limit]
	wakes  hub
	sweeps sweeper
	// silence is what makes answers doubtful: see doubt.go.
	silence *silence
	journal journal // for AfterFailover: "replay"
	// intents are the writes that are under way in this process.
	intents keeper

	life  context.Context // ends with Close
	end   context.CancelFunc
	tasks sync.WaitGroup
}

var (
	_ freshet.Store    = (*Store)(nil)
	_ freshet.Leaser   = (*Store)(nil)
	_ freshet.Intender = (*Store)(nil)
)

// New opens a store. It tries to connect once, for at most the connect timeout
// or until ctx ends. A Redis that cannot be reached is no error: the store goes
// on trying in the background, and its methods return [ErrUnavailable]
// meanwhile. A Redis that refuses the user, the password or the database is,
// and so is every setting that cannot be used; the error names the setting.
func New(ctx context.Context, o *Options) (*Store, error) {
	settings, err := o.settings()
	if err != nil {
		return nil, err
	}
	return start(ctx, settings)
}

// start opens a store with checked settings.
func start(ctx context.Context, settings settings) (*Store, error) {
	s := &Store{settings: settings, log: settings.log, layout: newLayout(settings.namespace, settings.mode == modeCluster),
		silence: newSilence(settings.doubtAfter)}
	s.life, s.end = context.WithCancel(context.Background())
	s.wakes.init(s)
	s.sweeps.init(s)
	s.intents.init(s)
	s.layout.birth.deadline = settings.intentDeadline
	first := make(chan error, 1)
	s.tasks.Go(func() { s.connect(first) })
	var err error
	select {
	case err = <-first:
	case <-ctx.Done():
		err = fmt.Errorf("freshet: connecting to Redis: %w", ctx.Err())
	}
	if err != nil {
		_ = s.Close()
		return nil, err
	}
	return s, nil
}

// Close ends the store's goroutines and connections. Leases that it holds are
// no longer kept alive, and its intents fall due. Closing twice does nothing.
func (s *Store) Close() error {
	s.end()
	// Before the tasks have ended, because one may wait for a free connection;
	// and after, because one may have just connected.
	s.disconnect()
	s.tasks.Wait()
	s.disconnect()
	if l := s.limit.Swap(nil); l != nil {
		l.end()
	}
	return nil
}

func (s *Store) disconnect() {
	if c := s.client.Swap(nil); c != nil {
		(*c).Close()
	}
}

// String says where the entries are kept, without secrets: "redis standalone
// 127.0.0.1:6379 db 0".
func (s *Store) String() string { return s.settings.String() }

// Client returns the client that the store itself uses, for everything that a
// cache does not do. Its keys share the database with the cache's: those with a
// '#' and, in a namespace, those that begin with its name are the store's own.
// The error is [ErrUnavailable] while there is no connection. The client is
// closed with the store.
func (s *Store) Client() (rueidis.Client, error) {
	if c := s.client.Load(); c != nil {
		return *c, nil
	}
	return nil, ErrUnavailable
}

// Client returns the Redis client of a store. The error is [freshet.ErrNoRedis]
// when s is not a *Store, and that of [Store.Client] otherwise.
func Client(s freshet.Store) (rueidis.Client, error) {
	if s, ok := s.(*Store); ok {
		return s.Client()
	}
	return nil, freshet.ErrNoRedis
}

// limit is a deadline shared by all calls that begin within a tenth of the
// socket timeout.
type limit struct {
	context.Context
	end   context.CancelFunc
	renew time.Time
}

// within returns the context for a call on behalf of ctx: ctx itself when it
// ends soon enough, and otherwise one that ends after nine to ten tenths of the
// socket timeout and does not follow ctx.
//
// A context of its own for each call would cost five allocations; and one that
// can be cancelled but has no deadline, as those of HTTP requests are, makes
// the client give up writing and reading on the caller's own goroutine for good,
// which is by far the cheapest way for a single caller. Nothing is gained by
// leaving a healthy Redis half a millisecond early.
func (s *Store) within(ctx context.Context) (context.Context, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	now := time.Now()
	l := s.limit.Load()
	if l == nil || now.After(l.renew) {
		timeout := s.settings.socketTimeout
		fresh := &limit{renew: now.Add(timeout / 10)}
		// Of two that renew at once one replaces the other's. Either is good,
		// and a limit that nobody uses any more ends by itself.
		fresh.Context, fresh.end = context.WithTimeout(s.life, timeout)
		s.limit.Store(fresh)
		l = fresh
	}
	own, ok := ctx.Deadline()
	if shared, _ := l.Deadline(); ok && own.Before(shared) {
		return ctx, nil
	}
	return l, nil
}

// begin returns what a call needs: the client and the context.
func (s *Store) begin(ctx context.Context) (context.Context, rueidis.Client, error) {
	bounded, err := s.within(ctx)
	if err != nil {
		return nil, nil, err
	}
	client, err := s.Client()
	return bounded, client, err
}

// failed names the step that err stopped.
func failed(step string, err error) error {
	return fmt.Errorf("freshet: redis: %s: %w", step, err)
}
