package main

import (
	"io"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/freshet-dev/freshet/benchmarks/internal/measure"
	"github.com/freshet-dev/freshet/internal/redistest"
)

// TestMain lets the test binary play the parts of the processes that a
// comparison starts.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && (os.Args[1] == roleServe || os.Args[1] == measure.RoleLoad) {
		main()
		return
	}
	os.Exit(m.Run())
}

func TestComparison(t *testing.T) {
	p := plan{window: 10 * time.Millisecond, rounds: 2, connections: []int{3}, bodies: []int{256}}
	rows, err := p.compare(redistest.Start(t), 256, 3)
	if err != nil {
		t.Fatal(err)
	}
	for _, variant := range variants {
		if len(rows[variant]) != p.rounds {
			t.Fatalf("%s has %d samples, want %d", variant, len(rows[variant]), p.rounds)
		}
		for _, s := range rows[variant] {
			if s.Rate <= 0 || s.CPU <= 0 || s.P50 <= 0 || s.P99 < s.P50 {
				t.Errorf("%s measured %+v", variant, s)
			}
		}
	}
}

// TestMissesAreNotMeasured lets the constant handler, which always runs, pass
// for a cache.
func TestMissesAreNotMeasured(t *testing.T) {
	s, err := newSubject(constant, redistest.Start(t), 256, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer s.stop()
	s.variant = embedded
	if _, err := s.measure(time.Millisecond); err == nil || !strings.Contains(err.Error(), "not every request was a hit") {
		t.Errorf("measure says %v", err)
	}
}

// TestWrongAnswersAreNotMeasured expects another body than is served.
func TestWrongAnswersAreNotMeasured(t *testing.T) {
	server := httptest.NewServer(&origin{body: payload(256)})
	defer server.Close()
	err := measure.Load([]string{server.Listener.Addr().String(), "1", "255", path}, strings.NewReader("1\n"), io.Discard)
	if want := "Content-Length is 256, not 255"; message(err) != want {
		t.Errorf("load says %v, want %s", err, want)
	}
}

func TestPlan(t *testing.T) {
	tests := []struct {
		name string
		args []string
		want plan
		err  string
	}{
		{"default", nil, plan{time.Second, 9, []int{64, 1}, []int{4096, 256, 65536}}, ""},
		{"short", []string{"-short"}, plan{100 * time.Millisecond, 1, []int{64, 1}, []int{4096}}, ""},
		{"own", []string{"-seconds=0.5", "-rounds=3", "-connections=8", "-bodies=10,20"}, plan{time.Second / 2, 3, []int{8}, []int{10, 20}}, ""},
		{"no number", []string{"-bodies=4k"}, plan{}, `-bodies: "4k" is not a positive number`},
		{"no connection", []string{"-connections=0"}, plan{}, `-connections: "0" is not a positive number`},
		{"no time", []string{"-seconds=0"}, plan{}, "arguments are flags only, -seconds and -rounds are positive"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := parsePlan(tt.args)
			if message(err) != tt.err {
				t.Fatalf("error %v, want %q", err, tt.err)
			}
			if diff := cmp.Diff(tt.want, got, cmp.AllowUnexported(plan{})); diff != "" {
				t.Errorf("plan (-want +got):\n%s", diff)
			}
		})
	}
}

func message(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func TestRatioIsPairedByRound(t *testing.T) {
	// The machine became three times slower in the second round.
	with := []measure.Sample{{CPU: 11}, {CPU: 33}, {CPU: 12}}
	without := []measure.Sample{{CPU: 10}, {CPU: 30}, {CPU: 10}}
	if got := measure.Ratio(with, without, measure.CPU); got != "1.10" {
		t.Errorf("ratio is %s, want 1.10", got)
	}
}
