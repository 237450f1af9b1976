package redistest

import (
	"net"
	"os"
	"strings"
	"testing"
	"time"
)

func TestServer(t *testing.T) {
	s := Start(t)
	if v, err := s.Do("SET", "k", "a\r\nb"); v != "OK" || err != nil {
		t.Fatalf("SET: %v, %v", v, err)
	}
	if v, _ := s.Do("MGET", "k", "none"); v.([]any)[0] != "a\r\nb" || v.([]any)[1] != nil {
		t.Fatalf("MGET: %v", v)
	}
	if _, err := s.Do("LPUSH", "k", "1"); err == nil || !strings.HasPrefix(err.Error(), "WRONGTYPE") {
		t.Fatalf("LPUSH: %v", err)
	}
	addr := s.Addr
	s.Stop()
	if conn, err := net.Dial("tcp", addr); err == nil {
		conn.Close()
		t.Fatal("a stopped server accepts connections")
	}
	s.Start()
	if v, err := s.Do("DBSIZE"); v != int64(0) || err != nil || s.Addr != addr {
		t.Fatalf("after a restart: %v, %v at %s", v, err, s.Addr)
	}
}

func TestFreeze(t *testing.T) {
	s := Start(t)
	s.Freeze()
	answer := make(chan error, 1)
	go func() {
		_, err := s.Do("PING")
		answer <- err
	}()
	select {
	case err := <-answer:
		t.Fatalf("a frozen server answered: %v", err)
	case <-time.After(50 * time.Millisecond):
	}
	s.Thaw()
	if err := <-answer; err != nil {
		t.Fatal(err)
	}
	s.Freeze() // the cleanup has to end frozen servers too
}

func TestPassword(t *testing.T) {
	s := Start(t, "--requirepass", "secret")
	if v, err := s.Do("PING"); v != "PONG" || err != nil {
		t.Fatal(v, err)
	}
}

func TestLaunchFails(t *testing.T) {
	if _, err := Launch("--no-such-setting", "1"); err == nil || !strings.Contains(err.Error(), "no-such-setting") {
		t.Fatalf("the server's own words are missing: %v", err)
	}
	t.Setenv("FRESHET_TEST_REDIS", "/nowhere/redis")
	if _, err := Launch(); err == nil || !strings.Contains(err.Error(), "make test") {
		t.Fatalf("no hint how to install: %v", err)
	}
}

func TestCloseRemovesDirectory(t *testing.T) {
	s, err := Launch()
	if err != nil {
		t.Fatal(err)
	}
	s.Close()
	if _, err := os.Stat(s.Dir); !os.IsNotExist(err) {
		t.Fatal(err)
	}
}
