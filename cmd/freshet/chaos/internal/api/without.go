package api

import (
	"context"

	"github.com/freshet-dev/freshet"
	"github.com/freshet-dev/freshet/redisstore"
)

// Without returns the store with one guard taken away, "stamp" or "flight"; with
// any other name, the store as it is. The guards are not switched
// off in the store, which has no such switches, but got round from outside.
func Without(guard string, s *redisstore.Store) freshet.Store {
	switch guard {
	case "stamp":
		return lateStamp{s}
	case "flight":
		return alwaysValid{s}
	}
	return s
}

// lateStamp fills under the stamp of the moment at which a load ends: what was
// invalidated while it ran is not noticed.
type lateStamp struct{ *redisstore.Store }

func (s lateStamp) Fill(ctx context.Context, ref freshet.Ref, _ freshet.Stamp, e *freshet.Entry) (freshet.Outcome, error) {
	now, err := s.Store.Lookup(ctx, ref)
	if err != nil {
		return freshet.Expired, err
	}
	return s.Store.Fill(ctx, ref, now.Stamp, e)
}

// alwaysValid lets every request share every load that is under way.
type alwaysValid struct{ *redisstore.Store }

func (alwaysValid) Valid(context.Context, freshet.Ref, []string, freshet.Stamp) (bool, error) {
	return true, nil
}
