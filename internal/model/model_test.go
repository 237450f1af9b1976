package model

import (
	"flag"
	"strings"
	"testing"
)

var large = flag.Bool("large", false, "search the larger models")

// shapes of processes.
func reader(process int, times uint8) Actor {
	return Actor{Process: process, Role: Reader, Times: times}
}

func writer(process int, role Role, times uint8) Actor {
	return Actor{Process: process, Role: role, Times: times}
}

// configs are the models. Each is searched to its end: within its bounds there is
// no history that they leave out. more and often say how large they are.
func configs(more, often uint8) []Config {
	return []Config{
		{Name: "key", Actors: []Actor{reader(0, 2), reader(1, often), writer(0, KeyWriter, 1+more), writer(1, KeyWriter, 1)}, Faults: Faults{Trims: 1, Restarts: 1}},
		{Name: "tag", Actors: []Actor{reader(0, 2), reader(1, often), writer(0, TagWriter, 1+more), writer(1, TagWriter, 1)}, Faults: Faults{Trims: 1, Restarts: 1}},
		{Name: "two keys", Actors: []Actor{{0, Reader, 0, 2}, {1, Reader, 1, 2 + more}, {0, KeyWriter, 0, 1}, {1, TagWriter, 0, 1}}, Faults: Faults{Trims: 1, Losses: 1}},
		{Name: "key and losses", Actors: []Actor{reader(0, 2), reader(1, often), writer(0, KeyWriter, 1), writer(1, KeyWriter, 1)}, Faults: Faults{Losses: 1 + more, Restarts: 1}},
		{Name: "tag and losses", Actors: []Actor{reader(0, 2), reader(1, often), writer(0, TagWriter, 1), writer(1, TagWriter, 1)}, Faults: Faults{Losses: 1 + more, Restarts: 1}},
		{Name: "key and failover", Actors: []Actor{reader(0, 2+more), reader(1, 2), writer(1, KeyWriter, 1)}, Faults: Faults{Failovers: 1}},
		{Name: "tag and failover", Actors: []Actor{reader(0, 2+more), reader(1, 2), writer(1, TagWriter, 1)}, Faults: Faults{Failovers: 1}},
		{Name: "flights", Actors: []Actor{reader(0, 2), reader(0, 2), reader(1, 1+more), writer(1, TagWriter, 1)}, Flights: true, Faults: Faults{Trims: 1}},
		{Name: "flights by key", Actors: []Actor{reader(0, 2), reader(0, 2), writer(1, KeyWriter, 2)}, Flights: true, Faults: Faults{Losses: 1, Trims: 1, Failovers: more}},
		{Name: "intents", Actors: []Actor{reader(1, 3+more), writer(0, KeyWriter, 1), writer(0, TagWriter, 1)}, Intents: true, Faults: Faults{Deaths: 1}},
		{Name: "intents and losses", Actors: []Actor{reader(1, 3), writer(0, KeyWriter, 1)}, Intents: true, Faults: Faults{Deaths: 1, Losses: 1 + more}},
		{Name: "intents and failover", Actors: []Actor{reader(1, 2+more), writer(0, TagWriter, 1)}, Intents: true, Faults: Faults{Deaths: 1, Failovers: 1}},
		{Name: "frozen processes", Actors: []Actor{reader(1, 3), writer(0, KeyWriter, 1), writer(1, TagWriter, 1+more)}, Intents: true, Slow: true, Faults: Faults{Deaths: 1}},
		{Name: "fence by key", Actors: []Actor{reader(0, 2), reader(1, often), writer(0, KeyWriter, 2)}, Lag: true, Faults: Faults{Trims: 1, Restarts: more}},
		{Name: "fence and losses", Actors: []Actor{reader(0, 2), reader(1, 1+more), writer(1, TagWriter, 1)}, Lag: true, Faults: Faults{Losses: 1}},
		{Name: "fence and failover", Actors: []Actor{reader(0, 2), reader(1, 1+more), writer(1, KeyWriter, 1)}, Lag: true, Faults: Faults{Failovers: 1}},
		{Name: "fence by tag", Actors: []Actor{reader(0, 2), reader(1, often), writer(0, TagWriter, 2)}, Lag: true, Faults: Faults{Trims: 1, Restarts: more}},
	}
}

// TestModel finds no history in which somebody is answered with old data.
func TestModel(t *testing.T) {
	more, often := uint8(1), uint8(2)
	switch {
	case *large:
		more = 2
	case raced: // ten times slower
		more, often = 0, 1
	}
	for _, c := range configs(more, often) {
		t.Run(c.Name, func(t *testing.T) {
			r := Search(c)
			t.Logf("%9d states, %9d transitions, depth %d, %.1f s", r.States, r.Transitions, r.Depth, r.Elapsed.Seconds())
			if r.Stale != nil {
				t.Errorf("stale after\n%s", strings.Join(r.Stale, "\n"))
			}
		})
	}
}
