package freshet_test

import (
	"context"
	"net"
	"sync/atomic"
	"testing"
)

// nameServer answers questions about one name with 127.0.0.1.
type nameServer struct {
	conn net.PacketConn
	gone atomic.Bool // no name exists
}

// serveNames makes the names that this process looks up come from a name server
// of the test, until the end of it.
func serveNames(t *testing.T) *nameServer {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &nameServer{conn: conn}
	before := net.DefaultResolver
	net.DefaultResolver = &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "udp", conn.LocalAddr().String())
	}}
	ended := make(chan struct{})
	go func() { defer close(ended); s.run() }()
	t.Cleanup(func() {
		net.DefaultResolver = before
		conn.Close()
		<-ended
	})
	return s
}

func (s *nameServer) run() {
	for question := make([]byte, 512); ; {
		n, from, err := s.conn.ReadFrom(question)
		if err != nil {
			return
		}
		_, _ = s.conn.WriteTo(s.answer(question[:n]), from)
	}
}

// answer builds the answer to a question (RFC 1035, section 4.1): its header, the
// question itself, and the address if there is one.
func (s *nameServer) answer(question []byte) []byte {
	end := 12 // where the name, a list of labels with their lengths, ends
	for end < len(question) && question[end] != 0 {
		end += int(question[end]) + 1
	}
	if len(question) < end+5 {
		return nil
	}
	const typeA = 1
	answer := append([]byte{question[0], question[1], 0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0}, question[12:end+5]...)
	switch {
	case s.gone.Load():
		answer[3] |= 3 // no such name
	case question[end+2] == typeA:
		answer[7] = 1
		answer = append(answer, 0xc0, 12, 0, typeA, 0, 1, 0, 0, 0, 0, 0, 4, 127, 0, 0, 1)
	}
	return answer
}
