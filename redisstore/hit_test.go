package redisstore

import "testing"

// TestMovingIsFree: every hit asks twice whether its slot moves.
func TestMovingIsFree(t *testing.T) {
	if n := testing.AllocsPerRun(100, func() { _ = moving(nil) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
