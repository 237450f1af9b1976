package redisstore_test

import (
	"strings"
	"testing"

	"github.com/freshet-dev/freshet"
	"github.com/freshet-dev/freshet/internal/redistest"
)

// waiting asks for a lease that somebody else holds, waits for it in background
// and returns where the result will be. It returns when Redis knows of it.
func waiting(t testing.TB, server *redistest.Server, s freshet.Leaser, ref freshet.Ref, stamp freshet.Stamp) <-chan result {
	t.Helper()
	l, err := s.Lease(t.Context(), ref, nil, stamp)
	if err != nil || l.Held() {
		t.Fatalf("a lease that somebody else has: %v, %v", l, err)
	}
	done := make(chan result, 1)
	go func() {
		shared, err := l.Wait(t.Context())
		done <- result{shared, err}
	}()
	await(t, "the waiter", func() bool {
		v, _ := server.Do("GETRANGE", ref.Key+"#l", "0", "0")
		return v == "1"
	})
	await(t, "the subscription", func() bool {
		v, _ := server.Do("PUBSUB", "NUMSUB", "freshet#wake")
		return v.([]any)[1] != int64(0)
	})
	return done
}

type result struct {
	shared bool
	err    error
}

// TestWakeUp: only a message can say that the answer is not to be shared.
// Whoever finds the lease free without one looks again.
func TestWakeUp(t *testing.T) {
	server := redistest.Start(t)
	a, b := open(t, server), open(t, server)
	stamp := lookup(t, a, key("k")).Stamp
	for _, shared := range []bool{false, true} {
		held, err := a.Lease(t.Context(), key("k"), nil, stamp)
		if err != nil || !held.Held() {
			t.Fatal(held, err)
		}
		done := waiting(t, server, b, key("k"), stamp)
		held.Release(t.Context(), shared)
		if got := <-done; got.shared != shared || got.err != nil {
			t.Errorf("Wait for %v: %v, %v", shared, got.shared, got.err)
		}
	}
}

// TestWakeUpSurvivesBrokenSubscription kills the connection on which wake-ups
// come, and releases the lease before there is another one.
func TestWakeUpSurvivesBrokenSubscription(t *testing.T) {
	server := redistest.Start(t)
	a, b := open(t, server), open(t, server)
	stamp := lookup(t, a, key("k")).Stamp
	held, err := a.Lease(t.Context(), key("k"), nil, stamp)
	if err != nil || !held.Held() {
		t.Fatal(held, err)
	}
	done := waiting(t, server, b, key("k"), stamp)
	do(t, server, "CLIENT", "KILL", "TYPE", "pubsub")
	held.Release(t.Context(), true)
	if got := <-done; !got.shared || got.err != nil {
		t.Errorf("Wait: %v, %v", got.shared, got.err)
	}
}

// TestInvalidationWakes: the load that is waited for has become useless.
func TestInvalidationWakes(t *testing.T) {
	server := redistest.Start(t)
	a, b := open(t, server), open(t, server)
	stamp := lookup(t, a, key("k")).Stamp
	held, err := a.Lease(t.Context(), key("k"), nil, stamp)
	if err != nil || !held.Held() {
		t.Fatal(held, err)
	}
	done := waiting(t, server, b, key("k"), stamp)
	invalidate(t, a, freshet.Key("k"))
	if got := <-done; !got.shared || got.err != nil {
		t.Errorf("Wait: %v, %v", got.shared, got.err)
	}
	// Without a message, it would have taken until the lease ran out. An
	// invalidation whose answer comes late is made again, and so is the message.
	if stats := do(t, server, "INFO", "commandstats").(string); !strings.Contains(stats, "cmdstat_publish:calls=") {
		t.Errorf("the invalidation has not woken anybody:\n%s", stats)
	}
	next, err := b.Lease(t.Context(), key("k"), nil, lookup(t, b, key("k")).Stamp)
	if err != nil || !next.Held() {
		t.Fatalf("a lease after the invalidation: %v, %v", next, err)
	}
	held.Release(t.Context(), true) // of the lease that it has lost
	if v := do(t, server, "EXISTS", "k#l"); v != int64(1) {
		t.Error("the former holder has released the lease of the next")
	}
	next.Release(t.Context(), true)
}

