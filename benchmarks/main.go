// Command benchmarks compares hits of freshet over HTTP with the least that a
// handler can do: writing constant bytes for the embedded store, one bare MGET
// of the same bytes for Redis.
//
// Every variant is served by a process of its own, so that its CPU time can be
// read from the operating system, and loaded by another one over loopback
// connections that are kept alive. Windows of all variants take turns, and each
// round gives ratios of its own, so that what slows the machine down for a
// while slows all of them. Medians are printed.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"time"

	"github.com/freshet-dev/freshet/benchmarks/internal/measure"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "benchmarks:", err)
		os.Exit(1)
	}
}

// run plays one of three parts: the comparison, or one of the processes that it
// starts from this same program.
func run(args []string) error {
	if len(args) > 0 && args[0] == roleServe {
		return serve(args[1:], os.Stdin, os.Stdout)
	}
	if len(args) > 0 && args[0] == measure.RoleLoad {
		return measure.Load(args[1:], os.Stdin, os.Stdout)
	}
	p, err := parsePlan(args)
	if errors.Is(err, flag.ErrHelp) {
		return nil
	}
	if err != nil {
		return err
	}
	return p.run(os.Stdout)
}

// plan is what is to be measured.
type plan struct {
	window      time.Duration
	rounds      int
	connections []int
	bodies      []int
}

// parsePlan reads the command line.
func parsePlan(args []string) (plan, error) {
	flags := flag.NewFlagSet("benchmarks", flag.ContinueOnError)
	seconds := flags.Float64("seconds", 1, "length of a window in `seconds`")
	rounds := flags.Int("rounds", 9, "windows per variant")
	connections := flags.String("connections", "64,1", "numbers of connections")
	bodies := flags.String("bodies", "4096,256,65536", "sizes of the body in `bytes`")
	short := flags.Bool("short", false, "a few moments of everything, to see that it runs")
	if err := flags.Parse(args); err != nil {
		return plan{}, err
	}
	if *short {
		*seconds, *rounds, *bodies = 0.1, 1, "4096"
	}
	p := plan{window: time.Duration(*seconds * float64(time.Second)), rounds: *rounds}
	var err error
	if p.connections, err = measure.Numbers("connections", *connections); err != nil {
		return plan{}, err
	}
	if p.bodies, err = measure.Numbers("bodies", *bodies); err != nil {
		return plan{}, err
	}
	if flags.NArg() > 0 || p.window <= 0 || p.rounds < 1 {
		return plan{}, errors.New("arguments are flags only, -seconds and -rounds are positive")
	}
	return p, nil
}
