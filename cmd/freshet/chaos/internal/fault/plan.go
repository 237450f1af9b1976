package fault

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"time"
)

// Step is one fault of a plan.
type Step struct {
	At     time.Duration // since the beginning of the run
	Length time.Duration // how long what it does lasts, where that is its choice
	Seed   uint64        // of its other choices
	fault  fault
}

// String returns the step in one line.
func (s Step) String() string {
	return fmt.Sprintf("%7.2fs %-16s %5.2fs", s.At.Seconds(), s.fault.name, s.Length.Seconds())
}

// Plan returns the faults of a run: the same for the same seed. names are those
// to use, by name or by what they begin with ("api" for api-kill and
// api-freeze), separated by commas; "all" is every one that suits the topology,
// "none" is none. All kinds take their turns. Most follow each other closely,
// some overlap, and now and then there is a quiet phase, in which the cache fills
// and what is overdue shows.
func Plan(topology, names string, duration time.Duration, seed uint64) ([]Step, error) {
	kinds, err := choose(topology, names)
	if err != nil || len(kinds) == 0 {
		return nil, err
	}
	r := rand.New(rand.NewPCG(seed, 0))
	var steps []Step
	var bag []fault
	for at := min(time.Second, duration/10); ; at += gap(r) {
		length := 100*time.Millisecond + time.Duration(r.ExpFloat64()*float64(700*time.Millisecond))
		length = min(length, 4*time.Second)
		if at+length > duration {
			return steps, nil
		}
		if len(bag) == 0 {
			bag = append(bag, kinds...)
			r.Shuffle(len(bag), func(i, j int) { bag[i], bag[j] = bag[j], bag[i] })
		}
		steps = append(steps, Step{At: at, Length: length, Seed: r.Uint64(), fault: bag[0]})
		bag = bag[1:]
	}
}

// gap returns the time between the beginnings of two faults.
func gap(r *rand.Rand) time.Duration {
	switch p := r.Float64(); {
	case p < 0.08:
		return 4*time.Second + upTo(r, 6*time.Second)
	case p < 0.25:
		return 0
	default:
		return 100*time.Millisecond + upTo(r, 1400*time.Millisecond)
	}
}

func upTo(r *rand.Rand, d time.Duration) time.Duration { return time.Duration(r.Int64N(int64(d))) }

// choose returns the faults that names stands for.
func choose(topology, names string) (chosen []fault, err error) {
	if names == "none" {
		return nil, nil
	}
	for name := range strings.SplitSeq(names, ",") {
		found := false
		for _, f := range catalogue() {
			if name != "all" && !strings.HasPrefix(f.name, name) {
				continue
			}
			found = true
			if f.suits(topology) {
				chosen = append(chosen, f)
			}
		}
		if !found {
			return nil, fmt.Errorf("there is no fault %q: there are all, none, %s", name, strings.Join(Names(), ", "))
		}
	}
	return chosen, nil
}

// Names returns the names of all faults.
func Names() (names []string) {
	for _, f := range catalogue() {
		names = append(names, f.name)
	}
	return names
}
