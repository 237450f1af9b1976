package main

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/freshet-dev/freshet/benchmarks/internal/measure"
	"github.com/freshet-dev/freshet/internal/redistest"
)

// printTable prints the medians of each variant, then freshet's ratios to the
// least that a handler could do.
func printTable(out io.Writer, rows map[string][]measure.Sample) error {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "variant\trequests/s\tCPU µs/request\tRedis µs/request\tp50 µs\tp99 µs\t")
	for _, variant := range variants {
		s := rows[variant]
		fmt.Fprintf(table, "%s\t%.0f\t%.1f\t%.1f\t%.0f\t%.0f\t\n", variant,
			measure.Median(s, measure.Rate), measure.Median(s, measure.CPU), measure.Median(s, measure.RedisCPU),
			measure.Median(s, measure.P50), measure.Median(s, measure.P99))
	}
	for _, pair := range pairs {
		with, without := rows[pair.with], rows[pair.without]
		fmt.Fprintf(table, "%s / %s\t%s\t%s\t\t%s\t%s\t\n", pair.with, pair.without,
			measure.Ratio(with, without, measure.Rate), measure.Ratio(with, without, measure.CPU),
			measure.Ratio(with, without, measure.P50), measure.Ratio(with, without, measure.P99))
	}
	return table.Flush()
}

// pairs says what is compared with what.
var pairs = []struct{ with, without string }{
	{embedded, constant},
	{redis, bare},
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
