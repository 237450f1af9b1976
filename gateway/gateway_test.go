package gateway_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/freshet-dev/freshet"
	"github.com/freshet-dev/freshet/gateway"
	"github.com/freshet-dev/freshet/memstore"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is how long a test waits for what is certain to come, however slow the
// machine is.
const patience = time.Minute

// site is a gateway, served on loopback.
type site struct {
	*testing.T
	gateway *gateway.Gateway
	cache   *freshet.Cache
	url     string
	addr    string
	client  *http.Client
}

// open serves a gateway by the file's text, in which UPSTREAM stands for the address
// of up.
func open(t *testing.T, up http.Handler, file string) *site {
	t.Helper()
	return openOn(t, server(t, up), file)
}

// openOn is open in front of the server at the address upstream.
func openOn(t *testing.T, upstream, file string) *site {
	t.Helper()
	c := config(t, strings.ReplaceAll(file, "UPSTREAM", upstream))
	store, err := memstore.Open(t.Context(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	cache, err := freshet.New(store, &freshet.Options{Logger: slog.New(slog.DiscardHandler), Codings: c.Codings()})
	if err != nil {
		t.Fatal(err)
	}
	g, err := gateway.New(c, cache, &gateway.Options{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	front := httptest.NewUnstartedServer(g)
	front.Config.DisableGeneralOptionsHandler = true
	front.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, 0)
	front.Start()
	transport := &http.Transport{DisableCompression: true}
	s := &site{T: t, gateway: g, cache: cache, url: front.URL, addr: front.Listener.Addr().String()}
	s.client = &http.Client{
		Transport: transport, Timeout: patience,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		front.CloseClientConnections()
		front.Close()
		g.Close()
		if err := cache.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return s
}

// plain is the file that says no more than it has to.
const plain = "upstreams: {api: {servers: [UPSTREAM]}}\n"

func config(t *testing.T, text string) *gateway.Config {
	t.Helper()
	c, err := gateway.Read("test.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// server runs an upstream and returns its address.
func server(t *testing.T, h http.Handler) string {
	t.Helper()
	s := httptest.NewUnstartedServer(h)
	s.Config.DisableGeneralOptionsHandler = true
	s.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, 0)
	s.Start()
	t.Cleanup(func() {
		s.CloseClientConnections()
		s.Close()
	})
	return s.URL
}

// reply is an answer, read to its end.
type reply struct {
	*http.Response
	body string
}

// cached returns what Cache-Status says: hit, or why not.
func (r reply) cached() string {
	status := r.Header.Get("Cache-Status")
	switch {
	case strings.Contains(status, "; hit"):
		return "hit"
	case strings.Contains(status, "; stored"):
		return "stored"
	default:
		return status
	}
}

// get sends a request for path; fields are "Name: value".
func (s *site) get(path string, fields ...string) reply {
	s.Helper()
	return s.do(http.MethodGet, path, "", fields...)
}

func (s *site) do(method, path, body string, fields ...string) reply {
	s.Helper()
	var content io.Reader
	if body != "" {
		content = strings.NewReader(body)
	}
	r, err := http.NewRequestWithContext(s.Context(), method, s.url+path, content)
	if err != nil {
		s.Fatal(err)
	}
	for _, field := range fields {
		name, value, _ := strings.Cut(field, ": ")
		if name == "Host" {
			r.Host = value
		} else {
			r.Header.Add(name, value)
		}
	}
	res, err := s.client.Do(r)
	if err != nil {
		s.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		s.Fatal(err)
	}
	return reply{res, string(text)}
}

// raw sends text as it is, each LF as CRLF, and returns all that comes back until the
// server closes: text had better ask for that.
func (s *site) raw(text string) string {
	s.Helper()
	conn := s.dial()
	defer conn.Close()
	if _, err := io.WriteString(conn, strings.ReplaceAll(text, "\n", "\r\n")); err != nil {
		s.Fatal(err)
	}
	answer, err := io.ReadAll(conn)
	if err != nil {
		s.Fatalf("%v after %q", err, answer)
	}
	return string(answer)
}

func (s *site) dial() net.Conn {
	s.Helper()
	conn, err := net.Dial("tcp", s.addr)
	if err != nil {
		s.Fatal(err)
	}
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		s.Fatal(err)
	}
	return conn
}

// status returns the first answer's status of what raw has returned.
func status(answer string) string {
	_, rest, _ := strings.Cut(answer, " ")
	return rest[:min(3, len(rest))]
}

// journal is what an upstream has been asked for.
type journal struct {
	mu    sync.Mutex
	lines []string
}

func (j *journal) add(format string, args ...any) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.lines = append(j.lines, fmt.Sprintf(format, args...))
}

func (j *journal) all() []string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return append([]string(nil), j.lines...)
}

// crude is an upstream that writes bytes: for each request that it reads, the answer
// that answer returns, after which it closes the connection.
func crude(t *testing.T, answer func(r *http.Request, conn net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var work sync.WaitGroup
	work.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			work.Go(func() {
				defer conn.Close()
				r, err := http.ReadRequest(bufio.NewReader(conn))
				if err != nil {
					return
				}
				answer(r, conn)
			})
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		work.Wait()
	})
	return "http://" + l.Addr().String()
}

// secret writes a file and returns its path.
func secret(t *testing.T, text string) string {
	t.Helper()
	path := t.TempDir() + "/secret"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
