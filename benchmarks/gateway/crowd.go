package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/freshet-dev/freshet/benchmarks/internal/measure"
)

// roleCrowd is the first argument of a child that is many clients at once.
const roleCrowd = "crowd"

// dials is how many connections are opened at a time.
const dials = 64

// crowd is the part of a process that is many clients: crowd ADDRESS KIND NUMBER. They
// connect before it says that it is ready, with how many could not. They act from
// "begin" to "end", which it answers with the number of requests, of clients that
// failed, the nanoseconds that a request took at the median and at the 99th percentile,
// and what the first failure was.
func crowd(args []string, in io.Reader, out io.Writer) error {
	if len(args) != 3 {
		return fmt.Errorf("%s takes three arguments, not %q", roleCrowd, args)
	}
	act, ok := acts[args[1]]
	n, err := strconv.Atoi(args[2])
	if !ok || err != nil {
		return fmt.Errorf("%s cannot be %s %s", roleCrowd, args[2], args[1])
	}
	members, failed := gather(args[0], n)
	defer func() {
		for _, m := range members {
			_ = m.conn.Close() // it has said what there was to say
		}
	}()
	var end func() string
	return measure.Answer(in, out, fmt.Sprint(failed), func(question string) (string, error) {
		if question == "begin" {
			end = begin(members, act)
			return "begun", nil
		}
		return end(), nil
	})
}

// member is one client of a crowd.
type member struct {
	conn      net.Conn
	reader    *bufio.Reader
	start     time.Duration // after the first one's beginning: not all at once
	latencies []time.Duration
}

// gather connects n clients, and returns those that could.
func gather(addr string, n int) (members []*member, failed int) {
	all := make([]*member, n)
	var next atomic.Int64
	var group sync.WaitGroup
	for range min(dials, n) {
		group.Go(func() {
			for i := next.Add(1) - 1; i < int64(n); i = next.Add(1) - 1 {
				if conn, err := net.Dial("tcp", addr); err == nil {
					all[i] = &member{conn: conn, reader: bufio.NewReader(conn), start: time.Second * time.Duration(i) / time.Duration(n)}
				}
			}
		})
	}
	group.Wait()
	members = slices.DeleteFunc(all, func(m *member) bool { return m == nil })
	return members, n - len(members)
}

// begin has all clients act until the function that it returns is called, which says
// what came of it.
func begin(members []*member, act act) (end func() string) {
	var failed atomic.Int64
	var first sync.Once
	var group sync.WaitGroup
	why, began, stop := "-", time.Now(), make(chan struct{})
	for _, m := range members {
		group.Go(func() {
			if err := act(m, began.Add(m.start), stop); err != nil {
				failed.Add(1)
				first.Do(func() { why = strings.ReplaceAll(err.Error(), " ", "_") })
			}
		})
	}
	return func() string {
		for _, m := range members {
			// Who still waits then waits for nothing. That a connection is broken is found out.
			_ = m.conn.SetDeadline(time.Now().Add(patience))
		}
		close(stop)
		group.Wait()
		all := []time.Duration{}
		for _, m := range members {
			all = append(all, m.latencies...)
		}
		n := len(all)
		if slices.Sort(all); n == 0 {
			all = append(all, 0)
		}
		return fmt.Sprint(n, failed.Load(), all[n/2].Nanoseconds(), all[n*99/100].Nanoseconds(), " ", why)
	}
}

// act is what a client of a crowd does, from start until stop is closed. Its error is
// a failure.
type act func(m *member, start time.Time, stop <-chan struct{}) error

var acts = map[string]act{
	visitors: func(m *member, start time.Time, stop <-chan struct{}) error { return m.visit(start, stop, time.Second) },
	others: func(m *member, start time.Time, stop <-chan struct{}) error {
		return m.visit(start, stop, 20*time.Millisecond)
	},
	readers: (*member).sip,
	writers: (*member).drip,
}

