package redisstore

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/freshet-dev/freshet"
	"github.com/freshet-dev/freshet/internal/env"
)

// FromEnv opens a store by the variables REDIS_CACHE_*, see [OptionsFromEnv]. It
// is a [freshet.Opener]. The error is [freshet.ErrNoRedis] when none of
// REDIS_CACHE_URL, HOST, SENTINEL and CLUSTER is set.
func FromEnv(ctx context.Context, log *slog.Logger) (freshet.Store, error) {
	if !configured(os.Getenv) {
		return nil, freshet.ErrNoRedis
	}
	o, err := OptionsFromEnv(os.Getenv)
	if err != nil {
		return nil, err
	}
	o.Logger = log
	s, err := New(ctx, o)
	if err != nil {
		return nil, err // not s, which would be a Store that is not nil
	}
	return s, nil
}

func configured(getenv func(string) string) bool {
	return getenv(variablePrefix+"URL")+getenv(variablePrefix+"HOST")+
		getenv(variablePrefix+"SENTINEL")+getenv(variablePrefix+"CLUSTER") != ""
}

// OptionsFromEnv reads the variables REDIS_CACHE_URL, HOST, PORT, USERNAME,
// PASSWORD, DB, TLS, SENTINEL, CLUSTER, NAMESPACE, MAX_CONNECTIONS,
// SOCKET_TIMEOUT, LOOKUP_TIMEOUT, CONNECT_TIMEOUT, RETRY_ON_TIMEOUT, KEEPALIVE,
// HEALTH_CHECK_INTERVAL and AFTER_FAILOVER. They mean what the fields of [Options] do; empty ones
// count as absent. Durations are "5s" or "0.5", which are seconds; switches
// true, yes, on and 1, or false, no, off and 0. The error names every variable
// that cannot be used.
func OptionsFromEnv(getenv func(string) string) (*Options, error) {
	e := environment{getenv: getenv}
	o := &Options{
		URL:                   e.text("URL"),
		Host:                  e.text("HOST"),
		Port:                  e.number("PORT"),
		Username:              e.text("USERNAME"),
		Password:              getenv(variablePrefix + "PASSWORD"),
		DB:                    e.number("DB"),
		TLS:                   e.flag("TLS", false),
		Sentinel:              e.text("SENTINEL"),
		Cluster:               e.text("CLUSTER"),
		Namespace:             e.text("NAMESPACE"),
		MaxConnections:        e.positive("MAX_CONNECTIONS"),
		SocketTimeout:         e.duration("SOCKET_TIMEOUT"),
		LookupTimeout:         e.duration("LOOKUP_TIMEOUT"),
		ConnectTimeout:        e.duration("CONNECT_TIMEOUT"),
		DisableRetryOnTimeout: !e.flag("RETRY_ON_TIMEOUT", true),
		DisableKeepAlive:      !e.flag("KEEPALIVE", true),
		HealthCheckInterval:   e.interval("HEALTH_CHECK_INTERVAL"),
		AfterFailover:         e.text("AFTER_FAILOVER"),
	}
	_, err := o.settings()
	if err := errors.Join(append(e.errs, err)...); err != nil {
		return nil, err
	}
	return o, nil
}

// environment reads variables and collects what is wrong with them.
type environment struct {
	getenv func(string) string
	errs   []error
}

func (e *environment) text(name string) string {
	return strings.TrimSpace(e.getenv(variablePrefix + name))
}

func (e *environment) bad(name, text, help string) {
	e.errs = append(e.errs, fmt.Errorf("freshet: %s%s is %q: use %s", variablePrefix, name, text, help))
}

func (e *environment) number(name string) int {
	text := e.text(name)
	if text == "" {
		return 0
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		e.bad(name, text, "a number")
	}
	return n
}

// positive is number for variables whose 0 is not the default.
func (e *environment) positive(name string) int {
	n := e.number(name)
	if n == 0 && e.text(name) == "0" {
		e.bad(name, "0", "a number above 0")
	}
	return n
}

func (e *environment) flag(name string, absent bool) bool {
	on, err := env.Flag(variablePrefix+name, e.text(name), absent)
	if err != nil {
		e.errs = append(e.errs, err)
	}
	return on
}

// duration returns a duration above 0, or 0 when the variable is absent.
func (e *environment) duration(name string) time.Duration {
	text := e.text(name)
	if text == "" {
		return 0
	}
	d, err := parseDuration(text)
	if err != nil || d <= 0 {
		e.bad(name, text, `a duration above 0, such as "5s", or seconds, such as "0.5"`)
		return 0
	}
	return d
}

// interval is duration for variables in which 0 means never.
func (e *environment) interval(name string) time.Duration {
	if d, err := parseDuration(e.text(name)); err == nil && d == 0 {
		return -1
	}
	return e.duration(name)
}

func parseDuration(text string) (time.Duration, error) {
	seconds, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return time.ParseDuration(text)
	}
	if math.IsNaN(seconds) || math.Abs(seconds) > 1e9 {
		return 0, errors.New("out of range")
	}
	return time.Duration(seconds * float64(time.Second)), nil
}
