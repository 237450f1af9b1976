// Command attack runs the stale-set race, the stampede and the write of a whole
// group against freshet and against what a Go API could be cached with instead,
// each used as its documentation shows, on a redis-server of its own.
//
// The race is laid out step by step with channels, so that its outcome is a
// property of the library and not of the machine.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"

	"github.com/freshet-dev/freshet/internal/redistest"
)

func main() {
	if err := run(os.Args[1:]); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "attack:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	flags := flag.NewFlagSet("attack", flag.ContinueOnError)
	p := plan{}
	flags.IntVar(&p.rounds, "rounds", 200, "rounds of the stale-set race")
	flags.IntVar(&p.readers, "readers", 50, "readers of the stampede")
	flags.IntVar(&p.rows, "rows", 1000, "rows of the group")
	markdown := flags.Bool("markdown", false, "print the table as Markdown")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() > 0 || p.rounds < 1 || p.readers < 1 || p.rows < 20 {
		return errors.New("arguments are flags only, -rounds and -readers are positive, -rows is 20 or more")
	}
	server, err := redistest.Launch()
	if err != nil {
		return err
	}
	defer server.Close()
	results, err := p.attackAll(context.Background(), server)
	if err != nil {
		return err
	}
	if *markdown {
		return p.printMarkdown(os.Stdout, results)
	}
	return p.printText(os.Stdout, results)
}

// plan is how much is attacked.
type plan struct {
	rounds, readers, rows int
}

// result is what the attacks on one rival came to.
type result struct {
	rival
	stale int // of plan.rounds
	loads int // for plan.readers
	group *survivors
}

// attackAll attacks every rival in turn.
func (p plan) attackAll(ctx context.Context, server *redistest.Server) ([]result, error) {
	var results []result
	for _, r := range rivals() {
		// What the one before has stored would be found under the same keys.
		if _, err := server.Do("FLUSHALL"); err != nil {
			return nil, err
		}
		got, err := p.attack(ctx, r, server.Addr)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", r.name, err)
		}
		results = append(results, got)
	}
	return results, nil
}

func (p plan) attack(ctx context.Context, r rival, addr string) (result, error) {
	o := newOrigin()
	c, err := r.build(o, addr)
	if err != nil {
		return result{}, err
	}
	defer c.close()
	if err := works(ctx, c, o); err != nil {
		return result{}, err
	}
	got := result{rival: r}
	if got.stale, err = staleSet(ctx, c, o, p.rounds); err != nil {
		return result{}, err
	}
	if got.loads, err = stampede(ctx, c, o, p.readers); err != nil {
		return result{}, err
	}
	if w, ok := c.(grouped); ok {
		left, err := group(ctx, c, w, o, p.rows)
		if err != nil {
			return result{}, err
		}
		got.group = &left
	}
	return got, nil
}
