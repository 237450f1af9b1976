package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/freshet-dev/freshet/cmd/freshet/chaos/internal/api"
	"github.com/freshet-dev/freshet/cmd/freshet/chaos/internal/fault"
	"github.com/freshet-dev/freshet/cmd/freshet/chaos/internal/fleet"
	"github.com/freshet-dev/freshet/cmd/freshet/chaos/internal/ledger"
	"github.com/freshet-dev/freshet/cmd/freshet/chaos/internal/report"
	"github.com/freshet-dev/freshet/cmd/freshet/chaos/internal/traffic"
)

// runCommand is one run.
type runCommand struct {
	Topology  string        `enum:"standalone,sentinel,cluster" default:"standalone" help:"The Redis to run on: ${enum}."`
	Duration  time.Duration `default:"1m" help:"How long to attack. Healing and the last comparison come on top."`
	Faults    string        `default:"all" placeholder:"LIST" help:"Faults to inject, by names or how they begin: all, none, api, redis-kill,flushall."`
	Seed      uint64        `placeholder:"N" help:"The same number gives the same plan of faults. Default: another one each time."`
	Processes int           `default:"4" placeholder:"N" help:"Processes of the API."`
	Readers   int           `default:"16" placeholder:"N" help:"Clients that read."`
	Writers   int           `default:"4" placeholder:"N" help:"Clients that write."`
	Pause     time.Duration `default:"3ms" placeholder:"D" help:"How long a reader rests between requests, on average; a writer twelve times as long."`
	Slow      float64       `default:"0.08" placeholder:"SHARE" help:"Share of the handlers that pause after reading, or between commit and answer."`
	Longest   time.Duration `default:"400ms" placeholder:"D" help:"The longest of these pauses."`
	Deadline  time.Duration `default:"2s" placeholder:"D" help:"The deadline of write intents."`
	Refuse    bool          `help:"Have writes refused that cannot be put on record (Options.RefuseWrites)."`
	Gateway   bool          `help:"Attack an API without a cache behind a gateway with one, in each process."`
	Without   string        `placeholder:"GUARD" help:"Do without one guard, to see that it is needed."`
	Controls  bool          `help:"Do without one guard after the other, and tell what each run finds."`
	Quiet     bool          `help:"Do not tell what is done, only the outcome."`
	Out       string        `placeholder:"DIR" help:"Keep logs and violations here. Default: a temporary directory, removed if all is well."`
}

// behind says in what is told of a run that there is a gateway.
var behind = map[bool]string{true: " behind a gateway"}

// errViolated says that the report tells what is wrong.
var errViolated = errors.New("there were violations")

// rows is small, so that clients meet.
var rows = api.Layout{Rows: 48, Orgs: 6, Owners: 4}

// Run attacks once, or once for each control.
func (c *runCommand) Run(ctx context.Context) error {
	if c.Controls {
		return c.controls(ctx)
	}
	r, err := c.attack(ctx)
	if err != nil {
		return err
	}
	r.summary(os.Stdout)
	if len(r.report.Violations()) > 0 {
		return errViolated
	}
	return nil
}

// run is everything that a run consists of.
type run struct {
	*runCommand
	control  control // what it does without
	dir      string
	redis    *fault.Redis
	db       *api.DB
	fleet    *fleet.Fleet
	ledger   *ledger.Ledger
	injector *fault.Injector
	traffic  *traffic.Traffic
	report   *report.Report
	settled  time.Duration
}

// attack runs once.
func (c *runCommand) attack(ctx context.Context) (_ *run, err error) {
	c.Seed = cmp.Or(c.Seed, uint64(time.Now().UnixNano()%1_000_000))
	plan, err := fault.Plan(c.Topology, c.Faults, c.Duration, c.Seed)
	if err != nil {
		return nil, err
	}
	r := &run{runCommand: c}
	if c.Without != "" {
		var ok bool
		if r.control, ok = guarded(c.Without); !ok {
			return nil, fmt.Errorf("there is no guard %q", c.Without)
		}
	}
	defer func() { r.close(err) }()
	if err := r.set(ctx); err != nil {
		return nil, err
	}
	r.log("chaos: %s%s, %d processes, %v, seed %d, %d faults, in %s", c.Topology, behind[c.Gateway], c.Processes, c.Duration, c.Seed, len(plan), r.dir)
	for _, step := range plan {
		r.log("plan %s", step)
	}
	return r, r.proceed(ctx, plan)
}

