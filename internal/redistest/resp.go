package redistest

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"time"
)

// Error is an error reply of the server, such as "NOAUTH Authentication
// required.".
type Error string

// Error returns the reply as it was sent.
func (e Error) Error() string { return string(e) }

// Do sends one command over a connection of its own and returns the reply: a
// string, an int64, nil, or a []any of these. An error reply is an [Error].
// Where the server was given --requirepass, Do authenticates.
func (s *Server) Do(args ...string) (any, error) {
	conn, err := net.DialTimeout("tcp", s.Addr, patience)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		return nil, err
	}
	r := bufio.NewReader(conn)
	if i := slices.Index(s.args, "--requirepass"); i >= 0 {
		if _, err := roundTrip(conn, r, "AUTH", s.args[i+1]); err != nil {
			return nil, err
		}
	}
	return roundTrip(conn, r, args...)
}

func roundTrip(w io.Writer, r *bufio.Reader, args ...string) (any, error) {
	b := fmt.Appendf(nil, "*%d\r\n", len(args))
	for _, arg := range args {
		b = fmt.Appendf(b, "$%d\r\n%s\r\n", len(arg), arg)
	}
	if _, err := w.Write(b); err != nil {
		return nil, err
	}
	return readReply(r)
}

// readReply reads one RESP2 reply.
func readReply(r *bufio.Reader) (any, error) {
	line, err := r.ReadString('\n')
	if err != nil {
		return nil, err
	}
	kind, text := line[0], line[1:max(1, len(line)-2)]
	switch kind {
	case '+':
		return text, nil
	case '-':
		return nil, Error(text)
	}
	n, err := strconv.ParseInt(text, 10, 64)
	switch {
	case err != nil:
		return nil, fmt.Errorf("redistest: unexpected reply %q", line)
	case kind == ':':
		return n, nil
	case n < 0:
		return nil, nil
	case kind == '$':
		b := make([]byte, n+2)
		_, err := io.ReadFull(r, b)
		return string(b[:n]), err
	case kind == '*':
		return readArray(r, int(n))
	}
	return nil, fmt.Errorf("redistest: unexpected reply %q", line)
}

// readArray reads n replies; an error reply among them becomes an element.
func readArray(r *bufio.Reader, n int) ([]any, error) {
	all := make([]any, n)
	for i := range all {
		v, err := readReply(r)
		if e, ok := err.(Error); ok {
			v, err = e, nil
		}
		if err != nil {
			return nil, err
		}
		all[i] = v
	}
	return all, nil
}
