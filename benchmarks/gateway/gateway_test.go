package main

import (
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/freshet-dev/freshet/benchmarks/internal/measure"
)

// TestMain lets the test binary play the parts of the processes that a comparison
// starts.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && slices.Contains([]string{roleOrigin, roleUpstream, roleCrowd, measure.RoleLoad}, os.Args[1]) {
		main()
		return
	}
	os.Exit(m.Run())
}

func TestComparison(t *testing.T) {
	var out strings.Builder
	p := plan{window: 10 * time.Millisecond, rounds: 1, connections: []int{2}, bodies: []int{256}}
	if err := p.run(&out); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{constantName, embedded, onRedis} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the table lacks %q:\n%s", want, out.String())
		}
	}
}

// TestMissesAreNotMeasured lets the origin, which always runs, pass for a cache.
func TestMissesAreNotMeasured(t *testing.T) {
	s, err := servers[0].subject(new(bench), 256, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer s.origin.Stop()
	defer s.load.Stop()
	s.name = embedded
	if _, err := s.measure(10 * time.Millisecond); err == nil || !strings.Contains(err.Error(), "requests were no hits") {
		t.Errorf("measure says %v", err)
	}
}

func TestPlan(t *testing.T) {
	for _, args := range [][]string{{"-bodies=4k"}, {"-connections=0"}, {"-seconds=0"}, {"more"}} {
		if _, err := parsePlan(args); err == nil {
			t.Errorf("%q is accepted", args)
		}
	}
}
