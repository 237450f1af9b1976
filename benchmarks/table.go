package main

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/freshet-dev/freshet/internal/redistest"
)

// printTable prints the medians of each variant, then freshet's ratios to the
// least that a handler could do.
func printTable(out io.Writer, rows map[string][]sample) error {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "variant\trequests/s\tCPU µs/request\tRedis µs/request\tp50 µs\tp99 µs\t")
	for _, variant := range variants {
		s := rows[variant]
		fmt.Fprintf(table, "%s\t%.0f\t%.1f\t%.1f\t%.0f\t%.0f\t\n", variant,
			median(s, rate), median(s, cpu), median(s, redisCPU), median(s, p50), median(s, p99))
	}
	for _, pair := range pairs {
		with, without := rows[pair.with], rows[pair.without]
		fmt.Fprintf(table, "%s / %s\t%s\t%s\t\t%s\t%s\t\n", pair.with, pair.without,
			ratio(with, without, rate), ratio(with, without, cpu), ratio(with, without, p50), ratio(with, without, p99))
	}
	return table.Flush()
}

// pairs says what is compared with what.
var pairs = []struct{ with, without string }{
	{embedded, constant},
	{redis, bare},
}

func rate(s sample) float64     { return s.rate }
func cpu(s sample) float64      { return s.cpu }
func redisCPU(s sample) float64 { return s.redisCPU }
func p50(s sample) float64      { return s.p50 }
func p99(s sample) float64      { return s.p99 }

func median(samples []sample, of func(sample) float64) float64 {
	values := make([]float64, len(samples))
	for i, s := range samples {
		values[i] = of(s)
	}
	return middle(values)
}

// ratio returns the median of the rounds' ratios. A round's windows lie next to
// each other, so that noise which lasts longer than a round cancels out.
func ratio(with, without []sample, of func(sample) float64) string {
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

// redisUsed returns the nanoseconds of CPU time that Redis has used so far.
func redisUsed(s *redistest.Server) (float64, error) {
	reply, err := s.Do("INFO", "cpu")
	if err != nil {
		return 0, err
	}
	total := 0.0
	for line := range strings.Lines(fmt.Sprint(reply)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		if name != "used_cpu_sys" && name != "used_cpu_user" {
			continue
		}
		seconds, err := strconv.ParseFloat(value, 64)
		if err != nil {
			return 0, err
		}
		total += seconds * 1e9
	}
	return total, nil
}
