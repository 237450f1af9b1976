package redistest

import (
	"bufio"
	"errors"
	"io"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"
)

// caller is a client of a proxy.
type caller struct {
	net.Conn
	replies *bufio.Reader
}

func call(t *testing.T, addr string) *caller {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return &caller{conn, bufio.NewReader(conn)}
}

func (c *caller) ping(within time.Duration) error {
	_ = c.SetDeadline(time.Now().Add(within))
	_, err := roundTrip(c, c.replies, "PING")
	return err
}

func (c *caller) wantPong(t *testing.T) {
	t.Helper()
	if err := c.ping(patience); err != nil {
		t.Fatal(err)
	}
}

func TestProxyPasses(t *testing.T) {
	s := Start(t)
	p := StartProxy(t, s.Addr)
	big := strings.Repeat("x", 1<<20)
	c := call(t, p.Addr)
	_ = c.SetDeadline(time.Now().Add(patience))
	if _, err := roundTrip(c, c.replies, "SET", "k", big); err != nil {
		t.Fatal(err)
	}
	if v, err := roundTrip(c, c.replies, "GET", "k"); v != big || err != nil {
		t.Fatalf("%d bytes came back, %v", len(v.(string)), err)
	}
	s.Stop()
	if _, err := c.replies.ReadByte(); !errors.Is(err, io.EOF) {
		t.Errorf("after the server has ended: %v, want EOF", err)
	}
}

// TestProxyDelay: two replies that are under way together take one delay.
func TestProxyDelay(t *testing.T) {
	const delay = 300 * time.Millisecond
	p := StartProxy(t, Start(t).Addr)
	c := call(t, p.Addr)
	c.wantPong(t)
	p.Delay(delay)
	begun := time.Now()
	for i := range 5 {
		if _, err := io.WriteString(c, "*1\r\n$4\r\nPING\r\n"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Duration(i) * time.Millisecond) // so that they are chunks of their own
	}
	for range 5 {
		if _, err := readReply(c.replies); err != nil {
			t.Fatal(err)
		}
	}
	if took := time.Since(begun); took < delay || took > 4*delay {
		t.Errorf("five replies took %v, want about %v", took, delay)
	}
	p.Pass()
	p.Trickle(20 * time.Millisecond)
	begun = time.Now()
	c.wantPong(t)
	if took := time.Since(begun); took < 7*20*time.Millisecond {
		t.Errorf("seven bytes trickled in %v", took)
	}
}

// TestProxyReset: both ends are told, by an RST.
func TestProxyReset(t *testing.T) {
	p := StartProxy(t, Start(t).Addr)
	c := call(t, p.Addr)
	c.wantPong(t)
	p.Reset(1)
	if err := c.ping(patience); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("a reset is %v", err)
	}
	p.Reset(0.5)
	failed := 0
	for range 50 {
		if call(t, p.Addr).ping(patience) != nil {
			failed++
		}
	}
	if failed == 0 || failed == 50 {
		t.Errorf("%d of 50 have been reset, want about three quarters", failed)
	}
	p.Pass()
	call(t, p.Addr).wantPong(t)
}

// TestProxyBlackHole: nothing comes back, also not the end of the server; the
// connections stay so, new ones are well.
func TestProxyBlackHole(t *testing.T) {
	s := Start(t)
	p := StartProxy(t, s.Addr)
	before := call(t, p.Addr)
	before.wantPong(t)
	p.BlackHole()
	during := call(t, p.Addr)
	s.Stop()
	s.Start()
	p.Pass()
	for name, c := range map[string]*caller{"before": before, "during": during} {
		if err := c.ping(100 * time.Millisecond); !timeout(err) {
			t.Errorf("a connection from %s the black hole: %v, want silence", name, err)
		}
	}
	call(t, p.Addr).wantPong(t)
}

func timeout(err error) bool {
	var limit net.Error
	return errors.As(err, &limit) && limit.Timeout()
}

func TestProxyRefuses(t *testing.T) {
	p := StartProxy(t, Start(t).Addr)
	c := call(t, p.Addr)
	c.wantPong(t)
	p.Refuse()
	if _, err := net.Dial("tcp", p.Addr); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("a new connection: %v, want it refused", err)
	}
	c.wantPong(t)
	p.Cut()
	if err := c.ping(patience); err == nil || timeout(err) {
		t.Errorf("a cut connection: %v", err)
	}
	p.Pass()
	call(t, p.Addr).wantPong(t)
	p.Close()
	p.Close()
	p.Pass()
	if _, err := net.Dial("tcp", p.Addr); err == nil {
		t.Error("a closed proxy accepts")
	}
}
