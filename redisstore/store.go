package redisstore

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"

	"github.com/redis/rueidis"

	"github.com/freshet-dev/freshet"
)

// ErrUnavailable is wrapped by the errors of a store that has not been able to
// connect yet. It keeps trying in the background.
var ErrUnavailable = errors.New("freshet: Redis is unavailable")

// Store keeps entries in Redis. It implements [freshet.Store], [freshet.Leaser]
// and [freshet.Intender]; all methods but Close may be called concurrently.
//
// No Invalidate takes longer than the socket timeout and no other call longer than
// the lookup timeout, give or take a tenth of it, whatever their contexts say. A
// context without a deadline that is cancelled while the store waits for Redis has
// no effect until then: see within.
type Store struct {
	settings settings
	layout   layout
	log      *slog.Logger

	client atomic.Pointer[rueidis.Client] // nil until connected
	brief  limits                         // of what a request waits for
	ample  limits                         // of invalidations, and of work in background
	absent absences
	wakes  hub
	sweeps sweeper
	// silence is what makes answers doubtful: see doubt.go.
	silence *silence
	journal journal // for AfterFailover: "replay"
	// intents are the writes that are under way in this process.
	intents  keeper
	carrying atomic.Bool // what is due is being carried out

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
	s.brief.init(s.life, settings.lookupTimeout)
	s.ample.init(s.life, settings.socketTimeout)
	s.absent.store = s
	s.wakes.init(s)
	s.sweeps.init(s)
	s.intents.init(s)
	s.layout.birth.deadline = settings.intentDeadline
	if settings.fence {
		s.layout.birth.turn = settings.turnTime
	}
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
	s.brief.close()
	s.ample.close()
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

// begin returns what a call needs that a request waits for: the client, and a
// context that ends with the lookup timeout.
func (s *Store) begin(ctx context.Context) (context.Context, rueidis.Client, error) {
	return s.beginIn(ctx, &s.brief)
}

// beginAmple is begin for invalidations, which are worth waiting for, and for what
// nobody waits for. They have the socket timeout.
func (s *Store) beginAmple(ctx context.Context) (context.Context, rueidis.Client, error) {
	return s.beginIn(ctx, &s.ample)
}

func (s *Store) beginIn(ctx context.Context, l *limits) (context.Context, rueidis.Client, error) {
	bounded, err := l.within(ctx)
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
