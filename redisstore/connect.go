package redisstore

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strings"
	"sync/atomic"
	"time"

	"github.com/redis/rueidis"
)

// connect dials until it succeeds or the store is closed. The result of the
// first attempt goes to first: an error only if trying again cannot help.
func (s *Store) connect(first chan<- error) {
	for pause, attempt := newBackoff(), 0; s.life.Err() == nil; attempt++ {
		client, err := s.dial()
		if err == nil {
			err = s.permitted(client, attempt == 0)
		}
		if err == nil {
			s.client.Store(&client)
			s.tasks.Go(s.watch)
			if attempt > 0 {
				s.log.Info("freshet: connected to Redis", "store", s.String())
			}
			first <- nil
			return
		}
		if attempt == 0 {
			if err := s.settings.refused(err); err != nil {
				first <- err
				return
			}
			s.log.Warn("freshet: Redis cannot be reached; trying on in background", "store", s.String(), "error", err)
			first <- nil
			// Later results go nowhere.
			first = make(chan error, 1)
		}
		pause.wait(s.life)
	}
}

// permitted checks the rights of the user. At start a right that is missing is an
// error, and later one in the log.
func (s *Store) permitted(client rueidis.Client, first bool) error {
	ctx, cancel := context.WithTimeout(s.life, s.settings.connectTimeout)
	defer cancel()
	err := s.checkRights(ctx, client)
	switch {
	case err == nil:
		return nil
	case first:
		client.Close()
		return err
	}
	s.log.Error("freshet: the user has too few rights in Redis", "store", s.String(), "error", err)
	return nil
}

// dial makes a client, which dials at once.
func (s *Store) dial() (rueidis.Client, error) {
	client, err := rueidis.NewClient(s.settings.clientOption(s.life, s.layout.uses, s.silence))
	if err == nil && s.settings.mode == modeCluster && client.Mode() != rueidis.ClientModeCluster {
		err = errNotCluster
	}
	if err != nil {
		if client != nil {
			client.Close()
		}
		return nil, err
	}
	return client, nil
}

var errNotCluster = errors.New("this Redis is not part of a Cluster")

// refused returns an error that names the setting at fault, nil when err may
// pass by itself.
func (s *settings) refused(err error) error {
	if errors.Is(err, errNotCluster) {
		return bad("Cluster", "names a server without cluster mode: use Host for it")
	}
	if _, ok := rueidis.IsRedisErr(err); !ok && !lacksRight(err) {
		return nil
	}
	text := err.Error()
	is := func(part string) bool { return strings.Contains(strings.ToLower(text), part) }
	var name, help string
	switch {
	case is("noauth"):
		name, help = "Password", "is missing: this Redis wants one"
	case is("wrongpass"), is("invalid password"), is("without any password configured"):
		name, help = "Password", "is refused for this user, if the Username is right"
	case is("noperm"):
		name, help = "Username", "has too few rights"
	case is("db index"):
		name, help = "DB", fmt.Sprintf("is %d, which this Redis does not have", s.db)
	case is("select is not allowed"):
		name, help = "DB", "cannot be chosen in a Cluster: set Cluster instead of Host"
	default:
		return nil
	}
	return fmt.Errorf("%w (%s)", bad(name, help), text)
}

// clientOption translates the settings for the client.
//
// Its background PING serves as the health check: it is sent on connections that
// have had no answer for Dialer.KeepAlive, and closes those on which none comes
// within ConnWriteTimeout. TCP's own keep-alive, which the client would derive
// from the same field, is set apart from it when dialling.
func (s *settings) clientOption(life context.Context, uses *atomic.Uint64, quiet *silence) rueidis.ClientOption {
	shared, log2 := s.sharedConnections()
	option := rueidis.ClientOption{
		InitAddress:       s.addresses,
		Username:          s.username,
		Password:          s.password,
		SelectDB:          s.db,
		ClientName:        "freshet",
		TLSConfig:         s.tls,
		Dialer:            net.Dialer{Timeout: s.connectTimeout, KeepAlive: s.healthCheck},
		DialCtxFn:         s.dialer(life, uses, quiet),
		ConnWriteTimeout:  s.socketTimeout,
		PipelineMultiplex: log2,
		BlockingPoolSize:  s.maxConnections - shared,
		DisableRetry:      !s.retry,
		RetryDelay:        retryDelay,
		DisableCache:      true,
		ForceSingleClient: s.mode == modeStandalone,
	}
	switch s.mode {
	case modeSentinel:
		option.Sentinel = rueidis.SentinelOption{
			MasterSet: s.master, Dialer: option.Dialer, TLSConfig: s.tls, TopologyRefreshInterval: refreshEvery,
		}
	case modeCluster:
		// Redirections tell of most changes at once. They do not come from a node
		// that is frozen and has been replaced: to the client its calls have been
		// given up by their callers, which is no reason to look for another.
		option.ClusterOption.ShardsRefreshInterval = time.Second
	}
	return option
}

// sharedConnections returns over how many connections to a node all calls are
// pipelined, and its logarithm in the form that the client takes. The rest are
// for the wake-ups of leases and for blocking commands of the direct client.
//
// Measured with hits of 4 KiB on two cores: a second connection is as good as
// one for a single caller and for many, and a quarter faster for two to eight. A
// pause before flushing, which the client offers, saves a fifth of the time with
// 64 callers but takes two to four times as long with two to eight: there is
// none.
func (s *settings) sharedConnections() (n, log2 int) {
	if s.maxConnections < 4 {
		return 1, -1
	}
	return 2, 1
}

// dialer returns the function that opens connections, which gives up when life
// ends. Their first uses are counted in uses, unless failovers are trusted: then
// it stays 0, and the fence never has anything to ask.
func (s *settings) dialer(life context.Context, uses *atomic.Uint64, quiet *silence) func(context.Context, string, *net.Dialer, *tls.Config) (net.Conn, error) {
	keepAlive := 15 * time.Second
	if !s.keepAlive {
		keepAlive = -1
	}
	d := net.Dialer{Timeout: s.connectTimeout, KeepAlive: keepAlive}
	network := s.network
	return func(ctx context.Context, address string, _ *net.Dialer, secure *tls.Config) (net.Conn, error) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		defer context.AfterFunc(life, cancel)()
		dial := d.DialContext
		if secure != nil {
			dial = (&tls.Dialer{NetDialer: &d, Config: secure}).DialContext
		}
		conn, err := dial(ctx, network, address)
		if err != nil {
			return nil, err
		}
		conn = &timedConn{Conn: conn, silence: quiet}
		if s.fence {
			conn = &countedConn{Conn: conn, uses: uses}
		}
		return conn, nil
	}
}

// retryDelay is asked before a call is tried again, after a broken connection or
// while Redis loads its data. A server that is down should fail calls soon, and
// not after as many attempts as the time limit allows; and a slot that moves is
// dealt with in other ways, see moving.go.
func retryDelay(attempts int, _ rueidis.Completed, err error) time.Duration {
	if attempts > 3 || moving(err) {
		return -1
	}
	pause := 2 * time.Millisecond << attempts
	return pause/2 + rand.N(pause/2)
}

// backoff is the pause before the next attempt, twice as long each time.
type backoff struct{ pause time.Duration }

func newBackoff() *backoff { return &backoff{firstPause} }

// wait lets the pause pass, at most until ctx ends. Its length is random within
// a factor of two, so that many processes do not come back at once.
func (b *backoff) wait(ctx context.Context) {
	t := time.NewTimer(b.pause/2 + rand.N(b.pause/2))
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
	b.pause = min(2*b.pause, longestPause)
}
