// Command pattern measures the invalidation of a pattern that matches ten of many
// keys in a redis-server of its own, by freshet and by what is done without it:
// SCAN or KEYS, and UNLINK of what they find. Meanwhile other entries are hit at a
// steady rate, to show what the others notice.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"time"

	"github.com/freshet-dev/freshet/internal/redistest"
)

func main() {
	if err := run(os.Args[1:]); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "pattern:", err)
		os.Exit(1)
	}
}

// plan is how much is measured.
type plan struct {
	keys   int
	rounds int           // invalidations by each method
	rate   int           // hits a second
	calm   time.Duration // for which hits are measured with nothing else going on
	quiet  time.Duration // after which freshet's sweep will not begin again
}

func parsePlan(args []string) (plan, error) {
	// After a walk over many keys the sweep rests for ten seconds.
	p := plan{calm: 5 * time.Second, quiet: 12 * time.Second}
	flags := flag.NewFlagSet("pattern", flag.ContinueOnError)
	flags.IntVar(&p.keys, "keys", 1_000_000, "keys in Redis")
	flags.IntVar(&p.rounds, "rounds", 3, "invalidations by each method")
	flags.IntVar(&p.rate, "rate", 1000, "hits a second")
	short := flags.Bool("short", false, "10,000 keys and one round")
	if err := flags.Parse(args); err != nil {
		return plan{}, err
	}
	if *short {
		p.keys, p.rounds, p.calm, p.quiet = 10_000, 1, 100*time.Millisecond, 300*time.Millisecond
	}
	// Each round of each method has a user of its own, and so have the hits.
	if flags.NArg() > 0 || p.rounds < 1 || p.rate < 1 || p.keys < perUser*(1+p.rounds*len(methods)) {
		return plan{}, errors.New("arguments are flags only, -rounds and -rate are positive, -keys is enough for all rounds")
	}
	return p, nil
}

func run(args []string) error {
	p, err := parsePlan(args)
	if err != nil {
		return err
	}
	server, err := redistest.Launch()
	if err != nil {
		return err
	}
	defer server.Close()
	ctx := context.Background()
	s, err := newSubject(server)
	if err != nil {
		return err
	}
	defer s.close()
	if err := s.fill(ctx, p.keys); err != nil {
		return err
	}
	rows, err := p.measure(ctx, s)
	if err != nil {
		return err
	}
	return p.print(os.Stdout, rows)
}

// row is one line of the table.
type row struct {
	name   string
	took   time.Duration // the median of an invalidation
	served int           // of the entries that it covers, still served when it had returned
	during []window      // when it was at work
	hits   latencies     // meanwhile
}

// measure measures hits with nothing going on, and then each method in turn.
func (p plan) measure(ctx context.Context, s *subject) ([]row, error) {
	stream := s.hit(p.rate)
	begin := time.Now()
	time.Sleep(p.calm)
	rows := []row{{name: "(none)", during: []window{{begin, time.Now()}}}}
	for i, m := range methods {
		r, err := p.try(ctx, s, m, 1+i*p.rounds)
		if err != nil {
			return nil, errors.Join(err, stream.end())
		}
		rows = append(rows, r)
	}
	if err := stream.end(); err != nil {
		return nil, err
	}
	for i, r := range rows {
		rows[i].hits = stream.within(r.during)
	}
	return rows, nil
}

// try has m invalidate the posts of as many users as there are rounds, each once
// they are cached, and waits for what it has left to be done in background.
func (p plan) try(ctx context.Context, s *subject, m method, user int) (row, error) {
	r := row{name: m.name}
	var took []time.Duration
	for ; len(took) < p.rounds; user++ {
		if _, err := s.read(user); err != nil {
			return r, err
		}
		begin := time.Now()
		if err := m.drop(ctx, s, fmt.Sprintf("*:user_%d", user)); err != nil {
			return r, err
		}
		took = append(took, time.Since(begin))
		r.during = append(r.during, window{begin, time.Now()})
		loaded, err := s.read(user)
		if err != nil {
			return r, err
		}
		r.served += perUser - loaded
	}
	r.took = median(took)
	if !m.sweeps {
		return r, nil
	}
	sweeps, err := s.sweeps(ctx, p.quiet)
	r.during = append(r.during, sweeps...)
	return r, err
}
