package main

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// process is a server under measurement.
type process struct {
	cmd    *exec.Cmd
	addr   string
	exited chan struct{} // closed when it has; nil if somebody else waits for it
}

// patience is how long a server may take to listen.
const patience = 30 * time.Second

// launch starts a server, which is to listen on addr, and waits until it does.
func launch(addr string, cmd *exec.Cmd) (*process, error) {
	var said bytes.Buffer
	cmd.Stderr = &said
	// Its group ends with it: nginx and Varnish have children.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p := &process{cmd: cmd, addr: addr, exited: make(chan struct{})}
	go func() {
		_ = cmd.Wait() // that it was told to end is no error
		close(p.exited)
	}()
	err := p.ready()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s does not listen: %w", cmd.Path, err), p.stop(), errors.New(said.String()))
	}
	return p, nil
}

// errEnded is what a process has done that was to listen.
var errEnded = errors.New("it has ended")

// ready waits until somebody listens. If the process has ended by then, it is
// somebody else who has taken the address.
func (p *process) ready() error {
	limit := time.Now().Add(patience)
	for {
		conn, err := net.Dial("tcp", p.addr)
		select {
		case <-p.exited:
			return errEnded
		default:
		}
		if err == nil {
			return conn.Close()
		}
		if time.Now().After(limit) {
			return err
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// stop ends the server and all that it has started.
func (p *process) stop() error {
	_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGTERM)
	select {
	case <-p.exited:
	case <-time.After(patience):
	}
	// Whatever has not listened to the first signal; that it is gone is no error.
	_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
	<-p.exited
	return nil
}

// ticks is what a clock tick of /proc is on every Linux that Go runs on: 10 ms.
const ticks = 10 * time.Millisecond

// used returns the CPU time that the process and its descendants have used.
func (p *process) used() (time.Duration, error) {
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return 0, err
	}
	parents, times := map[int]int{}, map[int]time.Duration{}
	for _, name := range stats {
		text, err := os.ReadFile(name)
		if err != nil {
			continue // it has ended since
		}
		// The program's name stands in brackets and may hold anything.
		_, rest, _ := strings.Cut(string(text), ") ")
		fields := strings.Fields(rest)
		pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(name)))
		parents[pid], _ = strconv.Atoi(fields[1])
		user, _ := strconv.Atoi(fields[11])
		system, _ := strconv.Atoi(fields[12])
		times[pid] = time.Duration(user+system) * ticks
	}
	var sum time.Duration
	for pid, t := range times {
		for up := pid; up > 1; up = parents[up] {
			if up == p.cmd.Process.Pid {
				sum += t
				break
			}
		}
	}
	return sum, nil
}

// memory returns the most bytes that the process has had in memory.
func (p *process) memory() (int64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	_, rest, _ := strings.Cut(string(text), "VmHWM:")
	var kib int64
	_, err = fmt.Sscanf(rest, "%d kB", &kib)
	return kib << 10, err
}

// free returns an address on which nobody listens.
func free() (string, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return listener.Addr().String(), listener.Close()
}