// The kinds of crowds.
const (
	visitors = "visitors" // ask for what is in the cache, once a second
	others   = "others"   // do so every 20 ms: how do they fare beside a crowd?
	readers  = "readers"  // take an answer slowly
	writers  = "writers"  // send a request slowly
)

// until waits for a time, and reports whether it has come before stop.
func until(t time.Time, stop <-chan struct{}) bool {
	timer := time.NewTimer(time.Until(t))
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-stop:
		return false
	}
}

// visit asks for what is in the cache, once per pause. A request that comes late
// because the one before took so long counts from when it was due.
func (m *member) visit(start time.Time, stop <-chan struct{}, pause time.Duration) error {
	for due := start; until(due, stop); due = due.Add(pause) {
		if _, err := io.WriteString(m.conn, "GET "+path+" HTTP/1.1\r\nHost: "+measure.Host+"\r\n\r\n"); err != nil {
			return err
		}
		res, err := http.ReadResponse(m.reader, nil)
		if err != nil {
			return err
		}
		n, err := io.Copy(io.Discard, res.Body)
		if age := res.Header.Get("Age"); err != nil || res.StatusCode != http.StatusOK || n != res.ContentLength || age == "" {
			return errors.Join(err, fmt.Errorf("%s, %d bytes of %d, age %q", res.Status, n, res.ContentLength, age))
		}
		m.latencies = append(m.latencies, time.Since(due))
	}
	return nil
}

// Slow clients read or write a little per tick: 10 KiB/s are read and 1 KB/s is
// written, which is slower than any line, and as much as has to be borne.
const (
	tick        = 100 * time.Millisecond
	mouthful    = 1 << 10
	drop        = 100
	slowContent = 8 << 20 // more than all buffers on the way hold
)

// sip asks for what is not kept, and reads it slowly. It does not come to the end: all
// that is asked for is that the answer goes on.
func (m *member) sip(start time.Time, stop <-chan struct{}) error {
	// Who takes little at a time has little room, too.
	if err := m.conn.(*net.TCPConn).SetReadBuffer(4 << 10); err != nil {
		return err
	}
	ask := fmt.Sprintf("GET /large/%d HTTP/1.1\r\nHost: %s\r\n\r\n", slowContent, measure.Host)
	return m.slowly(start, stop, ask, func() error {
		_, err := io.ReadFull(m.conn, make([]byte, mouthful))
		return err
	})
}

// drip sends a body slowly, and does not come to its end. The answer before the end
// would be that it was too slow.
func (m *member) drip(start time.Time, stop <-chan struct{}) error {
	ask := fmt.Sprintf("POST /sink HTTP/1.1\r\nHost: %s\r\nContent-Length: %d\r\n\r\n", measure.Host, slowContent)
	err := m.slowly(start, stop, ask, func() error {
		_, err := m.conn.Write(make([]byte, drop))
		return err
	})
	return errors.Join(err, m.silent())
}

// slowly asks, and takes one step per tick.
func (m *member) slowly(start time.Time, stop <-chan struct{}, ask string, step func() error) error {
	if !until(start, stop) {
		return nil
	}
	if _, err := io.WriteString(m.conn, ask); err != nil {
		return err
	}
	for due := start; until(due, stop); due = due.Add(tick) {
		began := time.Now()
		if err := step(); err != nil {
			return err
		}
		m.latencies = append(m.latencies, time.Since(began))
	}
	return nil
}

// silent returns an error if the server has said something.
func (m *member) silent() error {
	if err := m.conn.SetReadDeadline(time.Now().Add(time.Millisecond)); err != nil {
		return err
	}
	line, err := m.reader.ReadString('\n')
	if nerr, ok := errors.AsType[net.Error](err); ok && nerr.Timeout() && line == "" {
		return nil
	}
	return errors.Join(err, fmt.Errorf("the server says %q", line))
}
