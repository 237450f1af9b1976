package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"text/tabwriter"

	"github.com/freshet-dev/freshet/cmd/freshet/chaos/internal/report"
)

// controls runs without one guard after the other, and tells what was found. The
// error says that something was not found that is there, or the other way round.
func (c *runCommand) controls(ctx context.Context) error {
	t := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "without\twhat it is for\tfaults\treads\tfound\t")
	var errs []error
	for _, g := range guards() {
		run := *c
		run.Without, run.Faults, run.Duration, run.Quiet = g.guard, g.faults, g.duration, true
		r, err := run.attack(ctx)
		if err != nil {
			return fmt.Errorf("without %s: %w", g.guard, err)
		}
		found := r.report.Violations()
		verdict := report.List(found)
		if !g.agrees(found) {
			verdict += " NOT WHAT IT SHOULD"
			errs = append(errs, fmt.Errorf("without %s: found %q, and should find one of %q", g.guard, report.List(found), g.finds))
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%d\t%s\t\n", g.guard, g.what, g.faults, r.report.Of("read"), verdict)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	return errors.Join(errs...)
}

// agrees reports whether one of the kinds was found that should be; or nothing,
// where nothing should.
func (g control) agrees(found map[string]int64) bool {
	for _, kind := range g.finds {
		if found[kind] > 0 {
			return true
		}
	}
	return len(g.finds) == 0 && len(found) == 0
}
