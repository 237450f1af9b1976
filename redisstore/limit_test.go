package redisstore_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/freshet-dev/freshet"
	"github.com/freshet-dev/freshet/internal/redistest"
	"github.com/freshet-dev/freshet/redisstore"
)

// TestTwoLimits: what requests wait for ends with the lookup timeout, while an
// invalidation goes on waiting for the same frozen Redis.
func TestTwoLimits(t *testing.T) {
	server := redistest.Start(t)
	s := open(t, server, func(o *redisstore.Options) {
		o.SocketTimeout, o.LookupTimeout = patience, 100*time.Millisecond
	})
	fill(t, s, key("k"), time.Hour, "body")
	stamp := lookup(t, s, key("k")).Stamp
	server.Freeze()
	defer server.Thaw()
	taken := make(chan error, 1)
	go func() {
		_, err := s.Invalidate(context.Background(), []freshet.Target{freshet.Key("k")})
		taken <- err
	}()
	calls := map[string]func() error{
		"Lookup": func() error { _, err := s.Lookup(t.Context(), key("k")); return err },
		"Valid":  func() error { _, err := s.Valid(t.Context(), key("k"), nil, stamp); return err },
		"Lease":  func() error { _, err := s.Lease(t.Context(), key("k"), nil, stamp); return err },
		"Fill": func() error {
			_, err := s.Fill(t.Context(), key("k"), stamp, &freshet.Entry{Loaded: time.Now(), TTL: time.Hour})
			return err
		},
	}
	for name, call := range calls {
		begun := time.Now()
		var limit interface{ Timeout() bool }
		if err := call(); !errors.As(err, &limit) || !limit.Timeout() || time.Since(begun) > patience/2 {
			t.Errorf("%s of a frozen Redis: %v after %v", name, err, time.Since(begun))
		}
	}
	select {
	case err := <-taken:
		t.Fatalf("Invalidate has not waited: %v", err)
	default:
	}
	server.Thaw()
	if err := <-taken; err != nil {
		t.Errorf("Invalidate: %v", err)
	}
	await(t, "look-ups", func() bool { found, err := s.Lookup(t.Context(), key("k")); return err == nil && found.Entry == nil })
}
