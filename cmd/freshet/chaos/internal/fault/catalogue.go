package fault

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/freshet-dev/freshet/internal/redistest"
)

// catalogue returns all faults there are.
func catalogue() []fault {
	return append([]fault{
		{name: "api-kill", run: apiKill},
		{name: "api-die", run: apiDie},
		{name: "api-freeze", run: apiFreeze},
		{name: "flushall", run: onMaster("FLUSHALL")},
		{name: "flushdb", run: onMaster("FLUSHDB")},
		{name: "del-control", run: delControl},
		{name: "del-some", run: delSome},
		{name: "client-kill", run: onMaster("CLIENT", "KILL", "TYPE", "normal")},
		{name: "client-kill-sub", run: onMaster("CLIENT", "KILL", "TYPE", "pubsub")},
		{name: "pause", alone: true, outage: true, run: pause},
		{name: "evict", alone: true, outage: true, run: evict},
		{name: "oom", alone: true, outage: true, run: oom},
		{name: "redis-blip", alone: true, outage: true, run: blip},
		{name: "redis-restart", alone: true, outage: true, run: restart},
		{name: "redis-snapshot", on: "standalone", alone: true, outage: true, run: snapshot},
		{name: "redis-freeze", on: "standalone", alone: true, outage: true, run: freeze},
		{name: "redis-readonly", on: "standalone", alone: true, outage: true, run: readOnly},
	}, append(linkFaults(), roleFaults()...)...)
}

func apiKill(ctx context.Context, a *Attack) (string, error) {
	return a.Fleet.Kill(ctx, a.rand, a.length)
}

// apiDie kills a process between a commit and its invalidation, which chance seldom
// does.
func apiDie(ctx context.Context, a *Attack) (string, error) {
	return a.Fleet.Die(ctx, a.rand, a.length, a.Die)
}

func apiFreeze(ctx context.Context, a *Attack) (string, error) {
	return a.Fleet.Freeze(ctx, a.rand, a.length)
}

// master returns one of the servers that take writes.
func (a *Attack) master() (*redistest.Server, error) {
	all, err := a.Redis.masters()
	if err != nil {
		return nil, err
	}
	return all[a.rand.IntN(len(all))], nil
}

// onMaster returns a fault that is one command.
func onMaster(command ...string) func(context.Context, *Attack) (string, error) {
	return func(_ context.Context, a *Attack) (string, error) {
		s, err := a.master()
		if err != nil {
			return "", err
		}
		_, err = do(s, command...)
		return s.Addr, missed(err)
	}
}

// missed forgives a fault that met a server which another fault had already
// stopped, frozen or deposed, or robbed of its replicas.
func missed(err error) error {
	reply, ok := err.(redistest.Error)
	if !ok || strings.HasPrefix(string(reply), "READONLY") || strings.HasPrefix(string(reply), "NOREPLICAS") {
		return nil
	}
	return err
}

// delControl deletes one of the cache's own keys: a control key, a lease or a
// marker of variants.
func delControl(_ context.Context, a *Attack) (string, error) {
	kinds := []string{"*freshet#ctl", "*freshet#tb", "*freshet#kb", "*freshet#wi", "*#l", "*#v"}
	return a.delete(kinds[a.rand.IntN(len(kinds))], 3)
}

// delSome deletes keys of any kind, as eviction does.
func delSome(_ context.Context, a *Attack) (string, error) { return a.delete("*", 20) }

// delete removes up to n keys that match, on one master.
func (a *Attack) delete(match string, n int) (string, error) {
	s, err := a.master()
	if err != nil {
		return "", err
	}
	reply, err := do(s, "KEYS", match)
	keys, _ := reply.([]any)
	a.rand.Shuffle(len(keys), func(i, j int) { keys[i], keys[j] = keys[j], keys[i] })
	var gone []string
	for _, key := range keys[:min(n, len(keys))] {
		if _, err = do(s, "DEL", key.(string)); err != nil {
			break
		}
		gone = append(gone, key.(string))
	}
	return strings.Join(gone, " "), missed(err)
}

