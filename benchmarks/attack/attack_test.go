package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/freshet-dev/freshet/internal/redistest"
)

// TestAttack asserts what freshet promises, and that the attack bites where
// nothing is done against it. It asserts nothing about other libraries, whose
// next version may do better.
func TestAttack(t *testing.T) {
	p := plan{rounds: 5, readers: 20, rows: 40}
	results, err := p.attackAll(t.Context(), redistest.Start(t))
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, r := range results {
		seen[r.name] = true
		switch {
		case r.module == freshetModule:
			if r.stale != 0 || r.loads != 1 || r.group == nil || *r.group != (survivors{}) {
				t.Errorf("%s: %d stale, %d loads, group %+v; want 0, 1 and none left", r.name, r.stale, r.loads, r.group)
			}
		case r.name == controlName && (r.stale == 0 || r.loads < 2):
			t.Errorf("%s: %d stale, %d loads: the attack does not bite", r.name, r.stale, r.loads)
		case r.name == patternName && r.group.underWay == 0:
			t.Errorf("%s: group %+v: the attack does not bite", r.name, *r.group)
		}
	}
	for _, name := range []string{controlName, patternName, "freshet, memstore", "freshet, redisstore"} {
		if !seen[name] {
			t.Errorf("%s was not attacked", name)
		}
	}
}

// The controls: written out here, in goredis.go, so that no other version of
// anything changes what they do.
const (
	controlName = "go-redis, cache-aside"
	patternName = "go-redis, SCAN and delete"
)

func TestTable(t *testing.T) {
	p := plan{rounds: 9, readers: 8, rows: 100}
	results := []result{
		{rival{"a", "m", "DEL", nil}, 7, 6, nil},
		{rival{"b", "m", "tag", nil}, 0, 1, &survivors{2, 3}},
	}
	tests := []struct {
		name  string
		print func(*bytes.Buffer) error
		want  string
	}{
		{"text", func(b *bytes.Buffer) error { return p.printText(b, results) }, `
cache  version  a write invalidates by  stale   loads    group: stored  group: under way
a      unknown  DEL                     7 of 9  6 for 8  no way to      no way to
b      unknown  tag                     0 of 9  1 for 8  2 of 95        3 of 5
`},
		{"Markdown", func(b *bytes.Buffer) error { return p.printMarkdown(b, results) }, `
| cache | version | a write invalidates by | stale | loads | group: stored | group: under way |
| --- | --- | --- | --- | --- | --- | --- |
| a | unknown | DEL | 7 of 9 | 6 for 8 | no way to | no way to |
| b | unknown | tag | 0 of 9 | 1 for 8 | 2 of 95 | 3 of 5 |
`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var b bytes.Buffer
			if err := tt.print(&b); err != nil {
				t.Fatal(err)
			}
			if got, want := b.String(), strings.TrimPrefix(tt.want, "\n"); got != want {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
		})
	}
}
