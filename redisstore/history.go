package redisstore

import (
	"context"

	"github.com/redis/rueidis"

	"github.com/freshet-dev/freshet"
	"github.com/freshet-dev/freshet/internal/ban"
)

var _ freshet.Historian = (*Store)(nil)

// History implements [freshet.Historian]. It costs two calls, and another one when
// this process has not heard of the newest bans yet; and a walk through its replica
// of them.
func (s *Store) History(ctx context.Context, ref freshet.Ref, tags []string) (freshet.History, error) {
	ctx, client, err := s.begin(ctx)
	if err != nil {
		return freshet.History{}, err
	}
	at := s.layout.place(ref)
	var h freshet.History
	err = s.vouched(ctx, client, at.part, func() (err error) {
		h, err = at.history(ctx, client, ref, tags)
		return err
	})
	return h, err
}

// history makes one attempt.
func (p place) history(ctx context.Context, client rueidis.Client, ref freshet.Ref, tags []string) (freshet.History, error) {
	values, err := client.Do(ctx, client.B().Mget().Key(p.part.control).Build()).ToArray()
	if err != nil {
		return freshet.History{}, failed("history", err)
	}
	text, _ := values[0].ToString()
	c, _ := parseControl(text)
	known, c, err := p.part.catchUp(ctx, client, c)
	if err != nil {
		return freshet.History{}, failed("synchronising invalidations", err)
	}
	h := freshet.History{Stamp: c.stamp(), Bans: known.covering(ref.Key, tags)}
	h.Floor = freshet.Version(known.floor.Load()) // after the bans, as in since
	// The ban of the key is not in the replica.
	version, err := client.Do(ctx, client.B().Zscore().Key(p.part.keyBans).Member(p.member()).Build()).AsFloat64()
	switch {
	case rueidis.IsRedisNil(err):
		h.Bans = ban.Sorted(h.Bans)
		return h, nil
	case err != nil:
		return freshet.History{}, failed("history", err)
	}
	h.Bans = ban.Sorted(append(h.Bans, freshet.Ban{Member: ban.Key(ref.Key), Version: uint64(version)}))
	return h, nil
}

// covering returns the bans that cover key or tags, the soft ones named as such.
func (r *replica) covering(key string, tags []string) []freshet.Ban {
	return append(r.bans.Covering(key, tags), ban.Softened(r.soft.Covering(key, tags))...)
}
