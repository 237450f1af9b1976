package redisstore

import (
	"cmp"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"strings"
	"time"
)

// Options says where Redis is and how to use it. The zero value is the Redis on
// 127.0.0.1:6379; each field has the name of the variable REDIS_CACHE_<NAME>
// that [FromEnv] reads.
type Options struct {
	// URL is redis://user:password@host:port/db, rediss:// with TLS, or
	// unix://user:password@/path?db=0. It wins over everything else that says
	// where Redis is or who asks: Host to DB, Sentinel and Cluster.
	URL string
	// Host and Port of a single server: 127.0.0.1 and 6379.
	Host string
	Port int
	// Username and Password to authenticate with, on every node. The user is
	// "default" where only the password is set.
	Username, Password string
	// DB is the number of the database.
	DB int
	// TLS encrypts connections; TLSConfig, which implies it, says how. It is
	// cloned. The server's name is checked against the host.
	TLS       bool
	TLSConfig *tls.Config
	// Sentinel is "master@host:port,host:port": the name of the master and the
	// addresses of sentinels, which are asked without user or password. After a
	// failover nothing is served or stored for some seconds, and invalidations are
	// refused, until every process must have turned to the new master.
	Sentinel string
	// Cluster is "host:port,host:port": addresses of some nodes. After a failover
	// the same holds for a second or two of what the new master keeps.
	Cluster string

	// Namespace keeps caches that share a database apart: letters, digits, '_',
	// '-' and '.'. Keys begin with it and a colon. None by default.
	Namespace string
	// MaxConnections to each node, 20 by default and at least 2. Calls share
	// two of them, or one if there are fewer than four; the rest are for what
	// needs a connection of its own. A call that finds none free waits.
	MaxConnections int
	// SocketTimeout bounds every call: 5 seconds by default. That is how long an
	// invalidation waits for Redis to take it.
	SocketTimeout time.Duration
	// LookupTimeout bounds everything but invalidations, so what a request waits
	// for a Redis that freezes before it goes to its handler: 500 milliseconds by
	// default, or the SocketTimeout if that is less. It is at most that.
	LookupTimeout time.Duration
	// ConnectTimeout bounds connecting, TLS and authentication included: 5
	// seconds by default.
	ConnectTimeout time.Duration
	// DisableRetryOnTimeout makes a call whose connection breaks fail at once.
	// Otherwise it is tried three times more within the socket timeout; all
	// calls of the store may safely be repeated.
	DisableRetryOnTimeout bool
	// DisableKeepAlive switches the keep-alive of TCP off.
	DisableKeepAlive bool
	// HealthCheckInterval is how long a connection may be silent before it is
	// checked by a PING: a second by default, never if negative. One that leads
	// nowhere any more, which nobody has said, is replaced after at most twice
	// that and the SocketTimeout; until then Redis cannot be reached by it.
	HealthCheckInterval time.Duration
	// AfterFailover says what becomes of entries when another server answers, or
	// one that has been restarted: it may have lost invalidations that were
	// acknowledged. "flush", the default, makes all of them misses. "replay" keeps
	// them through a failover: each process repeats what it has invalidated in the
	// last minute as soon as it finds the other server, within about a second.
	// Until then others may be served what is lost, and what a process that has
	// died has invalidated last is not repeated. "trust" keeps them, and is for a
	// Redis whose failovers and restarts lose nothing.
	AfterFailover string
	// WaitReplicas is how many replicas must have an invalidation, or the intent of
	// one, before it counts: 0 by default, the master alone. With fewer, Invalidate
	// waits for half the SocketTimeout and fails, and a freshet.Cache retries it;
	// putting an intent on record waits for half the LookupTimeout.
	WaitReplicas int
	// IntentDeadline is how late an invalidation can be whose process has died
	// before it could make it: 10 seconds by default, at least 1. It does not limit
	// writes: while one is under way, its intent is kept alive.
	IntentDeadline time.Duration
	// Logger is told when Redis cannot be reached: slog.Default by default.
	Logger *slog.Logger
}

// mode is a way to run Redis.
type mode string

const (
	modeStandalone mode = "standalone"
	modeSentinel   mode = "sentinel"
	modeCluster    mode = "cluster"
)

