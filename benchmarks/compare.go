package main

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/freshet-dev/freshet/benchmarks/internal/measure"
	"github.com/freshet-dev/freshet/internal/redistest"
)

// run measures every combination of the plan and prints a table for each.
func (p plan) run(out io.Writer) error {
	server, err := redistest.Launch()
	if err != nil {
		return err
	}
	defer server.Close()
	for _, body := range p.bodies {
		for _, connections := range p.connections {
			rows, err := p.compare(server, body, connections)
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

// compare measures all variants in turns and returns the samples of each.
func (p plan) compare(redis *redistest.Server, body, connections int) (rows map[string][]measure.Sample, err error) {
	// What the last comparison stored would be found by this one.
	if _, err := redis.Do("FLUSHALL"); err != nil {
		return nil, err
	}
	var subjects []*subject
	defer func() {
		for _, s := range subjects {
			err = errors.Join(err, s.stop())
		}
	}()
	for _, variant := range variants {
		s, err := newSubject(variant, redis, body, connections)
		if err != nil {
			return nil, err
		}
		subjects = append(subjects, s)
		// Not counted: pools fill, buffers grow.
		if _, err := s.measure(p.window / 2); err != nil {
			return nil, err
		}
	}
	return measure.Turns(variants, p.rounds, func(i int) (measure.Sample, error) { return subjects[i].measure(p.window) })
}

// subject is a variant under measurement: a process that serves it and one that
// sends requests.
type subject struct {
	variant string
	redis   *redistest.Server
	server  *measure.Child
	load    *measure.Child
}

func newSubject(variant string, redis *redistest.Server, body, connections int) (*subject, error) {
	server, addr, err := measure.Start(roleServe, variant, redis.Addr, strconv.Itoa(body))
	if err != nil {
		return nil, err
	}
	load, err := aim(addr, body, connections)
	if err != nil {
		return nil, errors.Join(err, server.Stop())
	}
	return &subject{variant: variant, redis: redis, server: server, load: load}, nil
}

// aim starts a process that sends requests to addr, after one request has
// filled the cache there.
func aim(addr string, body, connections int) (*measure.Child, error) {
	response, err := http.Get("http://" + addr + path)
	if err != nil {
		return nil, err
	}
	if err := response.Body.Close(); err != nil {
		return nil, err
	}
	c, _, err := measure.Start(measure.RoleLoad, addr, strconv.Itoa(connections), strconv.Itoa(body), path)
	return c, err
}

func (s *subject) stop() error { return errors.Join(s.load.Stop(), s.server.Stop()) }

// measure loads the server for d.
func (s *subject) measure(d time.Duration) (measure.Sample, error) {
	cpuBefore, redisBefore, err := s.used()
	if err != nil {
		return measure.Sample{}, err
	}
	var requests, took, p50, p99 float64
	if err := s.load.Ask(strconv.FormatInt(d.Milliseconds(), 10), &requests, &took, &p50, &p99); err != nil {
		return measure.Sample{}, err
	}
	cpu, redis, err := s.used()
	if err != nil {
		return measure.Sample{}, err
	}
	return measure.Sample{
		Rate:     requests / took * 1e9,
		CPU:      (cpu - cpuBefore) / requests / 1e3,
		RedisCPU: (redis - redisBefore) / requests / 1e3,
		P50:      p50 / 1e3,
		P99:      p99 / 1e3,
	}, nil
}

// used returns the nanoseconds of CPU time that the server process and Redis
// have used so far. It fails when an answer did not come from the cache: the
// time of misses would answer another question.
func (s *subject) used() (server, redis float64, err error) {
	var runs int
	if err := s.server.Ask("used", &server, &runs); err != nil {
		return 0, 0, err
	}
	if s.variant != constant && runs != 1 {
		return 0, 0, fmt.Errorf("%s: the origin has run %d times, so not every request was a hit", s.variant, runs)
	}
	redis, err = redisUsed(s.redis)
	return server, redis, err
}
