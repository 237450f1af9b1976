package measure

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Sample is what was measured of a variant in one window.
type Sample struct {
	Rate     float64 // requests per second
	CPU      float64 // of the server process, microseconds per request
	RedisCPU float64 // of Redis, microseconds per request
	P50, P99 float64 // microseconds
}

// Rate returns the requests per second of a sample.
func Rate(s Sample) float64 { return s.Rate }

// CPU returns the microseconds of the server process per request.
func CPU(s Sample) float64 { return s.CPU }

// RedisCPU returns the microseconds of Redis per request.
func RedisCPU(s Sample) float64 { return s.RedisCPU }

// P50 returns the median latency in microseconds.
func P50(s Sample) float64 { return s.P50 }

// P99 returns the latency that one request in a hundred exceeds, in microseconds.
func P99(s Sample) float64 { return s.P99 }

// Median returns the median of a value of the samples.
func Median(samples []Sample, of func(Sample) float64) float64 {
	values := make([]float64, len(samples))
	for i, s := range samples {
		values[i] = of(s)
	}
	return middle(values)
}

// Ratio returns the median of the rounds' ratios. A round's windows lie next to
// each other, so that noise which lasts longer than a round cancels out.
func Ratio(with, without []Sample, of func(Sample) float64) string {
	values := make([]float64, len(with))
	for i := range with {
		values[i] = of(with[i]) / of(without[i])
	}
	return strconv.FormatFloat(middle(values), 'f', 2, 64)
}

func middle(values []float64) float64 {
	slices.Sort(values)
	return (values[(len(values)-1)/2] + values[len(values)/2]) / 2
}

// Turns measures subjects in rounds, by their index in names, and returns the samples
// of each by its name. The order rotates, so that nobody always comes after the
// heaviest.
func Turns(names []string, rounds int, measure func(i int) (Sample, error)) (map[string][]Sample, error) {
	rows := make(map[string][]Sample)
	for round := range rounds {
		for turn := range names {
			i := (round + turn) % len(names)
			s, err := measure(i)
			if err != nil {
				return nil, err
			}
			rows[names[i]] = append(rows[names[i]], s)
		}
	}
	return rows, nil
}

// Numbers reads the comma-separated list of positive numbers that the flag name has.
func Numbers(name, list string) (all []int, err error) {
	for field := range strings.SplitSeq(list, ",") {
		n, err := strconv.Atoi(field)
		if err != nil || n < 1 {
			return nil, fmt.Errorf("-%s: %q is not a positive number", name, field)
		}
		all = append(all, n)
	}
	return all, nil
}
