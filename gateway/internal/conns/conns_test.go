package conns

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const patience = 30 * time.Second

func listen(t *testing.T, refuse func(net.Conn)) *Listener {
	t.Helper()
	l, err := Listen(t.Context(), "127.0.0.1:0", refuse)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

func dial(t *testing.T, l *Listener) *net.TCPConn {
	t.Helper()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	return c.(*net.TCPConn)
}

// accepting hands over the connections that the listener lets through.
func accepting(l *Listener) <-chan net.Conn {
	accepted := make(chan net.Conn)
	go func() {
		defer close(accepted)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			accepted <- c
		}
	}()
	return accepted
}

// TestRefused: a connection too many gets its word and is closed, and one that is
// closed makes room.
func TestRefused(t *testing.T) {
	l := listen(t, func(c net.Conn) { _, _ = io.WriteString(c, "full") })
	l.Limit(2, 0)
	accepted := accepting(l)
	dial(t, l)
	first := <-accepted
	dial(t, l)
	<-accepted
	word, err := io.ReadAll(dial(t, l))
	if err != nil || string(word) != "full" {
		t.Fatalf("the third got %q, %v", word, err)
	}
	if l.Open() != 2 {
		t.Errorf("%d are open", l.Open())
	}
	_ = first.Close()
	_ = first.Close() // must not count twice
	dial(t, l)
	<-accepted
	word, err = io.ReadAll(dial(t, l))
	if err != nil || string(word) != "full" {
		t.Errorf("the one after got %q, %v", word, err)
	}
	l.CloseAll()
	if err := l.Wait(t.Context()); err != nil || l.Open() != 0 {
		t.Errorf("%d are open, %v", l.Open(), err)
	}
	_ = l.Close()
	<-accepted
}

// TestWait: it ends with the last connection, or with its context.
func TestWait(t *testing.T) {
	l := listen(t, nil)
	accepted := accepting(l)
	dial(t, l)
	c := <-accepted
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := l.Wait(ended); !errors.Is(err, context.Canceled) {
		t.Errorf("waiting in an ended context: %v", err)
	}
	done := make(chan error, 1)
	go func() { done <- l.Wait(t.Context()) }()
	_ = c.Close()
	if err := <-done; err != nil {
		t.Error(err)
	}
	_ = l.Close()
	<-accepted
}

// large does not fit into what the kernel takes from a client that does not read.
const large = 16 << 20

// TestReaderThatStops: a client that reads nothing is given up.
func TestReaderThatStops(t *testing.T) {
	l := listen(t, nil)
	l.Limit(0, 50*time.Millisecond)
	accepted := accepting(l)
	dial(t, l)
	c := <-accepted
	n, err := c.Write(make([]byte, large))
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("%d bytes were written, %v", n, err)
	}
	l.CloseAll()
	_ = l.Close()
	<-accepted
}

// TestWriteAfterADeadline: a deadline that has passed while nothing was written does
// not end the next write.
func TestWriteAfterADeadline(t *testing.T) {
	l := listen(t, nil)
	l.Limit(0, patience)
	accepted := accepting(l)
	client := dial(t, l)
	c := <-accepted
	if err := c.SetWriteDeadline(time.Now().Add(-time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(c, "still here"); err != nil {
		t.Error(err)
	}
	if err := c.(interface{ CloseWrite() error }).CloseWrite(); err != nil {
		t.Error(err)
	}
	if got, err := io.ReadAll(client); string(got) != "still here" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
	l.CloseAll()
	_ = l.Close()
	<-accepted
}
