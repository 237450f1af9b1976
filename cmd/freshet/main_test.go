package main

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/freshet-dev/freshet/internal/redistest"
)

func TestMain(m *testing.M) {
	// With the race detector, SQLite takes half a minute for all the posts.
	testscript.Main(m, map[string]func(){"freshet": func() { run(2000) }})
}

// patience is how long a process may take to be ready. It is generous: a test
// that needs it has failed.
const patience = 60 * time.Second

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Deadline:            time.Now().Add(2 * patience), // for a demo that should not have started
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"free":  free,
			"fetch": fetch,
			"redis": redis,
		},
	})
}

// free sets each variable that it is given to an address that nobody listens
// on. Its port is none of those that systems give to who asks for any, from 32768 on:
// other tests take and leave them all the time.
func free(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: free VARIABLE...")
	}
	for _, name := range args {
		l, err := listen()
		ts.Check(err)
		defer l.Close() // after all, lest two get the same one
		ts.Setenv(name, l.Addr().String())
	}
}

func listen() (l net.Listener, err error) {
	for range 100 {
		l, err = net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(20000+rand.IntN(10000))))
		if err == nil {
			break
		}
	}
	return l, err
}

// redis starts a server, for the demos of this script to use.
func redis(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 0 {
		ts.Fatalf("usage: redis")
	}
	server, err := redistest.Launch()
	ts.Check(err)
	ts.Defer(server.Close)
	ts.Setenv("REDIS_CACHE_URL", "redis://"+server.Addr)
	ts.Setenv("REDIS_CACHE_LOOKUP_TIMEOUT", "5s") // hits are expected on a busy machine, too
}

// fetch prints the answer to a request, its header included, as soon as
// somebody answers.
func fetch(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: fetch METHOD URL")
	}
	limit := time.Now().Add(patience)
	for {
		w, err := request(args[0], args[1])
		if err == nil {
			defer w.Body.Close()
			fmt.Fprintln(ts.Stdout(), w.Status)
			ts.Check(w.Header.Write(ts.Stdout()))
			_, err = io.Copy(ts.Stdout(), w.Body)
			ts.Check(err)
			return
		}
		if time.Now().After(limit) {
			ts.Fatalf("no answer: %v", err)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func request(method, url string) (*http.Response, error) {
	r, err := http.NewRequest(method, url, nil)
	if err != nil {
		return nil, err
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: patience}
	return client.Do(r)
}
