package main

import (
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"text/tabwriter"
	"time"

	"github.com/freshet-dev/freshet/benchmarks/internal/measure"
)

// flood is what is asked of a gateway that many, slow or very large requests come to.
type flood struct {
	window   time.Duration // of each crowd
	visitors int
	slow     int   // of readers, and of writers
	large    int64 // bytes of a large body
}

// stage is one of the floods: it does its worst beside the others and returns how many
// requests it has made and what went wrong.
type stage struct {
	name string
	run  func(addr string) (requests int, note string, err error)
}

func (f flood) stages() []stage {
	length := fmt.Sprintf("%d MiB ", f.large>>20)
	return []stage{
		{"no flood", func(string) (int, string, error) { time.Sleep(f.window); return 0, "0", nil }},
		{fmt.Sprintf("%d connections", f.visitors), f.crowd(visitors, f.visitors)},
		{fmt.Sprintf("%d slow readers", f.slow), f.crowd(readers, f.slow)},
		{fmt.Sprintf("%d slow writers", f.slow), f.crowd(writers, f.slow)},
		{length + "down", f.download("")},
		{length + "down, chunked", f.download("?chunked")},
		{length + "up", f.upload(f.large)},
		{length + "up, chunked", f.upload(-1)},
	}
}

// run has each stage come to a gateway of its own, before an upstream of its own, and
// prints how it fares: the most memory that it has held, and how long hits of others
// took meanwhile.
func (f flood) run(out io.Writer) (err error) {
	b := new(bench)
	if b.dir, err = os.MkdirTemp("", "freshet-flood-"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(b.dir)) }()
	if b.binary, err = build(b.dir); err != nil {
		return err
	}
	if f.visitors, err = f.room(out); err != nil {
		return err
	}
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "flood\trequests\tits failures\tmost memory, MiB\thits of others\tfailed\tp50 ms\tp99 ms\t")
	for _, s := range f.stages() {
		line, err := b.endure(s)
		if err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
		fmt.Fprintln(table, line)
	}
	return table.Flush()
}

// spare is how many files a process has open besides the connections of a crowd.
const spare = 200

// room returns how many visitors the limit of open files admits, and says so if that
// is fewer than asked for. Each process has the limit for itself.
func (f flood) room(out io.Writer) (int, error) {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return 0, err
	}
	// The runtime of Go raises a process's own limit to the most it may have.
	most := int(min(limit.Max, math.MaxInt32)) - spare
	if f.visitors > most {
		fmt.Fprintf(out, "no more than %d files may be open (ulimit -n): %d connections instead of %d\n", limit.Max, most, f.visitors)
	}
	return min(f.visitors, most), nil
}

// endure has one stage come to a gateway, and returns its line in the table.
func (b *bench) endure(s stage) (line string, err error) {
	upstream, at, err := measure.Start(roleUpstream)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, upstream.Stop()) }()
	gateway, err := server{embedded, func(b *bench, addr, _ string) (*exec.Cmd, error) {
		return b.freshet(addr, "REDIS_CACHE_ENABLED=true"), nil
	}}.launch(b, at)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, gateway.stop()) }()
	if err := fill(gateway.addr); err != nil {
		return "", err
	}
	beside, _, err := measure.Start(roleCrowd, gateway.addr, others, "8")
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, beside.Stop()) }()
	var word string
	if err := beside.Ask("begin", &word); err != nil {
		return "", err
	}
	requests, note, err := s.run(gateway.addr)
	if err != nil {
		return "", err
	}
	var r result
	if err := r.end(beside); err != nil {
		return "", err
	}
	memory, err := gateway.memory()
	return fmt.Sprintf("%s\t%d\t%s\t%.0f\t%d\t%s\t%.1f\t%.1f\t", s.name, requests, note, float64(memory)/(1<<20), r.requests, r.failures(0), r.p50/1e6, r.p99/1e6), err
}

// result is what a crowd says in the end.
type result struct {
	requests, failed int
	p50, p99         float64 // ns
	why              string  // the first failure
}

func (r *result) end(c *measure.Child) error {
	return c.Ask("end", &r.requests, &r.failed, &r.p50, &r.p99, &r.why)
}

// failures says how many clients have failed, those included that could not connect.
func (r *result) failures(unconnected int) string {
	text := strconv.Itoa(r.failed + unconnected)
	if r.failed > 0 {
		text += " (" + r.why + ")"
	}
	return text
}

// crowd returns a stage of n clients of a kind.
func (f flood) crowd(kind string, n int) func(addr string) (int, string, error) {
	return func(addr string) (int, string, error) {
		c, ready, err := measure.Start(roleCrowd, addr, kind, strconv.Itoa(n))
		if err != nil {
			return 0, "", err
		}
		unconnected, err := strconv.Atoi(ready)
		var word string
		if err = errors.Join(err, c.Ask("begin", &word)); err == nil {
			time.Sleep(f.window)
		}
		var r result
		err = errors.Join(err, r.end(c), c.Stop())
		return r.requests, r.failures(unconnected), err
	}
}

// download returns a stage that gets a large answer, as it is.
func (f flood) download(query string) func(addr string) (int, string, error) {
	return func(addr string) (int, string, error) {
		res, err := http.Get(fmt.Sprintf("http://%s/large/%d%s", addr, f.large, query))
		if err != nil {
			return 0, "", err
		}
		defer res.Body.Close()
		came, err := digest(res.Body)
		return 1, f.verdict(came), err
	}
}

// upload returns a stage that sends a large body; a length of -1 is not stated. The
// upstream says what has come.
func (f flood) upload(length int64) func(addr string) (int, string, error) {
	return func(addr string) (int, string, error) {
		r, err := http.NewRequest(http.MethodPost, "http://"+addr+"/sink", io.LimitReader(new(content), f.large))
		if err != nil {
			return 0, "", err
		}
		r.ContentLength = length
		res, err := http.DefaultClient.Do(r)
		if err != nil {
			return 0, "", err
		}
		defer res.Body.Close()
		var came string
		_, err = fmt.Fscan(res.Body, &came)
		return 1, f.verdict(came), err
	}
}

// verdict says in the words of the table whether a large body has come as it was.
func (f flood) verdict(came string) string {
	wanted, err := digest(io.LimitReader(new(content), f.large))
	if err != nil || came != wanted {
		return "1 (other bytes)"
	}
	return "0"
}
