package main

import (
	"bytes"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/freshet-dev/freshet/internal/redistest"
)

// TestMain lets the test binary play the part of the API.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == roleServe {
		main()
		return
	}
	os.Exit(m.Run())
}

// TestOutage asserts what does not depend on the machine.
func TestOutage(t *testing.T) {
	p := plan{rate: 100, phase: 1500 * time.Millisecond, keys: 10, writes: 25}
	samples, frozen, err := p.measure(redistest.Start(t))
	if err != nil {
		t.Fatal(err)
	}
	all := summarise(samples)
	if all.requests != 450 || all.failed > 0 || all.stale > 0 {
		t.Errorf("%+v, want 450 requests, none failed or stale", all)
	}
	before := summarise(filter(samples, func(s sample) bool { return frozen.phaseOf(s) == 0 }))
	during := summarise(filter(samples, func(s sample) bool { return frozen.phaseOf(s) == 1 }))
	if before.hits == 0 || during.hits > during.requests/10 {
		t.Errorf("before: %+v, frozen: %+v", before, during)
	}
}

func TestTable(t *testing.T) {
	p := plan{rate: 2, phase: time.Second, keys: 1, writes: 2}
	frozen := span{time.Second, 2 * time.Second}
	samples := []sample{
		{due: 0, took: 2 * time.Millisecond, hit: true},
		{due: 500 * time.Millisecond, took: time.Millisecond, write: true},
		{due: time.Second, took: 300 * time.Millisecond},
		{due: 1900 * time.Millisecond, took: 150 * time.Millisecond, hit: true},
		{due: 2 * time.Second, took: time.Second, hit: true, stale: true},
		{due: 2500 * time.Millisecond, write: true, err: errors.New("broken")},
	}
	want := `
2 requests a second, one in 2 a write; Redis frozen for 1.0 s
               requests  p50 ms  p99 ms  max ms  over 250 ms  hits  failed  stale
  reads before         1     2.0     2.0     2.0            0     1       0      0
  reads frozen         2   300.0   300.0   300.0            1     1       0      0
   reads after         1  1000.0  1000.0  1000.0            1     1       0      1
 writes before         1     1.0     1.0     1.0            0     0       0      0
 writes frozen         0     0.0     0.0     0.0            0     0       0      0
  writes after         1     0.0     0.0     0.0            0     0       1      0
the first hit came 0.1 s after the thaw
`
	var got bytes.Buffer
	if err := p.print(&got, samples, frozen); err != nil {
		t.Fatal(err)
	}
	if plain(got.String()) != plain(want) {
		t.Errorf("got\n%s\nwant%s", got.String(), want)
	}
}

// plain returns text without its columns' widths.
func plain(text string) string {
	var lines []string
	for line := range strings.Lines(strings.TrimSpace(text)) {
		lines = append(lines, strings.Join(strings.Fields(line), " "))
	}
	return strings.Join(lines, "\n")
}

func TestPlan(t *testing.T) {
	if p, err := parsePlan([]string{"-short", "-rate", "10"}); err != nil || p.rate != 10 || p.phase != 2*time.Second {
		t.Errorf("%+v, %v", p, err)
	}
	for _, args := range [][]string{{"-rate", "0"}, {"-phase", "0s"}, {"more"}} {
		if _, err := parsePlan(args); err == nil {
			t.Errorf("%q is accepted", args)
		}
	}
}
