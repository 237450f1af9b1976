package main

import (
	"fmt"
	"io"
	"runtime/debug"
	"strings"
	"text/tabwriter"
)

// printText prints the results in columns.
func (p plan) printText(out io.Writer, results []result) error {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, strings.Join(headings(), "\t"))
	for _, r := range results {
		fmt.Fprintln(table, strings.Join(p.cells(r), "\t"))
	}
	return table.Flush()
}

// printMarkdown prints the results as docs/compared.md has them.
func (p plan) printMarkdown(out io.Writer, results []result) error {
	lines := []string{row(headings()), "|" + strings.Repeat(" --- |", len(headings()))}
	for _, r := range results {
		lines = append(lines, row(p.cells(r)))
	}
	_, err := fmt.Fprintln(out, strings.Join(lines, "\n"))
	return err
}

func row(cells []string) string { return "| " + strings.Join(cells, " | ") + " |" }

func headings() []string {
	return []string{"cache", "version", "a write invalidates by", "stale", "loads", "group: stored", "group: under way"}
}

func (p plan) cells(r result) []string {
	stored, underWay := "no way to", "no way to"
	if r.group != nil {
		loading := p.rows / 20
		stored = fmt.Sprintf("%d of %d", r.group.stored, p.rows-loading)
		underWay = fmt.Sprintf("%d of %d", r.group.underWay, loading)
	}
	return []string{
		r.name, version(r.module), r.invalidation,
		fmt.Sprintf("%d of %d", r.stale, p.rounds),
		fmt.Sprintf("%d for %d", r.loads, p.readers),
		stored, underWay,
	}
}

// version returns the version of a module that this program is built with.
func version(module string) string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	for _, m := range info.Deps {
		if m.Path != module {
			continue
		}
		if m.Replace != nil || m.Version == "(devel)" || m.Version == "" {
			return "this tree"
		}
		return m.Version
	}
	return "unknown"
}
