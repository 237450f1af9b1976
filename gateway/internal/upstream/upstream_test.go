package upstream_test

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/freshet-dev/freshet/gateway/internal/upstream"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const patience = time.Minute

// backend is a real server that says who it is, and can be ill.
type backend struct {
	name   string
	url    *url.URL
	status atomic.Int32 // what it answers; 0 is 200
	down   atomic.Bool  // it closes connections without an answer
	asked  atomic.Int32 // checks not counted
	checks atomic.Int32
	body   atomic.Pointer[string] // of the last request
	server *httptest.Server
}

func start(t *testing.T, name string) *backend {
	t.Helper()
	b := &backend{name: name}
	b.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if b.down.Load() {
			panic(http.ErrAbortHandler)
		}
		if r.URL.Path == "/health" {
			b.checks.Add(1)
		} else {
			b.asked.Add(1)
		}
		text, _ := io.ReadAll(r.Body)
		b.body.Store(new(string(text)))
		if status := b.status.Load(); status != 0 {
			w.WriteHeader(int(status))
		}
		fmt.Fprint(w, b.name)
	}))
	b.server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, 0)
	t.Cleanup(b.server.Close)
	b.url, _ = url.Parse(b.server.URL)
	return b
}

// gone returns the address of nobody: unlike a port that has just been free, nobody is
// given the first one.
func gone() *url.URL { return &url.URL{Scheme: "http", Host: "127.0.0.1:1"} }

func pool(t *testing.T, change func(*upstream.Settings), servers ...*url.URL) *upstream.Pool {
	t.Helper()
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	s := upstream.Settings{
		Servers: servers, Connect: patience, Answer: patience, Stall: patience, MaxIdle: 4, Protocols: protocols,
		Retries: 1, Fails: 2, Rest: time.Hour,
	}
	if change != nil {
		change(&s)
	}
	p := upstream.New(s)
	t.Cleanup(p.Close)
	return p
}

// ask sends a request and returns the body of the answer, or "status N", or the error.
func ask(t *testing.T, p *upstream.Pool, method, body string) string {
	t.Helper()
	var content io.Reader
	if body != "" {
		content = io.NopCloser(strings.NewReader(body))
	}
	r, err := http.NewRequestWithContext(t.Context(), method, "/x", content)
	if err != nil {
		t.Fatal(err)
	}
	res, err := p.RoundTrip(r)
	if err != nil {
		return err.Error()
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		return err.Error()
	}
	if res.StatusCode != http.StatusOK {
		return fmt.Sprint("status ", res.StatusCode)
	}
	return string(text)
}

func TestRoundRobin(t *testing.T) {
	a, b, c := start(t, "a"), start(t, "b"), start(t, "c")
	p := pool(t, nil, a.url, b.url, c.url)
	for range 9 {
		ask(t, p, "GET", "")
	}
	for _, b := range []*backend{a, b, c} {
		if n := b.asked.Load(); n != 3 {
			t.Errorf("%s was asked %d times of 9", b.name, n)
		}
	}
}

// TestRetries: what may be made twice is made again elsewhere, and nothing else.
func TestRetries(t *testing.T) {
	tests := []struct {
		name, method, body string
		status             int32 // of the first server; 0: it is not there
		on                 []int
		wanted             string
	}{
		{"read, nobody there", "GET", "", 0, nil, "b"},
		{"write, nobody there", "POST", "", 0, nil, "b"},
		{"write with a body, nobody there", "POST", "text", 0, nil, "b"},
		{"read, 503", "GET", "", 503, []int{502, 503}, "b"},
		{"read, 503 that does not count", "GET", "", 503, []int{502}, "status 503"},
		{"idempotent write, 503", "DELETE", "", 503, []int{503}, "b"},
		{"other write, 503", "POST", "", 503, []int{503}, "status 503"},
		{"read with a body, 503", "GET", "text", 503, []int{503}, "status 503"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			first, b := gone(), start(t, "b")
			if tt.status != 0 {
				a := start(t, "a")
				a.status.Store(tt.status)
				first = a.url
			}
			p := pool(t, func(s *upstream.Settings) { s.RetryOn = tt.on }, first, b.url)
			if got := ask(t, p, tt.method, tt.body); got != tt.wanted {
				t.Errorf("%q, wanted %q", got, tt.wanted)
			}
			if tt.wanted == "b" && *b.body.Load() != tt.body {
				t.Errorf("the body that arrived is %q", *b.body.Load())
			}
		})
	}
}

// TestRequestsThatHaveBegun: a server that takes a request and closes has perhaps done
// what was asked.
func TestRequestsThatHaveBegun(t *testing.T) {
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
			_, _ = conn.Read(make([]byte, 1024))
			_ = conn.Close()
		}
	})
	t.Cleanup(func() { _ = l.Close(); work.Wait() })
	for method, wanted := range map[string]string{"GET": "b", "POST": "EOF"} {
		b := start(t, "b")
		p := pool(t, nil, &url.URL{Scheme: "http", Host: l.Addr().String()}, b.url)
		if got := ask(t, p, method, ""); !strings.HasSuffix(got, wanted) {
			t.Errorf("%s: %q, wanted %q", method, got, wanted)
		}
	}
}

