package redisstore_test

import (
	"sync"
	"testing"
	"time"

	"github.com/freshet-dev/freshet/internal/redistest"
	"github.com/freshet-dev/freshet/redisstore"
)

// TestHalfOpen: connections that lead nowhere any more are replaced soon, by
// themselves: also those on which calls of many are under way, which the client
// keeps after a call has run into its limit.
func TestHalfOpen(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	proxy := redistest.StartProxy(t, server.Addr)
	s := openWith(t, func(o *redisstore.Options) {
		o.Port, o.SocketTimeout = proxy.Port, 500*time.Millisecond
	})
	fill(t, s, key("k"), time.Hour, "body")
	crowd := func() {
		var all sync.WaitGroup
		for range 20 {
			all.Go(func() { _, _ = s.Lookup(t.Context(), key("k")) })
		}
		all.Wait()
	}
	crowd() // makes the client pipeline
	proxy.BlackHole()
	begun := time.Now()
	crowd()
	proxy.Pass()
	await(t, "a connection that works", func() bool { _, err := s.Lookup(t.Context(), key("k")); return err == nil })
	if took := time.Since(begun); took > patience/2 {
		t.Errorf("Redis was out of reach for %v", took)
	}
	wantHit(t, s, key("k"), "body")
}
