package main

import (
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// TestFlood brings a small flood of each kind to the gateway, which bears it.
func TestFlood(t *testing.T) {
	var out strings.Builder
	f := flood{window: 50 * time.Millisecond, visitors: 20, slow: 5, large: 4 << 20}
	if err := f.run(&out); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(lines) != 1+len(f.stages()) {
		t.Fatalf("the table is\n%s", out.String())
	}
	for _, line := range lines[1:] {
		for _, s := range f.stages() {
			if rest, ok := strings.CutPrefix(line, s.name+"  "); ok {
				if fields := strings.Fields(rest); fields[1] != "0" || fields[4] != "0" {
					t.Errorf("not everything went well: %s", line)
				}
			}
		}
	}
}

// TestFailures: what goes wrong is counted.
func TestFailures(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	// What is asked for here is no hit, does not go on, and is answered too early.
	s := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Connection", "close")
		_, _ = io.WriteString(w, "no")
	})}
	go s.Serve(l)
	defer s.Close()
	for kind, act := range acts {
		members, failed := gather(l.Addr().String(), 3)
		if failed > 0 || len(members) != 3 {
			t.Fatalf("%d clients of 3 could not connect", failed)
		}
		for _, m := range members {
			m.start = 0
		}
		end := begin(members, act)
		time.Sleep(50 * time.Millisecond)
		if said := strings.Fields(end()); said[1] != "3" {
			t.Errorf("%s: of three clients that must fail, %s do: %q", kind, said[1], said)
		}
	}
	f := flood{large: 1000}
	if came, err := digest(io.LimitReader(new(content), 999)); err != nil || f.verdict(came) == "0" {
		t.Errorf("a byte less is not noticed: %v", err)
	}
}
