package redisstore

import (
	"context"
	"errors"
	"strings"

	"github.com/redis/rueidis"

	"github.com/freshet-dev/freshet"
)

// While a slot of a Cluster moves, some of its keys are on one node and some on
// another, and a command that names several is refused (TRYAGAIN) unless the node
// has them all. A key that does not exist is had by nobody: so almost every fill
// and every invalidation of a key is refused, and so is every look-up that would
// be a miss, until the slot has moved. That takes seconds where there are many
// entries, so waiting is no answer, and an error would be worse: a few in a row
// count as an outage of the whole store.
//
// Commands that name one key are always answered, for the client follows it to
// where it is. And the control keys, which all exist, are on one node but for the
// short time in which they themselves are moved. So meanwhile:
//
//   - A look-up reads its keys one by one. They need not be read together.
//   - An invalidation is recorded first, and then removes its keys one by one. Who
//     fills in between is refused, and who reads has begun before it returned.
//   - A fill is refused as an outdated one. The answer is made, but not kept.
//   - Where the control keys themselves are apart, a look-up that needs them is a
//     miss, and an invalidation is an error, for its caller to retry.
//
// Nothing can take what is on the other node for lost: the scripts, which begin a
// new incarnation where something is missing, name all control keys, so they are
// refused where one of them is.
//
// Only ensure writes to keys that it has just removed. Where it begins a new
// incarnation on the node that a slot is moving from, that node then has to refuse
// the rest of the script. So all control keys are gone: everything is a miss until
// the slot has moved.

// moving reports whether err is that of a slot that moves.
func moving(err error) bool {
	if err == nil {
		return false // before reply is allocated: a hit comes here twice
	}
	var reply *rueidis.RedisError
	return errors.As(err, &reply) && (reply.IsTryAgain() || strings.Contains(reply.Error(), "non local key"))
}

// unsettled is the result of a look-up where nothing can be said. Nobody has its
// incarnation, so nothing is filled under it and no load is shared by it.
func unsettled() freshet.Found {
	return freshet.Found{Reason: freshet.Outdated, Stamp: freshet.Stamp{Incarnation: newIncarnation()}}
}

// readEach reads what read does, with a command for each key. MGET is what the
// fence knows as a use of a connection.
func (p place) readEach(ctx context.Context, c rueidis.Client) ([]rueidis.RedisMessage, error) {
	names := []string{p.entry, p.part.control, p.marker}
	if p.marker == "" {
		names = names[:2]
	}
	commands := make(rueidis.Commands, len(names))
	for i, name := range names {
		commands[i] = c.B().Mget().Key(name).Build()
	}
	values := make([]rueidis.RedisMessage, len(names))
	for i, result := range c.DoMulti(ctx, commands...) {
		one, err := result.ToArray()
		if err != nil {
			return nil, err
		}
		values[i] = one[0]
	}
	return values, nil
}

// runApart is runAll for a script that only removes the keys beside the control
// keys, and where it is refused for a slot that moves, removes them itself.
func (s script) runApart(ctx context.Context, c rueidis.Client, calls []invocation) []rueidis.RedisResult {
	results := s.runAll(ctx, c, calls)
	for i, result := range results {
		if moving(result.Error()) && len(calls[i].keys) > 0 {
			results[i] = s.runThenRemove(ctx, c, calls[i])
		}
	}
	return results
}

// runThenRemove runs the script without its keys, then removes these with a
// command for each. Nobody who waits for a lease among them is told: they ask when
// it would have ended.
func (s script) runThenRemove(ctx context.Context, c rueidis.Client, call invocation) rueidis.RedisResult {
	commands := make(rueidis.Commands, len(call.keys))
	for i, name := range call.keys {
		commands[i] = c.B().Unlink().Key(name).Build().ToRetryable()
	}
	call.keys = nil
	recorded := s.run(ctx, c, call)
	if recorded.Error() != nil {
		return recorded
	}
	for _, removed := range c.DoMulti(ctx, commands...) {
		if removed.Error() != nil {
			return removed
		}
	}
	return recorded
}
