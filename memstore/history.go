package memstore

import (
	"context"

	"github.com/freshet-dev/freshet"
	"github.com/freshet-dev/freshet/internal/ban"
)

var _ freshet.Historian = (*Store)(nil)

// History implements [freshet.Historian]. It walks through all bans.
func (s *Store) History(ctx context.Context, ref freshet.Ref, tags []string) (freshet.History, error) {
	if err := ctx.Err(); err != nil {
		return freshet.History{}, err
	}
	bans := append(s.keys.Covering(ref.Key, tags), s.rest.Covering(ref.Key, tags)...)
	bans = append(bans, ban.Softened(s.soft.Covering(ref.Key, tags))...)
	// The floor is read after the bans, so that none is missing that it does not
	// speak of.
	floor := freshet.Version(max(s.rest.Floor(), s.soft.Floor()))
	return freshet.History{Stamp: s.stamp(), Floor: floor, Bans: ban.Sorted(bans)}, nil
}
