package redisstore_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/freshet-dev/freshet"
	"github.com/freshet-dev/freshet/internal/redistest"
	"github.com/freshet-dev/freshet/redisstore"
)

// env returns a getenv of pairs such as "HOST=redis".
func env(pairs ...string) func(string) string {
	return func(name string) string {
		for _, pair := range pairs {
			if key, value, _ := strings.Cut(pair, "="); "REDIS_CACHE_"+key == name {
				return value
			}
		}
		return ""
	}
}

func TestOptionsFromEnv(t *testing.T) {
	got, err := redisstore.OptionsFromEnv(env("HOST= redis ", "PORT=6380", "USERNAME=app", "PASSWORD= pass ", "DB=3",
		"TLS=yes", "NAMESPACE=shop", "MAX_CONNECTIONS=8", "SOCKET_TIMEOUT=0.5", "CONNECT_TIMEOUT=2s",
		"RETRY_ON_TIMEOUT=False", "KEEPALIVE=off", "HEALTH_CHECK_INTERVAL=0",
		"AFTER_FAILOVER=trust", "WAIT_REPLICAS=2"))
	if err != nil {
		t.Fatal(err)
	}
	want := &redisstore.Options{
		Host: "redis", Port: 6380, Username: "app", Password: " pass ", DB: 3, TLS: true, Namespace: "shop",
		MaxConnections: 8, SocketTimeout: 500 * time.Millisecond, ConnectTimeout: 2 * time.Second,
		DisableRetryOnTimeout: true, DisableKeepAlive: true, HealthCheckInterval: -1,
		AfterFailover: "trust", WaitReplicas: 2,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("options (-want +got):\n%s", diff)
	}
	if got, err = redisstore.OptionsFromEnv(env()); err != nil || !cmp.Equal(got, &redisstore.Options{}) {
		t.Errorf("options of nothing: %+v, %v", got, err)
	}
}

func TestBadSettings(t *testing.T) {
	tests := []struct {
		name string
		env  []string
		want []string // variables that the error names
	}{
		{"port", []string{"HOST=h", "PORT=http"}, []string{"PORT"}},
		{"port out of range", []string{"HOST=h", "PORT=65536"}, []string{"PORT"}},
		{"database", []string{"HOST=h", "DB=one"}, []string{"DB"}},
		{"negative database", []string{"HOST=h", "DB=-1"}, []string{"DB"}},
		{"switches", []string{"TLS=maybe", "KEEPALIVE=2", "RETRY_ON_TIMEOUT=si"}, []string{"TLS", "KEEPALIVE", "RETRY_ON_TIMEOUT"}},
		{"durations", []string{"SOCKET_TIMEOUT=soon", "CONNECT_TIMEOUT=-1", "HEALTH_CHECK_INTERVAL=-5s"},
			[]string{"SOCKET_TIMEOUT", "CONNECT_TIMEOUT", "HEALTH_CHECK_INTERVAL"}},
		{"no time", []string{"SOCKET_TIMEOUT=0", "CONNECT_TIMEOUT=1us"}, []string{"SOCKET_TIMEOUT", "CONNECT_TIMEOUT"}},
		{"endless", []string{"SOCKET_TIMEOUT=NaN", "CONNECT_TIMEOUT=1e300"}, []string{"SOCKET_TIMEOUT", "CONNECT_TIMEOUT"}},
		{"no connections", []string{"MAX_CONNECTIONS=0"}, []string{"MAX_CONNECTIONS"}},
		{"one connection", []string{"MAX_CONNECTIONS=1"}, []string{"MAX_CONNECTIONS"}},
		{"after failover", []string{"HOST=h", "AFTER_FAILOVER=hope"}, []string{"AFTER_FAILOVER"}},
		{"replicas", []string{"WAIT_REPLICAS=-1"}, []string{"WAIT_REPLICAS"}},
		{"replicas without connections", []string{"WAIT_REPLICAS=1", "MAX_CONNECTIONS=3"}, []string{"WAIT_REPLICAS"}},
		{"namespace", []string{"NAMESPACE=a:b"}, []string{"NAMESPACE"}},
		{"namespace as a glob", []string{"NAMESPACE=*"}, []string{"NAMESPACE"}},
		{"user alone", []string{"USERNAME=app"}, []string{"PASSWORD"}},
		{"sentinel without name", []string{"SENTINEL=h:1"}, []string{"SENTINEL"}},
		{"sentinel without port", []string{"SENTINEL=main@h"}, []string{"SENTINEL"}},
		{"cluster address", []string{"CLUSTER=h:1,h:x"}, []string{"CLUSTER"}},
		{"database of a cluster", []string{"CLUSTER=h:1", "DB=1"}, []string{"DB"}},
		{"two places", []string{"HOST=h", "CLUSTER=h:1"}, []string{"HOST"}},
		{"two more places", []string{"SENTINEL=main@h:1", "CLUSTER=h:1"}, []string{"HOST"}},
		{"scheme", []string{"URL=http://hush@h"}, []string{"URL"}},
		{"password as scheme", []string{"URL=hush"}, []string{"URL"}},
		{"unreadable", []string{"URL=redis://u:hush%zz@h"}, []string{"URL"}},
		{"URL database", []string{"URL=redis://:hush@h/x"}, []string{"URL"}},
		{"URL port", []string{"URL=redis://:hush@h:0"}, []string{"URL"}},
		{"URL parameter", []string{"URL=redis://:hush@h?ssl_cert_reqs=none"}, []string{"URL"}},
		{"URL socket", []string{"URL=unix://hush@"}, []string{"URL"}},
		{"all at once", []string{"HOST=h", "PORT=x", "DB=y", "NAMESPACE=#", "MAX_CONNECTIONS=-1"},
			[]string{"PORT", "DB", "NAMESPACE", "MAX_CONNECTIONS"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := redisstore.OptionsFromEnv(env(tt.env...))
			if err == nil {
				t.Fatal("no error")
			}
			for _, name := range tt.want {
				if !strings.Contains(err.Error(), "REDIS_CACHE_"+name) {
					t.Errorf("error %q does not name %s", err, name)
				}
			}
			if strings.Contains(err.Error(), "hush") {
				t.Errorf("error %q has a secret", err)
			}
			if lines := strings.Split(err.Error(), "\n"); len(lines) != len(tt.want) || slices.ContainsFunc(lines, func(l string) bool {
				return !strings.HasPrefix(l, "freshet: ")
			}) {
				t.Errorf("error %q, want %d lines", err, len(tt.want))
			}
		})
	}
}

