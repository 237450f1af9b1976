package measure

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"sync"
	"time"
)

// Host is what requests of [Load] name.
const Host = "localhost"

// Load is the part of a process that sends requests: load ADDRESS CONNECTIONS BODY
// PATH. It is asked for windows, "MILLISECONDS", and answers with the number of
// requests and the nanoseconds they took altogether, at the median and at the
// 99th percentile.
//
// It speaks just enough HTTP to send one constant request and to skip its
// answer, because it shares the machine with what it measures.
func Load(args []string, in io.Reader, out io.Writer) error {
	if len(args) != 4 {
		return fmt.Errorf("%s takes four arguments, not %q", RoleLoad, args)
	}
	connections, err := strconv.Atoi(args[1])
	if err != nil {
		return err
	}
	body, err := strconv.Atoi(args[2])
	if err != nil {
		return err
	}
	request := []byte("GET " + args[3] + " HTTP/1.1\r\nHost: " + Host + "\r\n\r\n")
	clients := make([]*client, connections)
	for i := range clients {
		conn, err := net.Dial("tcp", args[0])
		if err != nil {
			return err
		}
		defer conn.Close()
		clients[i] = &client{conn: conn, reader: bufio.NewReaderSize(conn, 4096), body: body, request: request}
	}
	return Answer(in, out, "ready", func(question string) (string, error) {
		ms, err := strconv.Atoi(question)
		if err != nil {
			return "", err
		}
		return window(clients, time.Duration(ms)*time.Millisecond)
	})
}

// window keeps every client busy for d.
func window(clients []*client, d time.Duration) (string, error) {
	began := time.Now()
	errs := make([]error, len(clients))
	var group sync.WaitGroup
	for i, c := range clients {
		group.Go(func() { errs[i] = c.repeat(began.Add(d)) })
	}
	group.Wait()
	took := time.Since(began)
	if err := errors.Join(errs...); err != nil {
		return "", err
	}
	var all []time.Duration
	for _, c := range clients {
		all = append(all, c.latencies...)
	}
	slices.Sort(all)
	n := len(all)
	return fmt.Sprint(n, took.Nanoseconds(), all[n/2].Nanoseconds(), all[n*99/100].Nanoseconds()), nil
}

// client sends one request at a time over one connection.
type client struct {
	conn      net.Conn
	reader    *bufio.Reader
	request   []byte
	body      int // expected length
	latencies []time.Duration
}

// repeat sends requests until the deadline, at least one.
func (c *client) repeat(deadline time.Time) error {
	c.latencies = c.latencies[:0]
	for {
		began := time.Now()
		if err := c.once(); err != nil {
			return err
		}
		now := time.Now()
		c.latencies = append(c.latencies, now.Sub(began))
		if now.After(deadline) {
			return nil
		}
	}
}

// once sends a request and reads its answer to the end.
func (c *client) once() error {
	if _, err := c.conn.Write(c.request); err != nil {
		return err
	}
	status, err := c.reader.ReadSlice('\n')
	if err != nil {
		return err
	}
	if !bytes.HasPrefix(status, []byte("HTTP/1.1 200 ")) {
		return fmt.Errorf("status %q", status)
	}
	length, err := c.skipHeader()
	if err != nil {
		return err
	}
	if length != c.body {
		return fmt.Errorf("Content-Length is %d, not %d", length, c.body)
	}
	_, err = c.reader.Discard(length)
	return err
}

var contentLength = []byte("Content-Length: ")

// skipHeader reads to the body and returns its length, -1 if it is not told.
func (c *client) skipHeader() (int, error) {
	length := -1
	for {
		line, err := c.reader.ReadSlice('\n')
		if err != nil {
			return 0, err
		}
		if len(line) <= len("\r\n") {
			return length, nil
		}
		if value, ok := bytes.CutPrefix(line, contentLength); ok {
			if length, err = strconv.Atoi(string(bytes.TrimSpace(value))); err != nil {
				return 0, err
			}
		}
	}
}
