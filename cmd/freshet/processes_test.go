package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/freshet-dev/freshet/internal/redistest"
)

// process is a demo of its own, on the database and the Redis of the test.
type process struct {
	url    string
	client *http.Client
}

// startDemos starts a process for each of delays. They share a database file
// and a Redis.
func startDemos(t *testing.T, delays ...string) []process {
	t.Helper()
	redis := redistest.Start(t)
	file := filepath.Join(t.TempDir(), "demo.db")
	var all []process
	for _, delay := range delays {
		all = append(all, startDemo(t, redis.Addr, "--db", file, "--delay", delay))
	}
	return all
}

func startDemo(t *testing.T, redis string, flags ...string) process {
	t.Helper()
	cmd := exec.Command("freshet", append([]string{"demo", "--addr", "127.0.0.1:0"}, flags...)...)
	cmd.Env = append(os.Environ(), "REDIS_CACHE_URL=redis://"+redis+"/0")
	cmd.Stderr = t.Output()
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		if err := cmd.Wait(); err != nil {
			t.Errorf("freshet demo: %v", err)
		}
	})
	var url string
	if _, err := fmt.Fscanf(out, "freshet demo on %s", &url); err != nil {
		t.Fatalf("the first line of freshet demo: %v", err)
	}
	go func() { _, _ = io.Copy(io.Discard, out) }()
	return process{url, &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 200}, Timeout: patience}}
}

func (p process) send(t *testing.T, method, path, body string) (status int, header http.Header, answer string) {
	t.Helper()
	r, err := http.NewRequest(method, p.url+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	w, err := p.client.Do(r)
	if err != nil {
		t.Error(err)
		return 0, nil, ""
	}
	defer w.Body.Close()
	all, err := io.ReadAll(w.Body)
	if err != nil {
		t.Error(err)
	}
	return w.StatusCode, w.Header, string(all)
}

// runs returns how often the handler of a route has run in all processes.
func runs(t *testing.T, all []process, pattern string) (sum int) {
	t.Helper()
	for _, p := range all {
		counts := map[string]int{}
		_, _, answer := p.send(t, http.MethodGet, "/debug/runs", "")
		if err := json.Unmarshal([]byte(answer), &counts); err != nil {
			t.Fatal(err)
		}
		sum += counts[pattern]
	}
	return sum
}

// TestOneLoadOverProcesses: 200 first requests at once, half of them to each of
// two processes, run the handler once.
func TestOneLoadOverProcesses(t *testing.T) {
	all := startDemos(t, "0s", "0s")
	const requests = 200
	var wg sync.WaitGroup
	gate := make(chan struct{})
	answers := make([]string, requests)
	for i := range requests {
		wg.Go(func() {
			<-gate
			_, _, answers[i] = all[i%len(all)].send(t, http.MethodGet, "/authors/123/stats", "")
		})
	}
	close(gate)
	wg.Wait()
	if got := runs(t, all, "GET /authors/{user_id}/stats"); got != 1 {
		t.Errorf("%d requests ran the handler %d times, want once", requests, got)
	}
	for _, answer := range answers {
		if answer != answers[0] || answer == "" {
			t.Fatalf("answers differ: %q and %q", answer, answers[0])
		}
	}
}

// TestNoStaleAnswerOverProcesses: a GET of one process is under way while a PUT
// to the other commits and invalidates. Whatever the GET has read, nobody who
// asks afterwards is shown the state before the PUT.
func TestNoStaleAnswerOverProcesses(t *testing.T) {
	all := startDemos(t, "50ms", "0s")
	const rounds, workers = 200, 10
	var stale, overlapped atomic.Int64
	var wg sync.WaitGroup
	for worker := range workers {
		wg.Go(func() {
			for round := range rounds / workers {
				// Each round has a post of its own, so that the GET is a miss.
				post := 1 + worker*rounds + round
				if underWay(t, all[0], all[1], post) {
					overlapped.Add(1)
				}
				for _, p := range all {
					if !strings.Contains(title(t, p, post), newTitle) {
						stale.Add(1)
						break
					}
				}
			}
		})
	}
	wg.Wait()
	t.Logf("%d rounds: in %d the GET had read the old state and ended after the PUT; %d answered stale afterwards",
		rounds, overlapped.Load(), stale.Load())
	if stale.Load() > 0 {
		t.Errorf("%d of %d rounds were answered stale", stale.Load(), rounds)
	}
	if overlapped.Load() == 0 {
		t.Error("no GET was overtaken by its PUT: the test shows nothing")
	}
}

const newTitle = "A title that no post has had before"

// underWay sends a GET to reader, whose database is distant, and while that is
// under way a PUT to writer. It reports whether the GET had read the old state
// and ended after the PUT.
func underWay(t *testing.T, reader, writer process, post int) bool {
	t.Helper()
	path := fmt.Sprintf("/posts/%d", post)
	var old bool
	var got time.Time
	done := make(chan struct{})
	go func() {
		defer close(done)
		old = !strings.Contains(title(t, reader, post), newTitle)
		got = time.Now()
	}()
	// Half of the way back from the database: most GETs have read by then, and
	// few have ended. How many is counted, none has to.
	time.Sleep(25 * time.Millisecond)
	if status, _, answer := writer.send(t, http.MethodPut, path, `{"title":"`+newTitle+`"}`); status != http.StatusOK {
		t.Errorf("PUT %s: %d %s", path, status, answer)
	}
	put := time.Now()
	<-done
	return old && got.After(put)
}

func title(t *testing.T, p process, post int) string {
	t.Helper()
	_, _, answer := p.send(t, http.MethodGet, fmt.Sprintf("/posts/%d", post), "")
	return answer
}
