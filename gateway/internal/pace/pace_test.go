package pace

import (
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestBody runs clients of different patience in fake time: each sends so many
// pieces of such a size, with a pause before each.
func TestBody(t *testing.T) {
	const limit = 10 * time.Second
	tests := []struct {
		name          string
		pause         time.Duration
		size, pieces  int
		want          error
		before, after time.Duration // when it ends
	}{
		{"at once", 0, 1000, 100, nil, 0, time.Second},
		{"slowly, but it moves", 9 * time.Second, 16 << 10, 100, nil, 900 * time.Second, 901 * time.Second},
		{"it stops", time.Hour, 1, 1, ErrSlow, limit, limit + time.Second},
		{"a byte at a time, each before the time-out", 9 * time.Second, 1, 100, ErrSlow, limit, limit + time.Second},
		{"just below the rate", time.Second, 490, 10000, ErrSlow, 400 * time.Second, 600 * time.Second},
		{"just above the rate", time.Second, 510, 1000, nil, 1000 * time.Second, 1001 * time.Second},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				client, server := net.Pipe()
				var sender sync.WaitGroup
				sender.Go(func() {
					defer client.Close()
					for range tt.pieces {
						time.Sleep(tt.pause)
						if _, err := client.Write(make([]byte, tt.size)); err != nil {
							return
						}
					}
				})
				body := NewBody(server, limit, server.SetReadDeadline)
				start := time.Now()
				_, err := io.Copy(io.Discard, body)
				if !errors.Is(err, tt.want) {
					t.Errorf("error %v, want %v", err, tt.want)
				}
				if took := time.Since(start); took < tt.before || took > tt.after {
					t.Errorf("it took %v, want %v to %v", took, tt.before, tt.after)
				}
				_ = body.Close()
				sender.Wait()
			})
		})
	}
}

// TestTheReadersOwnTime: while nobody reads, the client cannot be late.
func TestTheReadersOwnTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, server := net.Pipe()
		go func() { _, _ = io.WriteString(client, "ab"); _ = client.Close() }()
		body := NewBody(server, time.Second, server.SetReadDeadline)
		for range 2 {
			time.Sleep(time.Minute)
			if n, err := body.Read(make([]byte, 1)); n != 1 {
				t.Fatal(err)
			}
		}
	})
}

// TestReleased: a read leaves no deadline behind, and a body that outlives its request
// leaves the connection alone.
func TestReleased(t *testing.T) {
	var set []time.Time
	body := NewBody(io.NopCloser(strings.NewReader("late")), time.Second, func(d time.Time) error {
		set = append(set, d)
		return nil
	})
	if _, err := body.Read(make([]byte, 1)); err != nil || len(set) != 2 || !set[1].IsZero() {
		t.Errorf("after a read: %v, deadlines %v", err, set)
	}
	body.Release()
	if len(set) != 3 || set[2].IsZero() {
		t.Errorf("what is left of the body has no time-out: %v", set)
	}
	if _, err := io.ReadAll(body); err != nil || len(set) != 3 {
		t.Errorf("after its release: %v, deadlines %v", err, set)
	}
}

// stream serves h over HTTP/2 and returns a client whose streams stop when it does
// not read.
func stream(t *testing.T, h http.HandlerFunc) (*http.Client, string) {
	t.Helper()
	server := httptest.NewUnstartedServer(h)
	server.EnableHTTP2 = true
	server.StartTLS()
	t.Cleanup(server.Close)
	return server.Client(), server.URL
}

// TestStreamThatNobodyReads: the connection of an HTTP/2 client takes more, but the
// stream does not.
func TestStreamThatNobodyReads(t *testing.T) {
	for name, write := range map[string]func(*Writer, []byte) (int, error){
		"bytes":  func(w *Writer, p []byte) (int, error) { return w.Write(p) },
		"string": func(w *Writer, p []byte) (int, error) { return w.WriteString(string(p)) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			failed := make(chan error, 1)
			client, url := stream(t, func(w http.ResponseWriter, r *http.Request) {
				_, err := write(NewWriter(w, 500*time.Millisecond), make([]byte, 64<<20))
				failed <- err
			})
			answer, err := client.Get(url)
			if err != nil {
				t.Fatal(err)
			}
			defer answer.Body.Close()
			if err := <-failed; err == nil {
				t.Error("64 MiB went to a client that reads nothing")
			}
		})
	}
}

// TestStreamWithPauses: events may be further apart than the time-out, and what has
// been written arrives whole.
func TestStreamWithPauses(t *testing.T) {
	t.Parallel()
	const limit = 500 * time.Millisecond
	long := strings.Repeat("x", 3*piece+1)
	client, url := stream(t, func(w http.ResponseWriter, r *http.Request) {
		pw := NewWriter(w, limit)
		defer pw.Release()
		for range 3 {
			time.Sleep(limit * 3 / 2)
			_, _ = pw.WriteString(long)
			if err := http.NewResponseController(pw).Flush(); err != nil {
				t.Error(err)
			}
		}
	})
	answer, err := client.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	got, err := io.ReadAll(answer.Body)
	if err != nil || !bytes.Equal(got, []byte(strings.Repeat(long, 3))) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
}
