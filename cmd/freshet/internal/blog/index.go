package blog

import (
	"fmt"
	"net/http"
	"text/tabwriter"
)

// index lists the routes with their keys, as plain text.
func (a *API) index(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	fmt.Fprint(w, "A blog and a staff directory behind freshet. Users 1 to 200 (123 is johndoe), "+
		"organizations 1 to 10, departments 1 to 5.\n\n")
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "ROUTE\tKEY")
	for _, rt := range a.routes() {
		fmt.Fprintf(table, "%s\t%s\n", rt.pattern, rt.rule.Key)
	}
	fmt.Fprintln(table, "GET /debug/runs\tnot cached: how often each handler has run")
	_ = table.Flush() // a client that has gone away is no error of ours
}
