package model

import (
	"slices"
	"strings"
	"testing"
)

// controls remove one guard each from a model that needs it.
func controls() []struct {
	name string
	Config
} {
	type control = struct {
		name string
		Config
	}
	three := func(role Role) []Actor { return []Actor{reader(0, 2), reader(1, 2), writer(1, role, 1)} }
	onRecord := []Actor{reader(1, 3), writer(0, KeyWriter, 1)}
	return []control{
		{"a stamp from before the load", Config{Actors: three(TagWriter), Without: StampAtLoad}},
		{"the ban of a key at a fill", Config{Actors: three(KeyWriter), Without: KeyBan}},
		{"the ban of a tag at a look-up", Config{Actors: three(TagWriter), Without: TagBan}},
		{"the floor of keys", Config{Actors: three(KeyWriter), Faults: Faults{Trims: 1}, Without: KeyFloor}},
		{"the floor of tags", Config{Actors: three(TagWriter), Faults: Faults{Trims: 1, Restarts: 1}, Without: TagFloor}},
		{"the sentinel of keys", Config{Actors: three(KeyWriter), Faults: Faults{Losses: 1}, Without: Sentinel}},
		{"the sentinel of tags", Config{Actors: three(TagWriter), Faults: Faults{Losses: 1, Restarts: 1}, Without: Sentinel}},
		{"the incarnation of an entry", Config{Actors: three(TagWriter), Faults: Faults{Losses: 1}, Without: Incarnation}},
		{"the fence after a failover", Config{Actors: three(KeyWriter), Faults: Faults{Failovers: 1}, Without: ServerFence}},
		{"the count of connections after a reply", Config{Actors: three(KeyWriter), Faults: Faults{Failovers: 1}, Without: CountAfter}},
		{"the rule of flights", Config{Actors: []Actor{reader(0, 2), reader(0, 2), writer(1, TagWriter, 1)}, Flights: true, Without: FlightRule}},
		{"intents", Config{Actors: onRecord, Intents: true, Faults: Faults{Deaths: 1}, Without: Intent}},
		{"the clear of a new life", Config{Actors: onRecord, Intents: true, Faults: Faults{Deaths: 1, Losses: 1}, Without: ClearOnLoss}},
		{"the repetition", Config{Actors: onRecord, Intents: true, Faults: Faults{Deaths: 1}, Without: Repetition}},
		{"the keep-alive of records", Config{Actors: onRecord, Intents: true, Faults: Faults{Deaths: 1, Losses: 1}, Without: Restore}},
		{"the watch over the records", Config{Actors: onRecord, Intents: true, Faults: Faults{Deaths: 1, Losses: 1}, Without: WatchIntents}},
		{"the fence of a new life", Config{Actors: three(TagWriter), Lag: true, Faults: Faults{Losses: 1}, Without: FenceOnLoss}},
		{"the ban into the future of a key", Config{Actors: three(KeyWriter), Lag: true, Without: FutureBan}},
		{"the ban into the future of a tag", Config{Actors: three(TagWriter), Lag: true, Without: FutureBan}},
	}
}

// TestControls: without a guard there is a history in which somebody is answered
// with old data, and with it, in the same model, there is none.
func TestControls(t *testing.T) {
	for _, c := range controls() {
		t.Run(c.name, func(t *testing.T) {
			r := Search(c.Config)
			if r.Stale == nil {
				t.Fatalf("nothing is stale without it in %d states: the model does not need it", r.States)
			}
			t.Logf("without it, after %d states:\n%s", r.States, strings.Join(r.Stale, "\n"))
			c.Without = 0
			if r := Search(c.Config); r.Stale != nil {
				t.Errorf("stale with it, too, after\n%s", strings.Join(r.Stale, "\n"))
			}
		})
	}
}

// TestEveryGuardHasAControl keeps the list whole.
func TestEveryGuardHasAControl(t *testing.T) {
	var all Guard
	for _, c := range controls() {
		all |= c.Without
	}
	if want := guards - 1; all != want {
		t.Errorf("removed are %b, want %b", all, want)
	}
}

// TestHistoryIsTold: every step has words.
func TestHistoryIsTold(t *testing.T) {
	if n := slices.Index(told[:], ""); n >= 0 {
		t.Errorf("deed %d has no sentence", n)
	}
}
