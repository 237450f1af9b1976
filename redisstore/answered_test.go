package redisstore

import (
	"context"
	"errors"
	"testing"
)

// TestAnswered: a node is absent when nothing comes back from it, and not when what
// comes back cannot be used.
func TestAnswered(t *testing.T) {
	for _, err := range []error{nil, errReplicas, errCrowded, errTurning} {
		if err != nil {
			err = failed("look-up", err)
		}
		if !answered(err) {
			t.Errorf("%v: its node is taken for absent", err)
		}
	}
	for _, err := range []error{context.DeadlineExceeded, errors.New("connection refused")} {
		if answered(failed("look-up", err)) {
			t.Errorf("%v: its node is taken for present", err)
		}
	}
}