// TestLeaseIsKeptAlive holds a lease for longer than it lasts by itself.
func TestLeaseIsKeptAlive(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	a, b := open(t, server), open(t, server)
	stamp := lookup(t, a, key("k")).Stamp
	held, err := a.Lease(t.Context(), key("k"), nil, stamp)
	if err != nil || !held.Held() {
		t.Fatal(held, err)
	}
	var renewals int
	last := int64(1 << 40)
	await(t, "two renewals", func() bool {
		left := do(t, server, "PTTL", "k#l").(int64)
		if left > last {
			renewals++
		}
		last = left
		return renewals == 2
	})
	if l, err := b.Lease(t.Context(), key("k"), nil, stamp); err != nil || l.Held() {
		t.Errorf("a second holder: %v, %v", l, err)
	}
	held.Release(t.Context(), true)
	held.Release(t.Context(), true)
	if v := do(t, server, "EXISTS", "k#l"); v != int64(0) {
		t.Error("a released lease is there")
	}
}

// TestDeadHolder: nobody releases the lease of a process that has died.
func TestDeadHolder(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	a, b := open(t, server), open(t, server)
	stamp := lookup(t, a, key("k")).Stamp
	if held, err := a.Lease(t.Context(), key("k"), nil, stamp); err != nil || !held.Held() {
		t.Fatal(held, err)
	}
	done := waiting(t, server, b, key("k"), stamp)
	a.Close()
	if got := <-done; !got.shared || got.err != nil {
		t.Errorf("Wait: %v, %v", got.shared, got.err)
	}
}

// TestOldLoadsDoNotTakeOver: two requests from before an invalidation would take
// a lease from each other for ever.
func TestOldLoadsDoNotTakeOver(t *testing.T) {
	server := redistest.Start(t)
	s := open(t, server)
	old := lookup(t, s, key("k")).Stamp
	invalidate(t, s, freshet.Key("k"))
	held, err := s.Lease(t.Context(), key("k"), nil, old)
	if err != nil || !held.Held() {
		t.Fatal(held, err)
	}
	defer held.Release(t.Context(), true)
	if l, err := s.Lease(t.Context(), key("k"), nil, old); err != nil || l.Held() {
		t.Errorf("an old load took over from another: %v, %v", l, err)
	}
	l, err := s.Lease(t.Context(), key("k"), nil, lookup(t, s, key("k")).Stamp)
	if err != nil || !l.Held() {
		t.Errorf("a new load did not take over from an old one: %v, %v", l, err)
	}
	l.Release(t.Context(), true)
}

// TestBansTakeLeaseOver: the lease does not know its holder's tags, and no script
// matches patterns. The process that asks does both.
func TestBansTakeLeaseOver(t *testing.T) {
	tests := []struct {
		target freshet.Target
		held   bool
	}{
		{freshet.Tag("t"), true},
		{freshet.Match("k*"), true},
		{freshet.All(), true},
		{freshet.Tag("other"), false},
		{freshet.Match("x*"), false},
	}
	for _, tt := range tests {
		t.Run(tt.target.String(), func(t *testing.T) {
			server := redistest.Start(t)
			a, b := open(t, server), open(t, server)
			held, err := a.Lease(t.Context(), key("k"), []string{"t"}, lookup(t, a, key("k")).Stamp)
			if err != nil || !held.Held() {
				t.Fatal(held, err)
			}
			defer held.Release(t.Context(), true)
			invalidate(t, a, tt.target)
			next, err := b.Lease(t.Context(), key("k"), []string{"t"}, lookup(t, b, key("k")).Stamp)
			if err != nil || next.Held() != tt.held {
				t.Errorf("the next load: held %v, %v; want %v", next.Held(), err, tt.held)
			}
			next.Release(t.Context(), true)
		})
	}
}