// settings are checked Options.
type settings struct {
	mode               mode
	network            string // "tcp" or "unix"
	addresses          []string
	master             string
	username, password string
	db                 int
	tls                *tls.Config
	namespace          string
	maxConnections     int
	socketTimeout      time.Duration
	lookupTimeout      time.Duration // at most socketTimeout
	connectTimeout     time.Duration
	healthCheck        time.Duration
	retry, keepAlive   bool
	fence              bool // not for AfterFailover: "trust"
	replay             bool
	waitReplicas       int
	intentDeadline     time.Duration
	log                *slog.Logger

	// Not for users, but smaller in tests: see invalidate.go.
	keyBansKept time.Duration
	mostBans    int
	doubtAfter  time.Duration // see doubt.go
	turnTime    time.Duration // see turn.go
}

// String names the store without secrets.
func (s *settings) String() string {
	where := strings.Join(s.addresses, ",")
	if s.mode == modeSentinel {
		where = s.master + "@" + where
	}
	text := "redis " + string(s.mode) + " " + where
	if s.mode != modeCluster {
		text += " db " + strconv.Itoa(s.db)
	}
	if s.namespace != "" {
		text += " namespace " + s.namespace
	}
	return text
}

// variables has the variable of every field.
var variables = map[string]string{
	"URL": "URL", "Host": "HOST", "Port": "PORT", "Username": "USERNAME", "Password": "PASSWORD", "DB": "DB",
	"TLS": "TLS", "Sentinel": "SENTINEL", "Cluster": "CLUSTER", "Namespace": "NAMESPACE",
	"MaxConnections": "MAX_CONNECTIONS", "SocketTimeout": "SOCKET_TIMEOUT", "LookupTimeout": "LOOKUP_TIMEOUT",
	"ConnectTimeout": "CONNECT_TIMEOUT",
	"RetryOnTimeout": "RETRY_ON_TIMEOUT", "KeepAlive": "KEEPALIVE", "HealthCheckInterval": "HEALTH_CHECK_INTERVAL",
	"AfterFailover": "AFTER_FAILOVER", "WaitReplicas": "WAIT_REPLICAS", "IntentDeadline": "INTENT_DEADLINE",
}

// defaultLookupTimeout is a thousand times what a healthy Redis takes, and about
// what a client notices.
const defaultLookupTimeout = 500 * time.Millisecond

const variablePrefix = "REDIS_CACHE_"

// bad returns the error of a field.
func bad(field, help string) error {
	return fmt.Errorf("freshet: redis: %s (%s%s) %s", field, variablePrefix, variables[field], help)
}