func TestString(t *testing.T) {
	tests := []struct {
		options redisstore.Options
		want    string
	}{
		{redisstore.Options{Host: "::1"}, "redis standalone [::1]:6379 db 0"},
		{redisstore.Options{URL: "redis://user:hush@localhost:1/7", Host: "ignored"}, "redis standalone localhost:1 db 7"},
		{redisstore.Options{URL: "unix://:hush@/no/socket?db=2", Namespace: "shop"}, "redis standalone /no/socket db 2 namespace shop"},
		{redisstore.Options{Cluster: "localhost:1, localhost:2"}, "redis cluster localhost:1,localhost:2"},
	}
	for _, tt := range tests {
		tt.options.Logger = discard
		tt.options.ConnectTimeout = 50 * time.Millisecond
		s, err := redisstore.New(t.Context(), &tt.options)
		if err != nil {
			t.Errorf("%s: %v", tt.want, err)
			continue
		}
		if got := s.String(); got != tt.want {
			t.Errorf("String is %q, want %q", got, tt.want)
		}
		s.Close()
	}
}

func TestFromEnv(t *testing.T) {
	for _, name := range []string{"URL", "HOST", "SENTINEL", "CLUSTER", "PORT"} {
		t.Setenv("REDIS_CACHE_"+name, "")
	}
	if s, err := redisstore.FromEnv(t.Context(), discard); !errors.Is(err, freshet.ErrNoRedis) || s != nil {
		t.Fatalf("without settings: %v, %v", s, err)
	}
	t.Setenv("REDIS_CACHE_URL", "nonsense")
	if s, err := redisstore.FromEnv(t.Context(), discard); err == nil || errors.Is(err, freshet.ErrNoRedis) || s != nil {
		t.Fatalf("with a bad setting: %v, %v", s, err)
	}
	server := redistest.Start(t)
	t.Setenv("REDIS_CACHE_URL", "redis://"+server.Addr)
	s, err := redisstore.FromEnv(t.Context(), discard)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	fill(t, s, key("k"), time.Minute, "body")
}
