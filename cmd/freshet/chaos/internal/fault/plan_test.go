package fault

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func text(plan []Step) (lines []string) {
	for _, s := range plan {
		lines = append(lines, s.String())
	}
	return lines
}

func TestPlanFollowsItsSeed(t *testing.T) {
	make := func(seed uint64) []string {
		plan, err := Plan("cluster", "all", time.Minute, seed)
		if err != nil {
			t.Fatal(err)
		}
		return text(plan)
	}
	if diff := cmp.Diff(make(1), make(1)); diff != "" {
		t.Errorf("two plans of one seed differ:\n%s", diff)
	}
	if cmp.Equal(make(1), make(2)) {
		t.Error("plans of two seeds are equal")
	}
}

// TestPlanUsesAll: in ten minutes every fault that suits the topology has its
// turns, and no other.
func TestPlanUsesAll(t *testing.T) {
	for _, topology := range []string{"standalone", "sentinel", "cluster"} {
		plan, err := Plan(topology, "all", 10*time.Minute, 1)
		if err != nil {
			t.Fatal(err)
		}
		counts := map[string]int{}
		for _, s := range plan {
			counts[s.fault.name]++
			if s.At+s.Length > 10*time.Minute {
				t.Errorf("%s: %s ends too late", topology, s)
			}
		}
		for _, f := range catalogue() {
			if n := counts[f.name]; f.suits(topology) != (n > 5) {
				t.Errorf("%s: %s %d times", topology, f.name, n)
			}
		}
	}
}

func TestChoose(t *testing.T) {
	tests := []struct {
		names, topology, want string
	}{
		{"api", "standalone", "api-kill api-die api-freeze"},
		{"flushall,reshard", "cluster", "flushall reshard"},
		{"flushall,reshard", "standalone", "flushall"},
		{"none", "standalone", ""},
	}
	for _, tt := range tests {
		chosen, err := choose(tt.topology, tt.names)
		var names []string
		for _, f := range chosen {
			names = append(names, f.name)
		}
		if got := strings.Join(names, " "); got != tt.want || err != nil {
			t.Errorf("%s on %s: %q, %v, want %q", tt.names, tt.topology, got, err, tt.want)
		}
	}
	if _, err := choose("standalone", "api,flood"); err == nil || !strings.Contains(err.Error(), "flood") {
		t.Errorf("error %v", err)
	}
}
