package gateway_test

import (
	"context"
	"crypto/tls"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/freshet-dev/freshet"
	"github.com/freshet-dev/freshet/gateway"
	"github.com/freshet-dev/freshet/gateway/internal/certs/certtest"
	"github.com/freshet-dev/freshet/memstore"
)

// tryListen returns the error of a front by the file's text, which it closes.
func tryListen(t *testing.T, file string) error {
	t.Helper()
	cache, err := freshet.Open(t.Context(), &freshet.Options{Logger: slog.New(slog.DiscardHandler)}, memstore.Open)
	if err != nil {
		t.Fatal(err)
	}
	defer cache.Close(context.Background())
	g, err := gateway.New(config(t, file), cache, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	_, err = gateway.Listen(t.Context(), g, nil)
	return err
}

// follow has s keep to a file, whose path it returns.
func (s *front) follow(text string) (path string, again chan<- os.Signal) {
	s.Helper()
	path = filepath.Join(s.TempDir(), "gateway.yaml")
	put(s.T, path, text)
	ctx, cancel := context.WithCancel(context.Background())
	signals := make(chan os.Signal)
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.front.Follow(ctx, path, func() (*gateway.Config, error) { return gateway.Load(path) }, signals)
	}()
	s.Cleanup(func() {
		cancel()
		<-done
	})
	return path, signals
}

// put replaces a file at once, as careful programs do.
func put(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path+".new", []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}

// TestFollowUnderLoad: while many requests are under way all the time, the
// configuration changes 20 times between two upstreams. No request fails, and each
// change counts.
func TestFollowUnderLoad(t *testing.T) {
	urls := []string{server(t, text("one")), server(t, text("two"))}
	file := func(i int) string {
		return "listen: 127.0.0.1:0\n" + strings.ReplaceAll(plain, "UPSTREAM", urls[i%2])
	}
	s := standOn(t, urls[0], plain)
	path, again := s.follow(file(0))
	var failed, asked atomic.Int64
	stop := make(chan struct{})
	var clients sync.WaitGroup
	for range 16 {
		clients.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				res, err := s.client.Post(s.url, "text/plain", strings.NewReader("x"))
				asked.Add(1)
				if err != nil {
					failed.Add(1)
					t.Log(err)
					continue
				}
				body, err := io.ReadAll(res.Body)
				_ = res.Body.Close()
				if err != nil || res.StatusCode != http.StatusOK || string(body) != "one" && string(body) != "two" {
					failed.Add(1)
					t.Log(res.StatusCode, string(body), err)
				}
			}
		})
	}
	for i := range 20 {
		put(t, path, file(i+1))
		again <- syscall.SIGHUP
		want := [...]string{"one", "two"}[(i+1)%2]
		s.until("the change counts", func() bool { return s.do("POST", "/", "x").body == want })
	}
	close(stop)
	clients.Wait()
	t.Logf("%d requests, %d failed", asked.Load(), failed.Load())
	if failed.Load() != 0 || asked.Load() < 100 {
		t.Errorf("%d of %d requests failed", failed.Load(), asked.Load())
	}
}

// TestBadFile: a file with mistakes is refused, and told; the old one stays until a
// good one comes, which is noticed without a signal.
func TestBadFile(t *testing.T) {
	t.Parallel()
	one, two := server(t, text("one")), server(t, text("two"))
	s := standOn(t, one, plain)
	path, again := s.follow(strings.ReplaceAll(plain, "UPSTREAM", one))
	put(t, path, "upstreams: {api: {servers: [nowhere]}}\nroots: []\n")
	again <- syscall.SIGHUP
	s.until("the mistake is told", func() bool { return strings.Contains(s.told.String(), "the old configuration stays") })
	for _, what := range []string{"gateway.yaml:1:", "unknown field: did you mean routes?", "is no server"} {
		if !strings.Contains(s.told.String(), what) {
			t.Errorf("%q is not told", what)
		}
	}
	if got := s.get("/"); got.body != "one" {
		t.Errorf("%q", got.body)
	}
	put(t, path, strings.ReplaceAll(plain, "UPSTREAM", two))
	s.until("the new file counts", func() bool { return s.do("POST", "/", "x").body == "two" })
}

// TestWhatNeedsANewStart is said, and the rest of the new file counts.
func TestWhatNeedsANewStart(t *testing.T) {
	two := server(t, text("two"))
	s := stand(t, text("one"), plain)
	err := s.front.Reload(config(t, "listen: 127.0.0.1:1\nlimits: {header: 1MiB, body: 10}\ntimeouts: {idle: 1s}\n"+strings.ReplaceAll(plain, "UPSTREAM", two)))
	if err != nil {
		t.Fatal(err)
	}
	if told := s.told.String(); !strings.Contains(told, "this needs a new start") || !strings.Contains(told, "[limits.header listen timeouts.idle]") {
		t.Errorf("told:\n%s", told)
	}
	if got := s.do("POST", "/", "x"); got.body != "two" {
		t.Errorf("%q", got.body)
	}
	if got := s.do("POST", "/", "more than ten"); got.StatusCode != http.StatusRequestEntityTooLarge {
		t.Errorf("%d", got.StatusCode)
	}
}

