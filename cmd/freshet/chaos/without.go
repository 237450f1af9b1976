package main

import "time"

// control is a guard that a run can do without, to see that the checker finds
// what the guard is there for.
type control struct {
	guard string
	what  string // the guard is for
	// finds are the kinds of violation of which there has to be one at least.
	finds []string
	// faults and duration bring it out soon.
	faults   string
	duration time.Duration
	// patches take the guard out of a copy of the source, where it cannot be got
	// round from outside: see [build].
	patches []patch
	// settings are variables of the API processes.
	settings []string
}

// patch replaces one piece of text of a source file, which has to be in it
// exactly once.
type patch struct{ file, old, new string }

// The history of invalidations is kept for minutes and of 100,000 targets. Its
// floors only matter where it is shorter than a load, or than an entry's life.
var (
	briefKeys = patch{"redisstore/invalidate.go", "keyBansKept = 5 * time.Minute", "keyBansKept = 20 * time.Millisecond"}
	fewBans   = patch{"redisstore/invalidate.go", "mostBans    = 100_000", "mostBans    = 8"}
)

// guards returns the controls. The last takes no guard away: it shows that a short
// history alone does no harm.
func guards() []control {
	const short = 15 * time.Second
	return []control{{
		guard: "stamp", what: "an answer is stored under the stamp of its load's beginning",
		finds: []string{"stale"}, faults: "none", duration: short,
	}, {
		guard: "key-floor", what: "a load that is older than the history of keys is not stored",
		finds: []string{"stale"}, faults: "none", duration: short,
		patches: []patch{briefKeys, {"redisstore/lua/fill.lua", "version < c.key_floor or ", ""}},
	}, {
		guard: "tag-floor", what: "an entry that is older than the history of tags and patterns is not served",
		finds: []string{"stale"}, faults: "none", duration: short,
		patches: []patch{fewBans, {"redisstore/partition.go", "version < r.floor.Load()", "false"}},
	}, {
		guard: "failover-fence", what: "another server, or one with old data, begins the cache anew",
		finds: []string{"stale"}, faults: "redis-snapshot,failover,master", duration: 2 * short,
		settings: []string{"REDIS_CACHE_AFTER_FAILOVER=trust"},
	}, {
		guard: "flight", what: "a load is shared only if no invalidation came in between",
		finds: []string{"stale"}, faults: "none", duration: short,
	}, {
		guard: "intent", what: "what a killed process was about to invalidate is on record",
		finds: []string{"lost", "overdue"}, faults: "api-die", duration: 2 * short,
	}, {
		guard: "bypass", what: "a process does not serve what it could not invalidate",
		finds: []string{"stale"}, faults: "redis-readonly,pause", duration: 2 * short,
		patches: []patch{{"internal/owed/owed.go", "return member != \"\"", "return false && member != \"\""}},
	}, {
		guard: "identity", what: "an entry answers only the request it was made for",
		finds: []string{"foreign"}, faults: "none", duration: short,
		patches: []patch{{"vary.go", "found.Entry.Identity != q.identity", "false"}},
	}, {
		guard: "nothing", what: "(a history as short as for the floors)",
		faults: "api-kill", duration: short, patches: []patch{briefKeys, fewBans},
	}}
}

// guarded returns the control of a guard.
func guarded(name string) (control, bool) {
	for _, g := range guards() {
		if g.guard == name {
			return g, true
		}
	}
	return control{}, false
}
