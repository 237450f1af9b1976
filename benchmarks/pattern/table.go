package main

import (
	"fmt"
	"io"
	"text/tabwriter"
	"time"
)

// print prints the rows. Of freshet the hits are those until its background sweep,
// which frees the memory of what is served no more, has come to an end.
func (p plan) print(out io.Writer, rows []row) error {
	fmt.Fprintf(out, "%d keys, of which a pattern matches %d; %d invalidations by each method; %d hits a second on others\n",
		p.keys, perUser, p.rounds, p.rate)
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "invalidation by\ttakes ms\tstill served\thits meanwhile\tp50 ms\tp99 ms\tmax ms\t")
	for i, r := range rows {
		took, served := "", ""
		if i > 0 {
			took, served = milliseconds(r.took), fmt.Sprintf("%d of %d", r.served, p.rounds*perUser)
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%d\t%s\t%s\t%s\t\n", r.name, took, served,
			len(r.hits), milliseconds(r.hits.at(0.5)), milliseconds(r.hits.at(0.99)), milliseconds(r.hits.at(1)))
	}
	return table.Flush()
}

func milliseconds(d time.Duration) string {
	return fmt.Sprintf("%.2f", float64(d)/float64(time.Millisecond))
}