// TestCertificateIsReplaced in use: without a signal, without dropping a connection,
// and not by one that cannot be used. It is spoken HTTP/2.
func TestCertificateIsReplaced(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cert, key := filepath.Join(dir, "cert"), filepath.Join(dir, "key")
	certtest.Write(t, cert, key, certtest.Options{Serial: 1})
	up := server(t, text("ok"))
	file := strings.ReplaceAll(plain, "UPSTREAM", up) + "tls: {cert: " + cert + ", key: " + key + "}\n"
	s := standOn(t, up, file)
	s.follow(file)
	trusting := &tls.Config{InsecureSkipVerify: true}
	serial := func() (int64, string) {
		transport := &http.Transport{TLSClientConfig: trusting.Clone(), ForceAttemptHTTP2: true}
		defer transport.CloseIdleConnections()
		res, err := (&http.Client{Transport: transport, Timeout: patience}).Get("https://" + s.addr)
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		return res.TLS.PeerCertificates[0].SerialNumber.Int64(), res.Proto
	}
	held, err := tls.Dial("tcp", s.addr, trusting)
	if err != nil {
		t.Fatal(err)
	}
	defer held.Close()
	if got, proto := serial(); got != 1 || proto != "HTTP/2.0" {
		t.Errorf("certificate %d, %s", got, proto)
	}
	certtest.Write(t, cert, filepath.Join(dir, "elsewhere"), certtest.Options{Serial: 2})
	s.until("it is told", func() bool { return strings.Contains(s.told.String(), "the old configuration stays") })
	if got, _ := serial(); got != 1 {
		t.Errorf("certificate %d is used without its key", got)
	}
	certtest.Write(t, cert, key, certtest.Options{Serial: 3})
	s.until("the new one is used", func() bool { got, _ := serial(); return got == 3 })
	_, _ = io.WriteString(held, "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
	_ = held.SetDeadline(time.Now().Add(patience))
	if answer, err := io.ReadAll(held); status(string(answer)) != "200" || err != nil {
		t.Errorf("on the connection from before: %s, %v", answer, err)
	}
}

// TestLogIsOpenedAnew at a signal, as those who rename logs expect.
func TestLogIsOpenedAnew(t *testing.T) {
	t.Parallel()
	log := filepath.Join(t.TempDir(), "access.log")
	up := server(t, text("ok"))
	file := strings.ReplaceAll(plain, "UPSTREAM", up) + "log: {access: common, file: " + log + "}\n"
	s := standOn(t, up, file)
	_, again := s.follow(file)
	s.get("/before")
	if err := os.Rename(log, log+".1"); err != nil {
		t.Fatal(err)
	}
	again <- syscall.SIGHUP
	s.until("there is a new file", func() bool { _, err := os.Stat(log); return err == nil })
	s.get("/after")
	contains := func(path, text string) func() bool {
		return func() bool { all, _ := os.ReadFile(path); return strings.Contains(string(all), text) }
	}
	s.until("the line is in the old file", contains(log+".1", "GET /before"))
	s.until("the line is in the new file", contains(log, "GET /after"))
}

// TestLineOfALongRequest: a request that began under one log and ends under another is
// in the other.
func TestLineOfALongRequest(t *testing.T) {
	t.Parallel()
	up := newGate()
	url := server(t, up)
	file := strings.ReplaceAll(plain, "UPSTREAM", url) + "log: {access: common, file: " + filepath.Join(t.TempDir(), "access.log") + "}\n"
	s := standOn(t, url, file)
	under := s.ask("/long")
	<-up.began
	if err := s.front.Reload(config(t, "listen: 127.0.0.1:0\n"+strings.ReplaceAll(file, "access.log", "other.log"))); err != nil {
		t.Fatal(err)
	}
	close(up.open)
	<-under
	path := s.gateway.Config().Log.File
	s.until("the line is in the other log", func() bool {
		all, _ := os.ReadFile(path)
		return strings.Contains(string(all), "GET /long")
	})
}

// TestReloadIsWhole: of a configuration that the gateway refuses, the front takes
// nothing either.
func TestReloadIsWhole(t *testing.T) {
	t.Parallel()
	log := filepath.Join(t.TempDir(), "access.log")
	s := stand(t, text("ok"), plain+"log: {access: common, file: "+log+"}\n")
	s.gateway.Close() // it then refuses every other
	other := config(t, strings.ReplaceAll(plain, "UPSTREAM", "http://127.0.0.1:1")+"limits: {body: 1}\nlog: {access: common, file: "+log+".other}\n")
	if err := s.front.Reload(other); err == nil {
		t.Fatal("it is not refused")
	}
	if got := s.do("POST", "/", "longer than one"); got.StatusCode != http.StatusOK {
		t.Errorf("%d", got.StatusCode)
	}
	s.until("the line is in the old log", func() bool {
		all, _ := os.ReadFile(log)
		return strings.Contains(string(all), "POST /")
	})
}