// pause makes the server answer nobody for a while, or no writes.
func pause(ctx context.Context, a *Attack) (string, error) {
	s, err := a.master()
	if err != nil {
		return "", err
	}
	what := []string{"ALL", "WRITE"}[a.rand.IntN(2)]
	_, err = do(s, "CLIENT", "PAUSE", strconv.FormatInt(a.length.Milliseconds(), 10), what)
	a.hold(ctx)
	return s.Addr + " " + what, missed(err)
}

// evict takes away half of the memory that data uses, and lets the server choose
// what goes.
func evict(ctx context.Context, a *Attack) (string, error) {
	limit := func(s *redistest.Server) int64 {
		return info(s, "memory", "used_memory") - info(s, "memory", "used_memory_dataset")/2
	}
	return a.squeeze(ctx, "allkeys-random", limit)
}

// oom leaves the server no memory at all, and nothing that it may evict.
func oom(ctx context.Context, a *Attack) (string, error) {
	return a.squeeze(ctx, "noeviction", func(*redistest.Server) int64 { return 1 })
}

func (a *Attack) squeeze(ctx context.Context, policy string, limit func(*redistest.Server) int64) (string, error) {
	s, err := a.master()
	if err != nil {
		return "", err
	}
	before := info(s, "stats", "evicted_keys")
	_, err = do(s, "CONFIG", "SET", "maxmemory-policy", policy, "maxmemory", strconv.FormatInt(limit(s), 10))
	a.hold(ctx)
	evicted := info(s, "stats", "evicted_keys") - before
	if _, undo := do(s, "CONFIG", "SET", "maxmemory", "0"); err == nil {
		err = undo
	}
	return s.Addr + " evicted " + strconv.FormatInt(evicted, 10), err
}

// blip freezes a server for less than makes anybody fail over.
func blip(ctx context.Context, a *Attack) (string, error) {
	s, err := a.master()
	if err != nil {
		return "", err
	}
	return s.Addr, a.frozen(ctx, s, min(a.length, 300*time.Millisecond))
}

func freeze(ctx context.Context, a *Attack) (string, error) {
	s, err := a.master()
	if err != nil {
		return "", err
	}
	return s.Addr, a.frozen(ctx, s, a.length)
}

func (a *Attack) frozen(ctx context.Context, s *redistest.Server, d time.Duration) error {
	if err := try(s.Freeze); err != nil {
		return err
	}
	a.wait(ctx, d)
	return try(s.Thaw)
}

// restart kills a master and starts it again, empty.
func restart(ctx context.Context, a *Attack) (string, error) {
	s, err := a.master()
	if err != nil {
		return "", err
	}
	s.Stop()
	forget(s)
	a.wait(ctx, min(a.length, time.Second))
	if err := revive(s); err != nil {
		return s.Addr, err
	}
	return s.Addr, a.Redis.settle()
}

// snapshot kills the server some time after it has saved its data, and starts it
// with what it had then.
func snapshot(ctx context.Context, a *Attack) (string, error) {
	s, err := a.master()
	if err != nil {
		return "", err
	}
	if _, err := do(s, "SAVE"); err != nil {
		return s.Addr, err
	}
	a.hold(ctx)
	s.Stop()
	err = revive(s)
	forget(s)
	return s.Addr, err
}

// readOnly makes the server the replica of nobody who is there: it goes on
// answering reads and refuses writes.
func readOnly(ctx context.Context, a *Attack) (string, error) {
	s, err := a.master()
	if err != nil {
		return "", err
	}
	_, err = do(s, "REPLICAOF", "127.0.0.1", "1")
	a.hold(ctx)
	if _, undo := do(s, "REPLICAOF", "NO", "ONE"); err == nil {
		err = undo
	}
	return s.Addr, err
}
