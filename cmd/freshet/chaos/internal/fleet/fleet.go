package fleet

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/freshet-dev/freshet/cmd/freshet/chaos/internal/ledger"
)

// Fleet is a number of processes of one program.
type Fleet struct {
	// Command returns the command of a new life; it is not started yet.
	Command func(life string) *exec.Cmd
	// Rows is how many rows a life can make promises of.
	Rows int
	// Crashed is called with the name of a life that has ended by itself, or has
	// not even begun.
	Crashed func(life string)

	members []*member
	all     sync.WaitGroup
	closing atomic.Bool
}

// member is one process over all its lives.
type member struct {
	name string
	log  *os.File
	life atomic.Pointer[Life]
	// attacked is held by the fault that is at work on the process.
	attacked sync.Mutex
	lives    int
}

// Start starts n processes, which log to files in dir.
func (f *Fleet) Start(n int, dir string) error {
	for i := range n {
		name := fmt.Sprintf("p%d", i+1)
		log, err := os.Create(filepath.Join(dir, name+".log"))
		if err != nil {
			return err
		}
		m := &member{name: name, log: log}
		f.members = append(f.members, m)
		if err := f.live(m); err != nil {
			return err
		}
	}
	return nil
}

// live starts the next life of m.
func (f *Fleet) live(m *member) error {
	m.lives++
	name := fmt.Sprintf("%s.%d", m.name, m.lives)
	l, err := start(name, f.Command(name), m.log, ledger.NewMarks(f.Rows))
	if err != nil {
		return err
	}
	m.life.Store(l)
	f.all.Go(func() {
		<-l.exited
		if !l.Killed() {
			f.replace(m, l)
		}
	})
	return nil
}

// again starts the next life of m, as a supervisor does: until it stays alive.
func (f *Fleet) again(ctx context.Context, m *member) (err error) {
	for range 10 {
		if err = f.live(m); err == nil || f.closing.Load() {
			return err
		}
		f.Crashed(fmt.Sprintf("%s.%d", m.name, m.lives))
		wait(ctx, 300*time.Millisecond)
	}
	return err
}

// replace starts the next life of m after the last has ended by itself.
func (f *Fleet) replace(m *member, l *Life) {
	f.Crashed(l.Name)
	m.attacked.Lock()
	defer m.attacked.Unlock()
	l.ended.Store(true)
	if !f.closing.Load() && m.life.Load() == l {
		_ = f.again(context.Background(), m)
	}
}

// Pick returns a process that is running, nil when there is none.
func (f *Fleet) Pick() *Life {
	from := rand.IntN(len(f.members))
	for i := range f.members {
		if l := f.members[(from+i)%len(f.members)].life.Load(); !l.Stopped() {
			return l
		}
	}
	return nil
}

// Lives returns the present life of each process.
func (f *Fleet) Lives() []*Life {
	lives := make([]*Life, len(f.members))
	for i, m := range f.members {
		lives[i] = m.life.Load()
	}
	return lives
}

// Kill ends a process with SIGKILL, and starts it again after d. The last one
// that runs is spared: then victim is empty.
func (f *Fleet) Kill(ctx context.Context, r *rand.Rand, d time.Duration) (victim string, err error) {
	m := f.victim(r)
	if m == nil {
		return "", nil
	}
	defer m.attacked.Unlock()
	l := m.life.Load()
	l.kill()
	wait(ctx, d)
	return l.Name, f.again(ctx, m)
}

// Die has a process end itself, by what last does to it, and starts it again after
// d. The last process that runs is spared.
func (f *Fleet) Die(ctx context.Context, r *rand.Rand, d time.Duration, last func(*Life)) (victim string, err error) {
	m := f.victim(r)
	if m == nil {
		return "", nil
	}
	defer m.attacked.Unlock()
	l := m.life.Load()
	l.ended.Store(true)
	l.signals.Add(1)
	last(l)
	l.kill()
	wait(ctx, d)
	return l.Name, f.again(ctx, m)
}

// Freeze stops a process for d. The last one that runs is spared.
func (f *Fleet) Freeze(ctx context.Context, r *rand.Rand, d time.Duration) (victim string, err error) {
	m := f.victim(r)
	if m == nil {
		return "", nil
	}
	defer m.attacked.Unlock()
	l := m.life.Load()
	if err := l.freeze(); err != nil {
		return l.Name, err
	}
	wait(ctx, d)
	return l.Name, l.thaw()
}

// victim returns a process that nobody else attacks, locked, or nil if there is
// only one such left.
func (f *Fleet) victim(r *rand.Rand) *member {
	var free []*member
	for _, m := range f.members {
		if m.attacked.TryLock() {
			free = append(free, m)
		}
	}
	chosen := -1
	if len(free) > 1 {
		chosen = r.IntN(len(free))
	}
	for i, m := range free {
		if i != chosen {
			m.attacked.Unlock()
		}
	}
	if chosen < 0 {
		return nil
	}
	return free[chosen]
}

// Close kills all processes.
func (f *Fleet) Close() {
	f.closing.Store(true)
	for _, m := range f.members {
		m.attacked.Lock()
		if l := m.life.Load(); l != nil {
			l.kill()
		}
		m.attacked.Unlock()
		_ = m.log.Close()
	}
	f.all.Wait()
}

func wait(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
