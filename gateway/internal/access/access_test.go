package access

import (
	"bytes"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
	"unicode"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	"pgregory.net/rapid"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var at = time.Date(2026, 11, 21, 10, 0, 0, 123e6, time.UTC)

func example() *Record {
	return &Record{
		Time: at, Took: 1500 * time.Microsecond, Client: "192.0.2.7", Method: "GET", Scheme: "https", Host: "api.example",
		Path: "/a%20b", Query: "q=1", Proto: "HTTP/1.1", Status: 200, Bytes: 12, Cache: "hit", ID: "id", Referer: "r", UserAgent: `x"y`,
	}
}

func TestFormats(t *testing.T) {
	for format, want := range map[Format]string{
		JSON: `{"time":"2026-11-21T10:00:00.123Z","client":"192.0.2.7","method":"GET","scheme":"https","host":"api.example","path":"/a%20b","query":"q=1",` +
			`"proto":"HTTP/1.1","status":200,"bytes":12,"duration_ms":1.500,"cache":"hit","request_id":"id","referer":"r","user_agent":"x\"y"}` + "\n",
		Common:   `192.0.2.7 - - [21/Nov/2026:10:00:00 +0000] "GET /a%20b?q=1 HTTP/1.1" 200 12` + "\n",
		Combined: `192.0.2.7 - - [21/Nov/2026:10:00:00 +0000] "GET /a%20b?q=1 HTTP/1.1" 200 12 "r" "x\"y"` + "\n",
	} {
		if diff := cmp.Diff(want, string(format.line(nil, example()))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", format, diff)
		}
	}
}

// TestNobodyForgesALine: whatever clients send, a record is one line of printable
// ASCII or valid JSON, with the fields that it has been given.
func TestNobodyForgesALine(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.OneOf(rapid.String(), rapid.SampledFrom([]string{"\" 200 1\n", "\r\n", "\\", "\x1b[2J", "\xff\xfe", "\u2028"}))
		r := example()
		for _, field := range []*string{&r.Client, &r.Method, &r.Host, &r.Path, &r.Query, &r.ID, &r.Referer, &r.UserAgent, &r.Upstream} {
			*field = text.Draw(t, "field")
		}
		var got map[string]any
		line := JSON.line(nil, r)
		if err := json.Unmarshal(line, &got); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		for name, want := range map[string]string{"path": r.Path, "user_agent": r.UserAgent} {
			if is, _ := got[name].(string); is != string([]rune(want)) {
				t.Fatalf("%s %q became %q", name, want, is)
			}
		}
		for _, format := range []Format{JSON, Common, Combined} {
			line := format.line(nil, r)
			if bytes.IndexByte(line, '\n') != len(line)-1 {
				t.Fatalf("%s: not one line: %q", format, line)
			}
			for _, c := range string(line[:len(line)-1]) {
				if !unicode.IsPrint(c) || format != JSON && c > '~' {
					t.Fatalf("%s: %q is not printable", format, line)
				}
			}
		}
		line = Combined.line(nil, r)
		if n := unescapedQuotes(line); n != 6 {
			t.Fatalf("%d quotes: %s", n, line)
		}
	})
}

func unescapedQuotes(line []byte) (n int) {
	for i := 0; i < len(line); i++ {
		switch line[i] {
		case '\\':
			i++
		case '"':
			n++
		}
	}
	return n
}

// slow is a reader of the log that can be held up.
type slow struct {
	gate chan struct{}
	mu   sync.Mutex
	got  bytes.Buffer
	err  error
}

func (s *slow) Write(p []byte) (int, error) {
	<-s.gate
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return 0, s.err
	}
	return s.got.Write(p)
}

func (s *slow) lines() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return bytes.Count(s.got.Bytes(), []byte("\n"))
}

func (s *slow) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err = err
}

func quiet(out *bytes.Buffer) *slog.Logger { return slog.New(slog.NewTextHandler(out, nil)) }

// TestFlushed: a line is written within a second, without more to come.
func TestFlushed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		out := &slow{gate: make(chan struct{})}
		close(out.gate)
		l, err := Open(Options{Format: Common, Out: out})
		if err != nil {
			t.Fatal(err)
		}
		l.Add(example())
		time.Sleep(flushEvery + time.Millisecond)
		synctest.Wait()
		if out.lines() != 1 {
			t.Errorf("%d lines after %v", out.lines(), flushEvery)
		}
		l.Add(example())
		if err := l.Close(); err != nil || out.lines() != 2 {
			t.Errorf("%d lines after Close, %v", out.lines(), err)
		}
	})
}