// settings checks o and fills in the defaults. The error tells all that is
// wrong.
func (o *Options) settings() (settings, error) {
	if o == nil {
		o = new(Options)
	}
	s := settings{
		network:        "tcp",
		username:       o.Username,
		password:       o.Password,
		db:             o.DB,
		namespace:      o.Namespace,
		maxConnections: cmp.Or(o.MaxConnections, 20),
		socketTimeout:  cmp.Or(o.SocketTimeout, 5*time.Second),
		connectTimeout: cmp.Or(o.ConnectTimeout, 5*time.Second),
		healthCheck:    cmp.Or(o.HealthCheckInterval, time.Second),
		retry:          !o.DisableRetryOnTimeout,
		keepAlive:      !o.DisableKeepAlive,
		fence:          o.AfterFailover != "trust",
		replay:         o.AfterFailover == "replay",
		waitReplicas:   o.WaitReplicas,
		intentDeadline: cmp.Or(o.IntentDeadline, 10*time.Second),
		log:            cmp.Or(o.Logger, slog.Default()),
		keyBansKept:    keyBansKept,
		mostBans:       mostBans,
		doubtAfter:     doubtAfter,
	}
	s.lookupTimeout = cmp.Or(o.LookupTimeout, min(defaultLookupTimeout, s.socketTimeout))
	if o.TLSConfig != nil {
		s.tls = o.TLSConfig.Clone()
	} else if o.TLS {
		s.tls = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	err := errors.Join(s.locate(o), s.check(), o.checkFailover())
	return s, err
}

// locate finds out where Redis is.
func (s *settings) locate(o *Options) error {
	var errs []error
	if o.Port < 0 || o.Port > 65535 {
		errs = append(errs, bad("Port", fmt.Sprintf("is %d: use 1 to 65535", o.Port)))
	}
	switch {
	case o.URL != "":
		errs = append(errs, s.parseURL(o.URL))
	case o.Sentinel != "" && o.Cluster != "", o.Host != "" && o.Sentinel+o.Cluster != "":
		errs = append(errs, bad("Host", "excludes Sentinel and Cluster, as they do each other: set one"))
	case o.Sentinel != "":
		s.mode, s.turnTime = modeSentinel, turnTime
		name, list, ok := strings.Cut(o.Sentinel, "@")
		if s.master = name; !ok || name == "" {
			errs = append(errs, bad("Sentinel", `names no master: use "master@host:port,host:port"`))
			break
		}
		errs = append(errs, s.nodes("Sentinel", list))
	case o.Cluster != "":
		s.mode, s.turnTime = modeCluster, clusterTurnTime
		errs = append(errs, s.nodes("Cluster", o.Cluster))
	default:
		s.mode = modeStandalone
		s.addresses = []string{net.JoinHostPort(cmp.Or(o.Host, "127.0.0.1"), strconv.Itoa(cmp.Or(o.Port, 6379)))}
	}
	return errors.Join(errs...)
}

// nodes parses a list of addresses.
func (s *settings) nodes(field, list string) error {
	for address := range strings.SplitSeq(list, ",") {
		address = strings.TrimSpace(address)
		host, port, err := net.SplitHostPort(address)
		if err != nil || host == "" || !isPort(port) {
			return bad(field, fmt.Sprintf(`has the address %q: use "host:port,host:port"`, address))
		}
		s.addresses = append(s.addresses, address)
	}
	return nil
}

func isPort(text string) bool {
	port, err := strconv.ParseUint(text, 10, 16)
	return err == nil && port > 0
}

// check looks at what does not depend on where Redis is.
func (s *settings) check() error {
	var errs []error
	refuse := func(when bool, field, help string) {
		if when {
			errs = append(errs, bad(field, help))
		}
	}
	refuse(s.db < 0, "DB", fmt.Sprintf("is %d: use 0 or more", s.db))
	refuse(s.db != 0 && s.mode == modeCluster, "DB", fmt.Sprintf("is %d: a Cluster has database 0 only", s.db))
	refuse(s.username != "" && s.password == "", "Password", "is missing for the Username")
	refuse(!isNamespace(s.namespace), "Namespace",
		fmt.Sprintf("is %q: use letters, digits, '_', '-' and '.', 64 at most", s.namespace))
	refuse(s.maxConnections < 2, "MaxConnections",
		fmt.Sprintf("is %d: use 2 or more, one for calls and one for wake-ups", s.maxConnections))
	refuse(s.waitReplicas < 0, "WaitReplicas", fmt.Sprintf("is %d: use 0 or more", s.waitReplicas))
	refuse(s.waitReplicas > 0 && s.maxConnections < 4, "WaitReplicas",
		fmt.Sprintf("needs connections of its own, and MaxConnections is %d: use 4 or more", s.maxConnections))
	refuse(s.socketTimeout < time.Millisecond, "SocketTimeout", fmt.Sprintf("is %v: use a millisecond or more", s.socketTimeout))
	refuse(s.intentDeadline < time.Second, "IntentDeadline", fmt.Sprintf("is %v: use a second or more", s.intentDeadline))
	refuse(s.lookupTimeout < time.Millisecond && s.socketTimeout >= time.Millisecond, "LookupTimeout",
		fmt.Sprintf("is %v: use a millisecond or more", s.lookupTimeout))
	refuse(s.lookupTimeout > s.socketTimeout, "LookupTimeout",
		fmt.Sprintf("is %v: use at most the SocketTimeout, %v", s.lookupTimeout, s.socketTimeout))
	refuse(s.connectTimeout < time.Millisecond, "ConnectTimeout", fmt.Sprintf("is %v: use a millisecond or more", s.connectTimeout))
	return errors.Join(errs...)
}

func (o *Options) checkFailover() error {
	switch o.AfterFailover {
	case "", "flush", "replay", "trust":
		return nil
	}
	return bad("AfterFailover", fmt.Sprintf("is %q: use flush, replay or trust", o.AfterFailover))
}

// isNamespace reports whether text can begin the keys: with neither a colon, at
// which it ends, nor anything that means something in a glob or a hash tag.
func isNamespace(text string) bool {
	for _, c := range []byte(text) {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '_', c == '-', c == '.':
		default:
			return false
		}
	}
	return len(text) <= 64
}