// set puts everything in its place.
func (r *run) set(ctx context.Context) (err error) {
	if r.dir, err = r.directory(); err != nil {
		return err
	}
	file, err := os.Create(filepath.Join(r.dir, "violations.txt"))
	if err != nil {
		return err
	}
	program, err := r.program(ctx)
	if err != nil {
		return err
	}
	if r.redis, err = fault.Launch(r.Topology); err != nil {
		return err
	}
	if r.db, err = api.Create(ctx, r.database(), rows); err != nil {
		return err
	}
	r.report = &report.Report{Out: os.Stdout, File: file}
	if r.Quiet {
		r.report.Out = nil
	}
	r.ledger = ledger.New(rows.Rows, r.bound())
	r.fleet = &fleet.Fleet{
		Rows:    rows.Rows,
		Command: func(life string) *exec.Cmd { return r.command(program, life) },
		Crashed: func(life string) { r.report.Violation("crash", "%s has ended by itself", life) },
	}
	r.traffic = &traffic.Traffic{
		Layout: rows, Fleet: r.fleet, Ledger: r.ledger, Report: r.report,
		Pause: r.Pause, Aborts: r.Faults != "none", Rest: 2 * r.bound(), MayRefuse: r.Refuse,
	}
	r.injector = &fault.Injector{Fleet: r.fleet, Redis: r.redis, Die: r.traffic.Die, Log: r.log}
	r.report.Around = r.injector.Around
	return r.fleet.Start(r.Processes, r.dir)
}

func (r *run) directory() (string, error) {
	if r.Out != "" {
		return r.Out, os.MkdirAll(r.Out, 0o755)
	}
	return os.MkdirTemp("", "freshet-chaos-")
}

func (r *run) database() string { return filepath.Join(r.dir, "rows.db") }

// bound is how late an invalidation may be whose process died or had no Redis: the
// deadline of its intent; a second until somebody looks; two for a retry; and some
// for a machine that is busy.
func (r *run) bound() time.Duration { return r.Deadline + 6*time.Second }

// command returns the command of an API process.
func (r *run) command(program, life string) *exec.Cmd {
	cmd := exec.Command(program, "api", "--name", life, "--db", r.database(),
		fmt.Sprintf("--pauses=%g", r.Slow), "--longest", r.Longest.String(), "--without", r.Without,
		fmt.Sprintf("--refuse=%t", r.Refuse), fmt.Sprintf("--gateway=%t", r.Gateway))
	cmd.Env = append(os.Environ(), r.redis.Env...)
	cmd.Env = append(cmd.Env, "REDIS_CACHE_INTENT_DEADLINE="+r.Deadline.String())
	if os.Getenv("REDIS_CACHE_SOCKET_TIMEOUT") == "" {
		cmd.Env = append(cmd.Env, "REDIS_CACHE_SOCKET_TIMEOUT=1s")
	}
	cmd.Env = append(cmd.Env, r.control.settings...)
	return cmd
}

func (r *run) log(format string, args ...any) {
	if !r.Quiet {
		fmt.Printf("%s %s\n", time.Now().Format("15:04:05.000"), fmt.Sprintf(format, args...))
	}
}

// proceed attacks under load, heals, and compares.
func (r *run) proceed(ctx context.Context, plan []fault.Step) error {
	watching, stop := context.WithCancel(ctx)
	var watchers sync.WaitGroup
	defer watchers.Wait()
	defer stop()
	watchers.Go(func() { r.every(watching, 50*time.Millisecond, r.observe) })
	watchers.Go(func() { r.every(watching, 5*time.Second, func(context.Context) { _ = r.immortal() }) })

	loading, end := context.WithTimeout(ctx, r.Duration)
	defer end()
	var load sync.WaitGroup
	load.Go(func() { r.traffic.Run(loading, r.Readers, r.Writers) })
	load.Go(func() { r.injector.Run(loading, plan) })
	load.Wait()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	r.log("healing")
	if err := r.injector.Heal(); err != nil {
		return err
	}
	var err error
	if r.settled, err = r.traffic.Settle(ctx, r.db, r.bound()); err != nil {
		return err
	}
	return r.immortal()
}

func (r *run) every(ctx context.Context, d time.Duration, do func(context.Context)) {
	for ctx.Err() == nil {
		do(ctx)
		select {
		case <-ctx.Done():
		case <-time.After(d):
		}
	}
}

// observe tells the ledger what is in the database.
func (r *run) observe(ctx context.Context) {
	quiet := r.injector.Quiet()
	all, err := r.db.All(ctx)
	if err != nil {
		return
	}
	versions := make(map[int]uint64, len(all))
	for _, row := range all {
		versions[row.ID] = row.Version
	}
	r.ledger.Observe(time.Now(), quiet, versions)
}

// immortal looks for keys without a TTL on all servers that answer.
func (r *run) immortal() error {
	keys, asked, err := r.redis.Immortal()
	for range asked {
		r.report.Count("server searched")
	}
	if len(keys) > 0 {
		r.report.Violation("no ttl", "%s", strings.Join(keys, " "))
	}
	return err
}

// close ends everything that set has started. What explains a failure is kept.
func (r *run) close(err error) {
	if r.fleet != nil {
		r.fleet.Close()
	}
	if r.redis != nil {
		r.redis.Close()
	}
	if r.db != nil {
		_ = r.db.Close()
	}
	if r.report != nil {
		_ = r.report.File.(*os.File).Close()
	}
	if r.Out == "" && r.dir != "" && err == nil && len(r.report.Violations()) == 0 {
		_ = os.RemoveAll(r.dir)
	}
}
