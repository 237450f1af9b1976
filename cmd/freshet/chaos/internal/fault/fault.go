// Package fault attacks a fleet of processes and the Redis behind it, by a plan.
package fault

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/freshet-dev/freshet/cmd/freshet/chaos/internal/fleet"
)

// fault is one kind of attack.
type fault struct {
	name string
	// on are the topologies that it suits, all if empty.
	on string
	// alone says that it changes which servers there are or how they are set up,
	// so that two such faults would undo each other.
	alone bool
	// outage says that Redis, or a part of it, cannot take invalidations
	// meanwhile.
	outage bool
	// run does it, undoes it, and says what it was done to.
	run func(context.Context, *Attack) (string, error)
}

func (f fault) suits(topology string) bool { return f.on == "" || strings.Contains(f.on, topology) }

// Attack is one fault at work.
type Attack struct {
	*Injector
	rand   *rand.Rand
	length time.Duration
}

// hold waits for as long as the fault is to last.
func (a *Attack) hold(ctx context.Context) { a.wait(ctx, a.length) }

func (a *Attack) wait(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// Injector carries out plans.
type Injector struct {
	Fleet *fleet.Fleet
	Redis *Redis
	// Die makes a change by which a process dies right after its commit.
	Die func(*fleet.Life)
	// Log is told what begins and ends.
	Log func(format string, args ...any)

	alone sync.Mutex // held by the fault at work that wants to be alone

	mu      sync.Mutex
	active  map[*event]bool
	recent  []*event
	outages int
	outage  time.Time // when the last one ended
	counts  map[string]int
	failed  int
}

// event is a fault that has begun.
type event struct {
	name, target string
	begun, ended time.Time
}

func (e *event) String() string {
	text := e.name + " " + e.target
	if e.ended.IsZero() {
		return fmt.Sprintf("%s (since %s)", text, e.begun.Format(clock))
	}
	return fmt.Sprintf("%s (%s to %s)", text, e.begun.Format(clock), e.ended.Format(clock))
}

const clock = "15:04:05.000"

// Run carries out a plan, and returns when all has been taken back. The end of
// ctx ends it early.
func (i *Injector) Run(ctx context.Context, plan []Step) {
	start := time.Now()
	var running sync.WaitGroup
	a := &Attack{Injector: i}
	for _, step := range plan {
		a.wait(ctx, time.Until(start.Add(step.At)))
		if ctx.Err() != nil {
			break
		}
		running.Go(func() { i.carryOut(ctx, step) })
	}
	running.Wait()
}

func (i *Injector) carryOut(ctx context.Context, step Step) {
	if step.fault.alone {
		i.alone.Lock()
		defer i.alone.Unlock()
		if ctx.Err() != nil {
			return
		}
	}
	e := i.begin(step.fault)
	a := &Attack{i, rand.New(rand.NewPCG(step.Seed, 1)), step.Length}
	target, err := step.fault.run(ctx, a)
	i.end(step.fault, e, target, err)
	if err != nil && ctx.Err() == nil {
		i.Log("fault %s: %v", e, err)
	} else {
		i.Log("fault %s", e)
	}
	if step.fault.alone {
		// Those that wait for their turn would else follow each other so closely
		// that nothing is ever stored which could be stale.
		a.wait(ctx, upTo(a.rand, 2*time.Second+e.ended.Sub(e.begun)))
	}
}

func (i *Injector) begin(f fault) *event {
	i.mu.Lock()
	defer i.mu.Unlock()
	e := &event{name: f.name, begun: time.Now()}
	if i.active == nil {
		i.active, i.counts = make(map[*event]bool), make(map[string]int)
	}
	i.active[e] = true
	i.counts[f.name]++
	if f.outage {
		i.outages++
	}
	return e
}

// remembered is how many faults that have ended are told with a violation.
const remembered = 12

func (i *Injector) end(f fault, e *event, target string, err error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	delete(i.active, e)
	e.target, e.ended = target, time.Now()
	i.recent = append(i.recent, e)
	i.recent = i.recent[max(0, len(i.recent)-remembered):]
	if f.outage {
		i.outages--
		i.outage = e.ended
	}
	if err != nil {
		i.failed++
	}
}

// recovery is how long after an outage invalidations may still be on their way:
// they are retried every two seconds at the longest.
const recovery = 4 * time.Second

// Quiet reports whether nothing keeps Redis from taking invalidations, nor has
// lately.
func (i *Injector) Quiet() bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.outages == 0 && time.Since(i.outage) > recovery
}

// Around returns the faults that are at work, and the last that were, one a line.
func (i *Injector) Around() (lines []string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	all := slices.Clone(i.recent)
	for e := range i.active {
		all = append(all, e)
	}
	slices.SortFunc(all, func(a, b *event) int { return cmp.Compare(a.begun.UnixNano(), b.begun.UnixNano()) })
	for _, e := range all {
		lines = append(lines, e.String())
	}
	return lines
}

// Counts returns how often each fault was carried out, and how many of them
// could not be carried out as they should.
func (i *Injector) Counts() (counts map[string]int, failed int) {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.counts, i.failed
}

// Heal waits until all servers are in their places again.
func (i *Injector) Heal() error {
	if i.Redis.proxy != nil {
		i.Redis.proxy.Pass()
	}
	return i.Redis.settle()
}
