package main

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"text/tabwriter"
	"time"

	"github.com/freshet-dev/freshet/benchmarks/internal/measure"
	"github.com/freshet-dev/freshet/internal/redistest"
)

// run measures every combination of the plan and prints a table for each.
func (p plan) run(out io.Writer) (err error) {
	b := new(bench)
	if b.dir, err = os.MkdirTemp("", "freshet-gateway-"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(b.dir)) }()
	// Servers that give up root's rights read their files here.
	if err := os.Chmod(b.dir, 0o755); err != nil {
		return err
	}
	if b.binary, err = build(b.dir); err != nil {
		return err
	}
	if b.redis, err = redistest.Launch(); err != nil {
		return err
	}
	defer b.redis.Close()
	for _, body := range p.bodies {
		for _, connections := range p.connections {
			rows, err := p.compare(out, b, body, connections)
			if err != nil {
				return err
			}
			fmt.Fprintf(out, "\nbody %d bytes, %d connections, medians of %d windows of %v\n", body, connections, p.rounds, p.window)
			if err := printTable(out, rows); err != nil {
				return err
			}
		}
	}
	return nil
}

// subject is a server under measurement and the process that loads it.
type subject struct {
	name   string
	server *process
	load   *measure.Child
	origin *measure.Child
	ran    int // how often the origin has, so far
}

// compare measures all servers in turns and returns the samples of each.
func (p plan) compare(out io.Writer, b *bench, body, connections int) (rows map[string][]measure.Sample, err error) {
	if _, err := b.redis.Do("FLUSHALL"); err != nil {
		return nil, err
	}
	var subjects []*subject
	var names []string
	defer func() {
		for _, s := range subjects {
			err = errors.Join(err, s.stop())
		}
	}()
	for _, server := range servers {
		s, err := server.subject(b, body, connections)
		if errors.Is(err, errMissing) {
			fmt.Fprintln(out, err)
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", server.name, err)
		}
		subjects, names = append(subjects, s), append(names, s.name)
		// Not counted: pools fill, buffers grow.
		if _, err := s.measure(p.window / 2); err != nil {
			return nil, err
		}
	}
	return measure.Turns(names, p.rounds, func(i int) (measure.Sample, error) { return subjects[i].measure(p.window) })
}

// subject starts the server, before an origin of its own, fills its cache, and
// aims a load at it.
func (s server) subject(b *bench, body, connections int) (sub *subject, err error) {
	sub = &subject{name: s.name}
	defer func() {
		if err != nil {
			err = errors.Join(err, sub.stop())
		}
	}()
	var at string
	if sub.origin, at, err = startOrigin(body); err != nil {
		return sub, err
	}
	if s.start == nil {
		sub.server = &process{cmd: sub.origin.Command(), addr: at}
	} else if sub.server, err = s.launch(b, at); err != nil {
		return sub, err
	}
	if err := fill(sub.server.addr); err != nil {
		return sub, err
	}
	if err := sub.origin.Ask("runs", &sub.ran); err != nil {
		return sub, err
	}
	sub.load, _, err = measure.Start(measure.RoleLoad, sub.server.addr, strconv.Itoa(connections), strconv.Itoa(body), path)
	return sub, err
}

// fill asks twice for what will be asked for: nginx keeps what it has begun to
// answer with only once it has ended.
func fill(addr string) error {
	for range 2 {
		r, err := http.NewRequest(http.MethodGet, "http://"+addr+path, nil)
		if err != nil {
			return err
		}
		r.Host = measure.Host // which is part of what caches keep answers under
		w, err := http.DefaultClient.Do(r)
		if err != nil {
			return err
		}
		_, err = io.Copy(io.Discard, w.Body)
		if err := errors.Join(err, w.Body.Close()); err != nil {
			return err
		}
	}
	return nil
}

// launch starts the server before origin. An address is free only until somebody else
// takes it; then there is another.
func (s server) launch(b *bench, origin string) (p *process, err error) {
	for range 3 {
		if p, err = s.launchOnce(b, origin); !errors.Is(err, errEnded) {
			break
		}
	}
	return p, err
}

func (s server) launchOnce(b *bench, origin string) (*process, error) {
	addr, err := free()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp(b.dir, "server-")
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		return nil, err
	}
	b.origin = origin
	cmd, err := s.start(b, addr, filepath.Clean(dir))
	if err != nil {
		return nil, err
	}
	return launch(addr, cmd)
}

func (s *subject) stop() (err error) {
	if s.load != nil {
		err = s.load.Stop()
	}
	if s.server != nil && s.name != constantName {
		err = errors.Join(err, s.server.stop())
	}
	if s.origin != nil {
		err = errors.Join(err, s.origin.Stop())
	}
	return err
}

// measure loads the server for d. It fails when answers did not come from the cache:
// the time of misses would answer another question.
func (s *subject) measure(d time.Duration) (measure.Sample, error) {
	before, err := s.server.used()
	if err != nil {
		return measure.Sample{}, err
	}
	var requests, took, p50, p99 float64
	if err := s.load.Ask(strconv.FormatInt(d.Milliseconds(), 10), &requests, &took, &p50, &p99); err != nil {
		return measure.Sample{}, err
	}
	after, err := s.server.used()
	if err != nil {
		return measure.Sample{}, err
	}
	var ran int
	if err := s.origin.Ask("runs", &ran); err != nil {
		return measure.Sample{}, err
	}
	// One in a thousand changes nothing: a store may be asked too late on a busy machine.
	if misses := ran - s.ran; s.name != constantName && misses > 1+int(requests)/1000 {
		return measure.Sample{}, fmt.Errorf("%s: %d of %.0f requests were no hits", s.name, misses, requests)
	}
	s.ran = ran
	return measure.Sample{
		Rate: requests / took * 1e9,
		CPU:  float64((after - before).Microseconds()) / requests,
		P50:  p50 / 1e3,
		P99:  p99 / 1e3,
	}, nil
}

// printTable prints the medians of each server, and its ratios to the least that a
// Go server can do.
func printTable(out io.Writer, rows map[string][]measure.Sample) error {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "server\trequests/s\tCPU µs/request\tp50 µs\tp99 µs\tits CPU / constant's\t")
	least := rows[constantName]
	for _, server := range servers {
		s := rows[server.name]
		if len(s) == 0 {
			continue
		}
		fmt.Fprintf(table, "%s\t%.0f\t%.1f\t%.0f\t%.0f\t%s\t\n", server.name, measure.Median(s, measure.Rate), measure.Median(s, measure.CPU),
			measure.Median(s, measure.P50), measure.Median(s, measure.P99), measure.Ratio(s, least, measure.CPU))
	}
	return table.Flush()
}
