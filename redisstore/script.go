package redisstore

import (
	"context"
	"crypto/sha1"
	_ "embed"
	"encoding/hex"

	"github.com/redis/rueidis"
)

// The scripts, in one form: what is common to all first, and before it what
// Redis is told about them. A full Redis refuses scripts that do not say
// allow-oom: those that keep answers fresh do, for what they write is small and
// what they remove is not. Fills and leases do not; they are there to be
// refused.
var (
	//go:embed lua/control.lua
	luaControl string
	//go:embed lua/here.lua
	luaHere string
	//go:embed lua/where.lua
	luaWhere string
	//go:embed lua/fence.lua
	luaFence string
	//go:embed lua/sync.lua
	luaSync string
	//go:embed lua/fill.lua
	luaFill string
	//go:embed lua/invalidate.lua
	luaInvalidate string
	//go:embed lua/valid.lua
	luaValid string
	//go:embed lua/sweep.lua
	luaSweep string
	//go:embed lua/lease.lua
	luaLease string
	//go:embed lua/acquire.lua
	luaAcquire string
	//go:embed lua/keep.lua
	luaKeep string
	//go:embed lua/release.lua
	luaRelease string
	//go:embed lua/records.lua
	luaRecords string
	//go:embed lua/record.lua
	luaRecord string
	//go:embed lua/claim.lua
	luaClaim string

	hereScript       = newScript("flags=no-writes,allow-oom", luaHere)
	whereScript      = newScript("flags=no-writes,allow-oom", luaWhere)
	fenceScript      = newScript("flags=allow-oom", luaFence)
	syncScript       = newScript("flags=allow-oom", luaSync)
	fillScript       = newScript("", luaFill)
	invalidateScript = newScript("flags=allow-oom", luaRecords, luaInvalidate)
	validScript      = newScript("flags=no-writes,allow-oom", luaValid)
	sweepScript      = newScript("flags=allow-oom", luaSweep)
	acquireScript    = newScript("", luaLease, luaAcquire)
	keepScript       = newScript("flags=allow-oom", luaLease, luaKeep)
	releaseScript    = newScript("flags=allow-oom", luaLease, luaRelease)
	recordScript     = newScript("flags=allow-oom", luaRecords, luaRecord)
	claimScript      = newScript("flags=allow-oom", luaClaim)
)

// script is a program for the server. All of ours may be run twice, which
// happens when the connection breaks before the answer: they are retried.
type script struct{ source, digest string }

func newScript(flags string, parts ...string) script {
	source := "#!lua " + flags + "\n" + luaControl
	for _, part := range parts {
		source += part
	}
	sum := sha1.Sum([]byte(source)) // by which the command EVALSHA names it
	return script{source, hex.EncodeToString(sum[:])}
}

// invocation is one run of a script: keys beside the four control keys.
type invocation struct {
	part *partition
	keys []string
	args []string
}

func (s script) byDigest(c rueidis.Client, i invocation) rueidis.Completed {
	n := int64(4 + len(i.keys))
	return c.B().Evalsha().Sha1(s.digest).Numkeys(n).
		Key(i.part.control, i.part.bans, i.part.keyBans, i.part.intents).Key(i.keys...).Arg(i.args...).Build().ToRetryable()
}

func (s script) bySource(c rueidis.Client, i invocation) rueidis.Completed {
	n := int64(4 + len(i.keys))
	return c.B().Eval().Script(s.source).Numkeys(n).
		Key(i.part.control, i.part.bans, i.part.keyBans, i.part.intents).Key(i.keys...).Arg(i.args...).Build().ToRetryable()
}

// run runs the script once.
func (s script) run(ctx context.Context, c rueidis.Client, i invocation) rueidis.RedisResult {
	r := c.Do(ctx, s.byDigest(c, i))
	if unknownScript(r) {
		r = c.Do(ctx, s.bySource(c, i))
	}
	return r
}

// runAll runs the script once per invocation, pipelined to each node and in
// parallel over the nodes.
func (s script) runAll(ctx context.Context, c rueidis.Client, all []invocation) []rueidis.RedisResult {
	commands := make(rueidis.Commands, len(all))
	for n, i := range all {
		commands[n] = s.byDigest(c, i)
	}
	results := c.DoMulti(ctx, commands...)
	var again []int
	commands = commands[:0]
	for n, r := range results {
		if unknownScript(r) {
			again = append(again, n)
			commands = append(commands, s.bySource(c, all[n]))
		}
	}
	for n, r := range c.DoMulti(ctx, commands...) {
		results[again[n]] = r
	}
	return results
}

func unknownScript(r rueidis.RedisResult) bool {
	err, ok := rueidis.IsRedisErr(r.Error())
	return ok && err.IsNoScript()
}
