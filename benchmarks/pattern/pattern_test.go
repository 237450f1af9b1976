package main

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"time"

	"github.com/freshet-dev/freshet/internal/redistest"
)

// TestMeasure: every method leaves nothing served, and the others are hits all the
// time.
func TestMeasure(t *testing.T) {
	p := plan{keys: 500, rounds: 2, rate: 500, calm: 50 * time.Millisecond, quiet: 100 * time.Millisecond}
	s, err := newSubject(redistest.Start(t))
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	if err := s.fill(t.Context(), p.keys); err != nil {
		t.Fatal(err)
	}
	rows, err := p.measure(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	for i, r := range rows {
		if r.served > 0 || i > 0 && r.took <= 0 || i == 0 && len(r.hits) == 0 {
			t.Errorf("%s: %d still served, took %v, %d hits", r.name, r.served, r.took, len(r.hits))
		}
	}
	var b bytes.Buffer
	if err := p.print(&b, rows); err != nil || strings.Count(b.String(), "\n") != 2+len(rows) {
		t.Errorf("%v, printed:\n%s", err, b.String())
	}
}

// TestStillServedIsSeen is the control: a method that does nothing.
func TestStillServedIsSeen(t *testing.T) {
	p := plan{keys: 500, rounds: 1}
	s, err := newSubject(redistest.Start(t))
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	r, err := p.try(t.Context(), s, method{name: "nothing", drop: nothing}, 1)
	if err != nil || r.served != perUser {
		t.Errorf("%d still served, %v; want %d", r.served, err, perUser)
	}
}

func TestStream(t *testing.T) {
	begin := time.Now()
	at := func(n int) time.Time { return begin.Add(time.Duration(n) * time.Second) }
	st := new(stream)
	st.samples[0] = []sample{{at(0), time.Second}, {at(2), 2 * time.Second}, {at(5), time.Second / 2}}
	st.samples[1] = []sample{{at(6), 3 * time.Second}}
	got := st.within([]window{{at(3), at(4)}, {at(7), at(8)}})
	if len(got) != 2 || got.at(0.5) != 3*time.Second || got.at(0) != 2*time.Second || latencies(nil).at(1) != 0 {
		t.Errorf("%v, want the two that were under way", got)
	}
}

func TestPlan(t *testing.T) {
	for _, args := range [][]string{{"-keys=10"}, {"-rounds=0"}, {"-rate=0"}, {"x"}} {
		if _, err := parsePlan(args); err == nil {
			t.Errorf("%v is no error", args)
		}
	}
	if p, err := parsePlan([]string{"-short"}); err != nil || p.keys != 10_000 || p.rounds != 1 {
		t.Errorf("-short: %+v, %v", p, err)
	}
}

func nothing(context.Context, *subject, string) error { return nil }
