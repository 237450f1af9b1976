package main

import (
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
	"time"
)

// long is a wait that is noticed: half the default lookup timeout.
const long = 250 * time.Millisecond

// phases are what a request can be in, by when it was due.
var phases = []string{"before", "frozen", "after"}

// phaseOf returns the number of the phase that s belongs to.
func (f span) phaseOf(s sample) int {
	switch {
	case s.due < f.from:
		return 0
	case s.due < f.to:
		return 1
	default:
		return 2
	}
}

// summary is what a number of requests came to.
type summary struct {
	requests, hits, waited, failed, stale int
	p50, p99, max                         time.Duration
}

func summarise(samples []sample) summary {
	s := summary{requests: len(samples)}
	var took []time.Duration
	for _, one := range samples {
		took = append(took, one.took)
		s.hits += count(one.hit)
		s.waited += count(one.took >= long)
		s.failed += count(one.err != nil)
		s.stale += count(one.stale)
	}
	if len(took) > 0 {
		slices.Sort(took)
		s.p50, s.p99, s.max = took[len(took)/2], took[len(took)*99/100], took[len(took)-1]
	}
	return s
}

func count(is bool) int {
	if is {
		return 1
	}
	return 0
}

// print prints a line for each phase, reads and writes apart, and how the cache
// came back.
func (p plan) print(out io.Writer, samples []sample, frozen span) error {
	fmt.Fprintf(out, "%d requests a second, one in %d a write; Redis frozen for %.1f s\n",
		p.rate, p.writes, (frozen.to - frozen.from).Seconds())
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "\trequests\tp50 ms\tp99 ms\tmax ms\tover 250 ms\thits\tfailed\tstale\t")
	for _, write := range []bool{false, true} {
		name := "reads"
		if write {
			name = "writes"
		}
		for n, phase := range phases {
			s := summarise(filter(samples, func(s sample) bool { return s.write == write && frozen.phaseOf(s) == n }))
			fmt.Fprintf(table, "%s %s\t%d\t%.1f\t%.1f\t%.1f\t%d\t%d\t%d\t%d\t\n", name, phase,
				s.requests, ms(s.p50), ms(s.p99), ms(s.max), s.waited, s.hits, s.failed, s.stale)
		}
	}
	if err := table.Flush(); err != nil {
		return err
	}
	first, ok := back(samples, frozen)
	if !ok {
		_, err := fmt.Fprintln(out, "hits have not come back")
		return err
	}
	_, err := fmt.Fprintf(out, "the first hit came %.1f s after the thaw\n", first.Seconds())
	return err
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

func filter(samples []sample, keep func(sample) bool) []sample {
	return slices.DeleteFunc(slices.Clone(samples), func(s sample) bool { return !keep(s) })
}

// back returns how long after the thaw the first hit was answered.
func back(samples []sample, frozen span) (first time.Duration, ok bool) {
	for _, s := range samples {
		// One that was due before the thaw may have waited for it.
		if at := s.due + s.took - frozen.to; s.hit && at >= 0 && (!ok || at < first) {
			first, ok = at, true
		}
	}
	return first, ok
}
