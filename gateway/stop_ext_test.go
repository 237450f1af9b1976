package gateway_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// gate is an upstream that answers when it is let.
type gate struct {
	began, open chan struct{}
}

func newGate() *gate { return &gate{make(chan struct{}, 100), make(chan struct{})} }

// ServeHTTP implements http.Handler.
func (g *gate) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/at-once" {
		_, _ = io.WriteString(w, "done")
		return
	}
	g.began <- struct{}{}
	select {
	case <-g.open:
		_, _ = io.WriteString(w, "done")
	case <-r.Context().Done():
	}
}

// ask sends a request in the background.
func (s *site) ask(path string) <-chan string {
	got := make(chan string, 1)
	go func() {
		res, err := s.client.Get(s.url + path)
		if err != nil {
			got <- err.Error()
			return
		}
		defer res.Body.Close()
		body, err := io.ReadAll(res.Body)
		got <- fmt.Sprint(res.StatusCode, " ", string(body), " ", err)
	}()
	return got
}

// TestStop: told to stop, the gateway is not ready any more, goes on for a while, and
// then waits for what is under way, but takes nothing new.
func TestStop(t *testing.T) {
	t.Parallel()
	up := newGate()
	// Long enough for the questions below, however busy the machine is.
	s := stand(t, up, plain+"timeouts: {drain: 3s}\nadmin: {addr: 127.0.0.1:0}\n")
	health := "http://" + s.front.AdminAddr().String() + "/.freshet"
	if got := statusOf(t, s, health+"/ready"); got != http.StatusOK {
		t.Fatalf("ready: %d", got)
	}
	under := s.ask("/long")
	<-up.began
	s.stop()
	s.until("it is not ready", func() bool { return statusOf(t, s, health+"/ready") == http.StatusServiceUnavailable })
	if got := statusOf(t, s, health+"/live"); got != http.StatusOK {
		t.Errorf("live: %d", got)
	}
	if got := statusOf(t, s, s.url+"/at-once"); got != http.StatusOK {
		t.Errorf("while it drains: %d", got)
	}
	s.closes()
	close(up.open)
	if got := <-under; got != "200 done <nil>" {
		t.Errorf("the request that was under way got %s", got)
	}
	if err := s.end(); err != nil {
		t.Error(err)
	}
}

func statusOf(t *testing.T, s *front, url string) int {
	t.Helper()
	res, err := s.client.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	_, _ = io.Copy(io.Discard, res.Body)
	return res.StatusCode
}

// TestStopHasALimit: a request that does not end is cut off, which is an error, and
// all that belongs to it has ended before Serve returns.
func TestStopHasALimit(t *testing.T) {
	up := newGate()
	s := stand(t, up, plain+"timeouts: {stop: 200ms}\n")
	under := s.ask("/long")
	<-up.began
	// Behind a second request, net/http does not see that the connection is closed.
	conn := s.dial()
	defer conn.Close()
	const long = "GET /long HTTP/1.1\r\nHost: h\r\nCookie: own\r\n\r\n"
	_, _ = io.WriteString(conn, long)
	<-up.began
	_, _ = io.WriteString(conn, long)
	s.stop()
	if err := s.end(); err == nil || !strings.Contains(err.Error(), "cut off") {
		t.Errorf("the end: %v", err)
	}
	if got := <-under; strings.HasPrefix(got, "200") {
		t.Errorf("the request got %s", got)
	}
}

// upgrade is an upstream that speaks another protocol, in which it says back what it
// hears.
func upgrade(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Connection", "Upgrade")
	w.Header().Set("Upgrade", "websocket")
	w.WriteHeader(http.StatusSwitchingProtocols)
	conn, rw, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer conn.Close()
	_, _ = io.Copy(conn, rw)
}

// upgraded opens a connection of another protocol and shows that it works.
func (s *site) upgraded() (net.Conn, *bufio.Reader) {
	s.Helper()
	conn := s.dial()
	_, _ = io.WriteString(conn, "GET /ws HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
	in := bufio.NewReader(conn)
	res, err := http.ReadResponse(in, nil)
	if err != nil || res.StatusCode != http.StatusSwitchingProtocols {
		s.Fatalf("%v, %v", res, err)
	}
	s.echo(conn, in)
	return conn, in
}

func (s *site) echo(conn net.Conn, in *bufio.Reader) {
	s.Helper()
	_, _ = io.WriteString(conn, "hello\n")
	if line, err := in.ReadString('\n'); line != "hello\n" || err != nil {
		s.Fatalf("%q, %v", line, err)
	}
}

// closes waits until the front takes no connections any more.
func (s *front) closes() {
	s.Helper()
	s.until("it takes no connections", func() bool {
		conn, err := net.Dial("tcp", s.addr)
		if err == nil {
			_ = conn.Close()
		}
		return err != nil
	})
}

// TestUpgradedConnections outlive time-outs for requests, and are closed when the time
// to stop is over, which is no error.
func TestUpgradedConnections(t *testing.T) {
	t.Parallel()
	s := stand(t, http.HandlerFunc(upgrade), plain+"timeouts: {header: 500ms, body: 500ms, write: 500ms, idle: 500ms, stop: 200ms}\n")
	conn, in := s.upgraded()
	defer conn.Close()
	time.Sleep(time.Second) // longer than every time-out
	s.echo(conn, in)
	s.stop()
	if _, err := in.ReadByte(); err == nil || errors.Is(err, net.ErrClosed) {
		t.Errorf("at the end: %v", err)
	}
	if err := s.end(); err != nil {
		t.Error(err)
	}
}

// TestUpgradedConnectionsThatClose: they go on while the gateway stops, and the end
// does not wait for longer than it has to.
func TestUpgradedConnectionsThatClose(t *testing.T) {
	s := stand(t, http.HandlerFunc(upgrade), plain+"timeouts: {stop: 1h}\n")
	conn, in := s.upgraded()
	s.stop()
	s.closes()
	s.echo(conn, in)
	_ = conn.Close()
	if err := s.end(); err != nil {
		t.Error(err)
	}
}

// TestUpgradedConnectionThatIsStuck: the end does not wait for a client that takes
// nothing.
func TestUpgradedConnectionThatIsStuck(t *testing.T) {
	full := make(chan struct{})
	up := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Connection", "Upgrade")
		w.Header().Set("Upgrade", "flood")
		w.WriteHeader(http.StatusSwitchingProtocols)
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer conn.Close()
		block := make([]byte, 1<<20)
		for err == nil {
			_ = conn.SetWriteDeadline(time.Now().Add(200 * time.Millisecond))
			_, err = conn.Write(block)
		}
		close(full)
		_ = conn.SetDeadline(time.Time{})
		_, _ = io.Copy(io.Discard, conn)
	})
	s := stand(t, up, plain+"timeouts: {write: 1h, stop: 100ms}\n")
	conn := s.dial()
	defer conn.Close()
	_, _ = io.WriteString(conn, "GET / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: flood\r\n\r\n")
	<-full
	s.stop()
	if err := s.end(); err != nil {
		t.Error(err)
	}
}

// TestAddressesThatAreTaken: an error, and nothing is left open.
func TestAddressesThatAreTaken(t *testing.T) {
	s := stand(t, text("ok"), plain)
	for _, file := range []string{"listen: " + s.addr, "listen: 127.0.0.1:0\nadmin: {addr: \"" + s.addr + "\"}"} {
		if err := tryListen(t, file+"\n"+strings.ReplaceAll(plain, "UPSTREAM", s.url)); err == nil || !strings.Contains(err.Error(), "address already in use") {
			t.Errorf("%s: %v", file, err)
		}
	}
}
