// Package fleet runs the processes that are attacked: it starts them, kills
// them, freezes them, and knows at any time which of them may be expected to
// answer.
package fleet

import (
	"bufio"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/freshet-dev/freshet/cmd/freshet/chaos/internal/ledger"
)

// Life is one process from its start to its end.
type Life struct {
	// Name is the process and the number of its life: p2.7.
	Name   string
	URL    string
	Client *http.Client
	// Own are the versions that this process alone has promised: what it has
	// changed while it could not reach the store.
	Own *ledger.Marks

	cmd    *exec.Cmd
	exited chan struct{}
	// signals counts what was done to the process, the thaw included; ended and
	// frozen are how it is now.
	signals atomic.Int64
	ended   atomic.Bool
	frozen  atomic.Bool
}

// Signals returns how often the process has been killed, frozen or thawed. A
// request during which it changes may fail.
func (l *Life) Signals() int64 { return l.signals.Load() }

// Stopped reports whether the process has been killed, or is frozen.
func (l *Life) Stopped() bool { return l.ended.Load() || l.frozen.Load() }

// Killed reports whether the process has been killed.
func (l *Life) Killed() bool { return l.ended.Load() }

// patience is how long a request may take before it counts as an error; longer
// than any pause, freeze and time limit together.
const patience = 40 * time.Second

// start runs command and waits for the line "... on URL" on its standard
// output. What it writes to standard error is appended to the file log.
func start(name string, command *exec.Cmd, log *os.File, own *ledger.Marks) (*Life, error) {
	l := &Life{
		Name: name, Own: own, cmd: command, exited: make(chan struct{}),
		Client: &http.Client{Timeout: patience, Transport: &http.Transport{MaxIdleConnsPerHost: 64}},
	}
	command.Stderr = log
	command.SysProcAttr = dieWithParent()
	out, err := command.StdoutPipe()
	if err != nil {
		return nil, err
	}
	started := make(chan error, 1)
	go func() {
		// Linux ends the child with the thread that has started it, so that
		// thread is kept for as long as the child lives.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		defer close(l.exited)
		err := command.Start()
		started <- err
		if err == nil {
			// Not Wait, which would close the pipe before its line is read.
			_, _ = command.Process.Wait()
		}
	}()
	if err := <-started; err != nil {
		return nil, err
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		l.kill()
		return nil, fmt.Errorf("%s ended before it was ready: see %s", name, log.Name())
	}
	_, l.URL, _ = strings.Cut(strings.TrimSpace(line), " on ")
	return l, nil
}

// kill ends the process with SIGKILL and waits until it is gone.
func (l *Life) kill() {
	l.ended.Store(true)
	l.signals.Add(1)
	_ = l.cmd.Process.Kill()
	<-l.exited
	l.Client.CloseIdleConnections()
}

// freeze and thaw stop the process and let it go on.
func (l *Life) freeze() error {
	l.frozen.Store(true)
	l.signals.Add(1)
	return l.signal(syscall.SIGSTOP)
}

func (l *Life) thaw() error {
	err := l.signal(syscall.SIGCONT)
	l.signals.Add(1)
	l.frozen.Store(false)
	return err
}

func (l *Life) signal(s syscall.Signal) error {
	if err := l.cmd.Process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	return nil
}