// TestLeftAlone: a server that fails again and again is not asked any more, until its
// rest is over.
func TestLeftAlone(t *testing.T) {
	dead, b := gone(), start(t, "b")
	var changes []string
	p := pool(t, func(s *upstream.Settings) {
		s.Retries, s.Rest = 0, time.Hour
		s.Changed = func(server string, up bool, why error) { changes = append(changes, fmt.Sprint(up, why != nil)) }
	}, dead, b.url)
	failures := 0
	for range 20 {
		if ask(t, p, "GET", "") != "b" {
			failures++
		}
	}
	if failures != 2 {
		t.Errorf("%d requests failed, wanted 2: then it should be left alone", failures)
	}
	if states := p.States(); states[0].Up || states[0].Err == nil || !states[1].Up {
		t.Errorf("states: %+v", states)
	}
	if !slices.Equal(changes, []string{"false true"}) {
		t.Errorf("told: %q", changes)
	}
}

func TestRestEnds(t *testing.T) {
	a, back := start(t, "a"), start(t, "back")
	back.down.Store(true)
	p := pool(t, func(s *upstream.Settings) { s.Rest = time.Millisecond; s.Fails = 1 }, back.url, a.url)
	for range 4 {
		if got := ask(t, p, "GET", ""); got != "a" {
			t.Errorf("%q", got)
		}
		time.Sleep(2 * time.Millisecond) // the rest itself is what is tested
	}
	back.down.Store(false)
	for limit := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		if ask(t, p, "GET", "") == "back" {
			break
		}
		if time.Now().After(limit) {
			t.Fatal("the server that is back is not asked")
		}
	}
	if states := p.States(); !states[0].Up {
		t.Errorf("states: %+v", states)
	}
}

// TestNobodyWorks: with nobody left who works, somebody is asked all the same.
func TestNobodyWorks(t *testing.T) {
	p := pool(t, func(s *upstream.Settings) { s.Fails = 1 }, gone(), gone())
	for range 5 {
		ask(t, p, "GET", "")
	}
	if got := ask(t, p, "GET", ""); !strings.Contains(got, "refused") {
		t.Errorf("%q", got)
	}
}

// TestChecks: a server that is ill, though it answers, gets no requests until it is well.
func TestChecks(t *testing.T) {
	a, b := start(t, "a"), start(t, "b")
	a.status.Store(500)
	changes := make(chan bool, 16)
	p := pool(t, func(s *upstream.Settings) {
		s.Check = upstream.Check{Path: "/health", Every: time.Millisecond, Timeout: patience}
		s.Changed = func(_ string, up bool, _ error) { changes <- up }
	}, a.url, b.url)
	await(t, changes, false)
	before := a.asked.Load()
	for range 10 {
		if got := ask(t, p, "GET", ""); got != "b" {
			t.Errorf("%q", got)
		}
	}
	if n := a.asked.Load() - before; n != 0 {
		t.Errorf("the server that is ill was asked %d times", n)
	}
	a.status.Store(0)
	await(t, changes, true)
	for limit := time.Now().Add(patience); a.asked.Load() == before; {
		ask(t, p, "GET", "")
		if time.Now().After(limit) {
			t.Fatal("the server that is well again is not asked")
		}
	}
}

func await(t *testing.T, changes <-chan bool, wanted bool) {
	t.Helper()
	select {
	case up := <-changes:
		if up != wanted {
			t.Fatalf("changed to %t", up)
		}
	case <-time.After(patience):
		t.Fatalf("no change to %t", wanted)
	}
}

// TestCheckEnds: closing a pool ends its checks, one under way included (goleak).
func TestCheckEnds(t *testing.T) {
	hang := make(chan struct{})
	asked := make(chan struct{}, 1)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked <- struct{}{}
		<-hang
	}))
	defer s.Close()
	defer close(hang)
	u, _ := url.Parse(s.URL)
	p := pool(t, func(s *upstream.Settings) {
		s.Check = upstream.Check{Path: "/", Every: time.Hour, Timeout: time.Hour}
	}, u)
	<-asked
	p.Close()
}

// failing is a client's body that breaks off.
type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, errors.New("broken off") }

func TestBodyOfTheClientBreaksOff(t *testing.T) {
	a := start(t, "a")
	p := pool(t, func(s *upstream.Settings) { s.Fails = 1 }, a.url)
	r, err := http.NewRequestWithContext(t.Context(), "POST", "/x", io.NopCloser(failing{}))
	if err != nil {
		t.Fatal(err)
	}
	_, err = p.RoundTrip(r)
	var broken *upstream.BodyError
	if !errors.As(err, &broken) {
		t.Errorf("%v", err)
	}
	if !p.States()[0].Up {
		t.Error("the server is blamed")
	}
}

func TestPathInFront(t *testing.T) {
	asked := make(chan string, 1)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { asked <- r.RequestURI }))
	defer s.Close()
	u, _ := url.Parse(s.URL + "/v%201/api/")
	p := pool(t, nil, u)
	r, err := http.NewRequestWithContext(t.Context(), "GET", "/", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.URL = &url.URL{Path: "/a/b/c", RawPath: "/a%2Fb/c", RawQuery: "x=%41"}
	res, err := p.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	if got := <-asked; got != "/v%201/api/a%2Fb/c?x=%41" {
		t.Errorf("%s", got)
	}
}
