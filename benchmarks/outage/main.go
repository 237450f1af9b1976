// Command outage freezes Redis under an API that is asked 200 times a second, and
// measures what its clients notice: before, during and after.
//
// The API is a process of its own with the store's default settings, which
// REDIS_CACHE_LOOKUP_TIMEOUT and others change. Requests are sent when they are
// due, answered or not, so that one that waits does not keep others from coming.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/freshet-dev/freshet/internal/redistest"
)

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "outage:", err)
		os.Exit(1)
	}
}

// run plays one of two parts: the clients, or the API that they ask.
func run(args []string, out io.Writer) error {
	if len(args) > 0 && args[0] == roleServe {
		return serve(args[1:], os.Stdin, out)
	}
	p, err := parsePlan(args)
	if err != nil {
		return err
	}
	return p.run(out)
}

// plan is what is to be done.
type plan struct {
	rate         int           // requests per second
	phase        time.Duration // of each: before, frozen, after
	keys, writes int           // one request in so many is a write
}

// parsePlan reads the command line.
func parsePlan(args []string) (plan, error) {
	p := plan{keys: 50, writes: 50}
	flags := flag.NewFlagSet("outage", flag.ContinueOnError)
	flags.IntVar(&p.rate, "rate", 200, "requests per second")
	flags.DurationVar(&p.phase, "phase", 20*time.Second, "how long Redis works, is frozen, and works again")
	short := flags.Bool("short", false, "phases of two seconds, to see that it runs")
	if err := flags.Parse(args); err != nil {
		return plan{}, err
	}
	if *short {
		p.phase = 2 * time.Second
	}
	if flags.NArg() > 0 || p.rate < 1 || p.phase <= 0 {
		return plan{}, errors.New("arguments are flags only, -rate and -phase are positive")
	}
	return p, nil
}

func (p plan) run(out io.Writer) error {
	redis, err := redistest.Launch()
	if err != nil {
		return err
	}
	defer redis.Close()
	samples, frozen, err := p.measure(redis)
	if err != nil {
		return err
	}
	return p.print(out, samples, frozen)
}
