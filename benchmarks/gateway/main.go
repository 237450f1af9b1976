// Command gateway compares hits of "freshet serve" over HTTP/1.1, on the embedded
// store and on Redis, with those of nginx (proxy_cache) and Varnish, and with the
// least that a Go server can do: writing constant bytes.
//
// All stand before the same origin and are loaded over loopback connections that
// are kept alive, by a process of its own. Windows of all take turns, and each
// round gives ratios of its own, so that what slows the machine down for a while
// slows all of them. CPU time is that of a server's whole process tree, from
// /proc: this runs on Linux only. What is not installed is left out, and said so.
//
// With -flood, it shows instead how freshet bears many connections, slow clients and
// large bodies: what it holds in memory, what fails, and how hits of others fare.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/freshet-dev/freshet/benchmarks/internal/measure"
)

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "gateway:", err)
		os.Exit(1)
	}
}

// run measures what it is told to, or plays the part of one of the processes that are
// started from this same program for it.
func run(args []string, out io.Writer) error {
	switch {
	case len(args) > 0 && args[0] == roleOrigin:
		return origin(args[1:], os.Stdin, out)
	case len(args) > 0 && args[0] == roleUpstream:
		return upstream(os.Stdin, out)
	case len(args) > 0 && args[0] == roleCrowd:
		return crowd(args[1:], os.Stdin, out)
	case len(args) > 0 && args[0] == measure.RoleLoad:
		return measure.Load(args[1:], os.Stdin, out)
	}
	p, err := parsePlan(args)
	if errors.Is(err, flag.ErrHelp) {
		return nil
	}
	if err != nil {
		return err
	}
	if p.flood != nil {
		return p.flood.run(out)
	}
	return p.run(out)
}

// plan is what is to be measured.
type plan struct {
	window      time.Duration
	rounds      int
	connections []int
	bodies      []int
	flood       *flood // instead, if not nil
}

// parsePlan reads the command line.
func parsePlan(args []string) (plan, error) {
	flags := flag.NewFlagSet("gateway", flag.ContinueOnError)
	seconds := flags.Float64("seconds", 1, "length of a window in `seconds`")
	rounds := flags.Int("rounds", 9, "windows per server")
	connections := flags.String("connections", "64,1", "numbers of connections")
	bodies := flags.String("bodies", "4096", "sizes of the body in `bytes`")
	short := flags.Bool("short", false, "a few moments of everything, to see that it runs")
	floods := flags.Bool("flood", false, "bring 10,000 connections, slow clients and bodies of 1 GiB to freshet instead")
	if err := flags.Parse(args); err != nil {
		return plan{}, err
	}
	if *short {
		*seconds, *rounds = 0.1, 1
	}
	p := plan{window: time.Duration(*seconds * float64(time.Second)), rounds: *rounds}
	if *floods {
		p.flood = &flood{window: 10 * p.window, visitors: 10_000, slow: 1000, large: 1 << 30}
		if *short {
			p.flood = &flood{window: 200 * time.Millisecond, visitors: 200, slow: 50, large: 16 << 20}
		}
	}
	if flags.NArg() > 0 || p.window <= 0 || p.rounds < 1 {
		return plan{}, errors.New("arguments are flags only, -seconds and -rounds are positive")
	}
	var err, bad error
	p.connections, err = measure.Numbers("connections", *connections)
	p.bodies, bad = measure.Numbers("bodies", *bodies)
	return p, errors.Join(err, bad)
}
