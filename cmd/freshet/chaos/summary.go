package main

import (
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/freshet-dev/freshet/cmd/freshet/chaos/internal/report"
)

// wrong are the kinds of violation, in the order in which they are told.
var wrong = []struct{ kind, what string }{
	{"stale", "stale answers"},
	{"lost", "lost invalidations"},
	{"overdue", "overdue invalidations"},
	{"foreign", "answers to another request"},
	{"broken", "incomplete answers"},
	{"no ttl", "searches that found keys without TTL"},
	{"error", "errors that reached a client"},
	{"crash", "processes that ended by themselves"},
}

// summary writes what has happened.
func (r *run) summary(w io.Writer) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	line := func(what, format string, args ...any) { fmt.Fprintf(t, "%s\t%s\n", what, fmt.Sprintf(format, args...)) }
	n := r.report.Of
	faults, failed := r.injector.Counts()
	all := 0
	for _, count := range faults {
		all += count
	}
	fmt.Fprintln(w)
	line("run", "%s%s, %d processes, %v, faults %s, seed %d, intent deadline %v", r.Topology, behind[r.Gateway], r.Processes, r.Duration, r.Faults, r.Seed, r.Deadline)
	line("operations", "%d", n("read")+n("write"))
	line("reads", "%d: %d hits, %d shared, %d handler runs (%.0f%% hits); %s", n("read"), n("hit"), n("shared"), n("run"),
		100*float64(n("hit"))/float64(max(1, n("hit")+n("shared")+n("run"))), report.List(r.report.Counts("read of ")))
	line("past their lifetime", "%s (of rules that allow it; nothing that was invalidated)", report.List(r.report.Counts("stale on purpose: ")))
	line("misses", "%s", report.List(r.report.Counts("miss: ")))
	line("writes", "%d: %s", n("write"), report.List(r.report.Counts("write: ")))
	line("invalidations", "%s; pending %d", report.List(r.report.Counts("invalidation: ")), n("pending"))
	line("faults", "%d: %s", all, report.List(faults))
	line("faults gone wrong", "%d", failed)
	line("without answer", "%s (their process was killed or frozen); %d writes to processes that were killed",
		report.List(r.report.Counts("no answer: ")), n("orphaned"))
	line("refused writes", "%d", n("refused"))
	line("servers searched for TTLs", "%d", n("server searched"))
	longest := r.ledger.Longest()
	line("longest delay", "%v after a write's process was killed; %v of any change, outages included",
		longest.Killed.Round(time.Millisecond), longest.Any.Round(time.Millisecond))
	line("after dying at the commit", "%s until the old answers were gone", r.traffic.Deaths())
	line("all fresh after the end", "%v", r.settled.Round(time.Millisecond))
	found := r.report.Violations()
	for _, k := range wrong {
		line(k.what, "%d", found[k.kind])
	}
	_ = t.Flush()
	if len(found) > 0 {
		fmt.Fprintf(w, "\nchaos: VIOLATED, see %s\n", r.dir)
	} else {
		fmt.Fprintf(w, "\nchaos: no violations\n")
	}
}
