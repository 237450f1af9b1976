package redisstore

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/redis/rueidis"
)

// answer is what a script has returned; err is nil where it can be relied on.
type answer struct {
	reply rueidis.RedisMessage
	err   error
	// doubtful is what the script has returned before, where it was run twice since
	// the first answer was in doubt (doubt.go); nil if it was not.
	doubtful *rueidis.RedisMessage
}

func (a answer) int64() (int64, error) {
	if a.err != nil {
		return 0, a.err
	}
	return a.reply.AsInt64()
}

func (a answer) text() (string, error) {
	if a.err != nil {
		return "", a.err
	}
	return a.reply.ToString()
}

// deliver runs a script whose effect must last: once per invocation, all at the
// same time, and with whatever the settings ask for on top of the answer of one
// server. On an error the effect may be there or not.
func (s *Store) deliver(ctx context.Context, client rueidis.Client, sc script, calls []invocation) []answer {
	answers := make([]answer, len(calls))
	var again bool
	if s.settings.waitReplicas > 0 {
		var all sync.WaitGroup
		for i, call := range calls {
			all.Go(func() { answers[i] = s.replicated(ctx, client, sc, call) })
		}
		all.Wait()
		return answers
	}
	err := s.certain(ctx, func() error {
		for i, r := range sc.runApart(ctx, client, calls) {
			if before := answers[i].reply; again && answers[i].err == nil {
				answers[i].doubtful = &before
			}
			answers[i].reply, answers[i].err = r.ToMessage()
		}
		again = true
		return nil
	})
	for i := range answers {
		answers[i].err = cmp.Or(answers[i].err, err)
	}
	return answers
}

// replicated runs a script and waits until replicas have what it has written.
//
// WAIT speaks of the writes of its own connection, and blocks it: so both go over
// one that nothing else uses. A dedicated connection does not follow a redirection
// of the Cluster, nor may it: the WAIT would be answered by a node that has
// written nothing. The call fails and is repeated by whoever it matters to. There
// is no doubt about a master that was frozen past a failover, see doubt.go:
// nobody follows it any more.
func (s *Store) replicated(ctx context.Context, client rueidis.Client, sc script, call invocation) (a answer) {
	// A connection that has been idle may have been closed by a server that is
	// long back: then another one is tried.
	for range 3 {
		var broken bool
		_ = client.Dedicated(func(c rueidis.DedicatedClient) error {
			a, broken = s.runAndWait(ctx, client, c, sc, call)
			return nil
		})
		if !broken || ctx.Err() != nil || !s.settings.retry {
			break
		}
	}
	return a
}

// runAndWait makes one attempt; broken means that the server has not answered.
func (s *Store) runAndWait(ctx context.Context, b rueidis.Client, c rueidis.DedicatedClient, sc script, call invocation) (a answer, broken bool) {
	want := int64(s.settings.waitReplicas)
	wait := b.B().Wait().Numreplicas(want).Timeout(waitTime(ctx).Milliseconds()).Build().Pin()
	results := c.DoMulti(ctx, sc.byDigest(b, call), wait)
	if unknownScript(results[0]) {
		results = c.DoMulti(ctx, sc.bySource(b, call), wait)
	}
	a.reply, a.err = results[0].ToMessage()
	if a.err != nil {
		return a, results[0].NonRedisError() != nil
	}
	n, err := results[1].AsInt64()
	if err != nil || n < want {
		a.err = errors.Join(fmt.Errorf("%d of %d %w", n, want, errReplicas), err)
	}
	return a, false
}

// errReplicas is no sign of a node that is absent: it has answered itself.
var errReplicas = errors.New("replicas have acknowledged")

// waitTime leaves the answer time to arrive within that of ctx. Redis looks ten
// times a second who has waited for long enough, and a call that says how many
// have acknowledged is better than one that has timed out.
func waitTime(ctx context.Context) time.Duration {
	deadline, _ := ctx.Deadline()
	return max(time.Millisecond, time.Until(deadline)/2)
}