// TestSlowLog: nobody waits for a log that is not written, it holds so much and no
// more, and what is missing is told.
func TestSlowLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var told bytes.Buffer
		out := &slow{gate: make(chan struct{})}
		l, err := Open(Options{Format: Common, Out: out, Logger: quiet(&told)})
		if err != nil {
			t.Fatal(err)
		}
		const lines = 200_000 // more than most holds
		for range lines {
			l.Add(example())
		}
		if held := cap(l.buf); held > 2*most {
			t.Errorf("%d bytes are held", held)
		}
		close(out.gate)
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		missing := lines - out.lines()
		if missing <= 0 || !strings.Contains(told.String(), "lines are missing") {
			t.Errorf("%d lines are missing, told: %s", missing, told.String())
		}
	})
}

// TestFailingLog: the first failure and the recovery are told, not each line.
func TestFailingLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var told bytes.Buffer
		out := &slow{gate: make(chan struct{}), err: errors.New("disk full")}
		close(out.gate)
		l, err := Open(Options{Format: JSON, Out: out, Logger: quiet(&told)})
		if err != nil {
			t.Fatal(err)
		}
		for range 3 {
			l.Add(example())
			time.Sleep(2 * flushEvery)
		}
		out.fail(nil)
		l.Add(example())
		time.Sleep(2 * flushEvery)
		if err := l.Close(); err != nil {
			t.Error(err)
		}
		if n := strings.Count(told.String(), "disk full"); n != 1 || !strings.Contains(told.String(), "written again") {
			t.Errorf("told:\n%s", told.String())
		}
	})
}

func TestFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "access.log")
	for range 2 {
		l, err := Open(Options{Format: Common, Path: path})
		if err != nil {
			t.Fatal(err)
		}
		l.Add(example())
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(path)
	if err != nil || bytes.Count(text, []byte("\n")) != 2 {
		t.Errorf("%s, %v", text, err)
	}
	if _, err := Open(Options{Format: Common, Path: filepath.Join(path, "x")}); err == nil {
		t.Error("a path that is no path")
	}
	none, err := Open(Options{})
	if none != nil || err != nil || none.Close() != nil {
		t.Errorf("no log: %v, %v", none, err)
	}
}

func TestRecorder(t *testing.T) {
	inner := httptest.NewRecorder()
	w := &Recorder{ResponseWriter: inner}
	w.WriteHeader(http.StatusNotFound)
	_, _ = w.Write([]byte("ab"))
	_, _ = w.WriteString("cde")
	if w.Status != http.StatusNotFound || w.Bytes != 5 {
		t.Errorf("status %d, %d bytes", w.Status, w.Bytes)
	}
	if err := http.NewResponseController(w).Flush(); err != nil || !inner.Flushed {
		t.Errorf("not flushed: %v", err)
	}
	w = &Recorder{ResponseWriter: httptest.NewRecorder()}
	w.WriteHeader(http.StatusEarlyHints)
	if w.Status != 0 {
		t.Errorf("an interim answer counts as %d", w.Status)
	}
	if _, _ = w.Write(nil); w.Status != http.StatusOK {
		t.Errorf("status %d", w.Status)
	}
}

func TestCacheWord(t *testing.T) {
	for line, want := range map[string]string{
		"freshet; hit; ttl=12":                   "hit",
		"freshet; hit; ttl=-3":                   "stale",
		`freshet; hit; ttl=3; detail="stale"`:    "stale",
		"freshet; fwd=uri-miss; stored":          "miss",
		"freshet; fwd=stale; fwd-status=304":     "miss",
		`freshet; fwd=bypass; detail="no-store"`: "bypass",
		"freshet; fwd=method":                    "bypass",
		"other; hit":                             "",
		"":                                       "",
	} {
		if got := CacheWord([]string{"other; hit", line}, "freshet"); got != want {
			t.Errorf("%s is %q, want %q", line, got, want)
		}
	}
	if got := CacheWord([]string{"freshet; hit", "freshet; fwd=uri-miss"}, "freshet"); got != "miss" {
		t.Errorf("behind another freshet: %q", got)
	}
}

func BenchmarkLine(b *testing.B) {
	var buf []byte
	for b.Loop() {
		buf = JSON.line(buf[:0], example())
	}
}
