package redisstore

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

// TestLimitIsRenewed: whenever a call begins, it has nine tenths of the time limit
// at least, and its caller's own limit if that is shorter.
func TestLimitIsRenewed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const timeout = 100 * time.Millisecond
		var l limits
		l.init(t.Context(), timeout)
		defer l.close()
		contexts := make(map[context.Context]bool)
		for range 1000 {
			ctx, err := l.within(context.Background())
			if err != nil {
				t.Fatal(err)
			}
			contexts[ctx] = true
			end, _ := ctx.Deadline()
			if left := time.Until(end); left < timeout*9/10 || left > timeout || ctx.Err() != nil {
				t.Fatalf("a call has %v, %v", left, ctx.Err())
			}
			time.Sleep(time.Millisecond)
		}
		if n := len(contexts); n > 100 {
			t.Errorf("1000 calls in a second have %d contexts", n)
		}
		own, cancel := context.WithTimeout(t.Context(), timeout/2)
		defer cancel()
		if ctx, _ := l.within(own); ctx != own {
			t.Error("a shorter limit of the caller is not kept")
		}
		cancel()
		if _, err := l.within(own); err == nil {
			t.Error("a caller that has gone makes a call")
		}
	})
}
