package redisstore

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/redis/rueidis"
)

// harmless has a call of every command that the store and its scripts use, beside
// those without which no connection is made. None of them does anything, but Redis
// looks at the rights first. KEY stands for a key that does not exist and is no
// entry's, CHANNEL for the channel of released leases, on which an empty message
// says nothing.
var harmless = []string{
	"MGET KEY", "GET KEY", "SET KEY v XX", "SETRANGE KEY 0 ", "GETRANGE KEY 0 0", "DEL KEY", "UNLINK KEY",
	"PTTL KEY", "PEXPIRE KEY 1", "ZADD KEY XX 0 m", "ZREM KEY m", "ZRANGE KEY 0 0", "ZSCORE KEY m", "ZCARD KEY",
	"ZCOUNT KEY 0 0", "ZPOPMIN KEY 0", "ZREMRANGEBYSCORE KEY 0 0",
	"SCAN 0 COUNT 1", "EVAL return 0", "EVALSHA 0 0", "TIME", "INFO server", "PUBLISH CHANNEL ",
}

// checkRights returns an error that names all rights that the user lacks. A script
// cannot tell: before Redis 7.2 it is not told which command it may not run. What
// keeps the question from being answered is no error: calls will meet it, too.
func (s *Store) checkRights(ctx context.Context, client rueidis.Client) error {
	calls := harmless
	switch {
	case s.settings.mode == modeCluster:
		calls = append(calls[:len(calls):len(calls)], "ROLE", "ASKING")
	case s.settings.waitReplicas > 0:
		calls = append(calls[:len(calls):len(calls)], "WAIT 0 1")
	}
	var lacks []string
	for _, r := range client.DoMulti(ctx, s.layout.commands(client, calls)...) {
		if reply, ok := rueidis.IsRedisErr(r.Error()); ok && lacksRight(reply) {
			lacks = append(lacks, reply.Error())
		}
	}
	if len(lacks) == 0 {
		return nil
	}
	return errors.New(strings.Join(lacks, "; "))
}

// commands builds calls, whose words stand between blanks.
func (l layout) commands(client rueidis.Client, calls []string) rueidis.Commands {
	commands := make(rueidis.Commands, len(calls))
	for i, call := range calls {
		words := strings.Split(call, " ")
		c := client.B().Arbitrary(words[0])
		for _, word := range words[1:] {
			switch word {
			case "KEY":
				c = c.Keys(l.parts[0].prefix + rightsName)
			case "CHANNEL":
				c = c.Args(l.wake)
			default:
				c = c.Args(word)
			}
		}
		commands[i] = c.Build()
	}
	return commands
}

func lacksRight(err error) bool { return strings.Contains(fmt.Sprint(err), "NOPERM") }
