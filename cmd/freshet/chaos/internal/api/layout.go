// Package api is the API that chaos attacks: rows with version numbers in one
// SQLite file, behind routes of every kind that freshet caches, and writes that
// invalidate in every way there is. Each answer says what it was made from and
// for whom, so that whoever gets it can judge it.
package api

import (
	"fmt"
	"slices"
	"strconv"
)

// Layout says how many rows there are, numbered from 1, and how they are shared
// out. It is the same for all processes, and never changes.
type Layout struct {
	Rows, Orgs, Owners int
}

// Org returns the organisation of row id.
func (l Layout) Org(id int) int { return (id-1)%l.Orgs + 1 }

// Owner returns the owner of row id.
func (l Layout) Owner(id int) int { return (id-1)%l.Owners + 1 }

// OfOrg returns the rows of an organisation.
func (l Layout) OfOrg(org int) []int { return l.where(func(id int) bool { return l.Org(id) == org }) }

func (l Layout) where(ok func(id int) bool) (ids []int) {
	for id := 1; id <= l.Rows; id++ {
		if ok(id) {
			ids = append(ids, id)
		}
	}
	return ids
}

// pageOf is how many rows a page of a list has.
const pageOf = 4

// page returns the rows on page n, from 1, of a list.
func page(ids []int, n int) []int {
	from := min(max(0, n-1)*pageOf, len(ids))
	return ids[from:min(from+pageOf, len(ids))]
}

// CallerHeader names the request header that says who asks.
const CallerHeader = "X-Caller"

// View is something that can be read.
type View struct {
	Kind string // the route, for counting
	Path string // with its query
	// Caller is who asks, empty where it does not matter.
	Caller string
	// Rows are those that the answer is made from, all of them.
	Rows []int
}

// Views returns all views there are.
func (l Layout) Views() (all []View) {
	for id := 1; id <= l.Rows; id++ {
		row := []int{id}
		all = append(all,
			View{Kind: "item", Path: fmt.Sprintf("/items/%d", id), Rows: row},
			View{Kind: "card", Path: fmt.Sprintf("/items/%d/card", id), Rows: row})
	}
	for org := 1; org <= l.Orgs; org++ {
		rows := l.OfOrg(org)
		for _, kind := range []string{"stats", "top", "report"} {
			all = append(all, View{Kind: kind, Path: fmt.Sprintf("/orgs/%d/%s", org, kind), Rows: rows})
		}
		for n := 1; len(page(rows, n)) > 0; n++ {
			for _, order := range []string{"up", "down"} {
				all = append(all, View{Kind: "list", Path: fmt.Sprintf("/orgs/%d/items?order=%s&page=%d", org, order, n), Rows: page(rows, n)})
			}
		}
		// Two paths whose keys are the same text: only their identities differ.
		first := rows[:1]
		all = append(all,
			View{Kind: "pair", Path: fmt.Sprintf("/pairs/%d_1/2", first[0]), Rows: first},
			View{Kind: "pair", Path: fmt.Sprintf("/pairs/%d/1_2", first[0]), Rows: first})
	}
	for owner := 1; owner <= l.Owners; owner++ {
		rows := l.where(func(id int) bool { return l.Owner(id) == owner })
		all = append(all, View{Kind: "mine", Path: "/mine", Caller: strconv.Itoa(owner), Rows: rows})
	}
	return all
}

// Row is the state of one row.
type Row struct {
	ID      int    `json:"id"`
	Version uint64 `json:"version"` // counts the changes
	Gone    bool   `json:"gone,omitempty"`
}

// Answer is the body of every answer.
type Answer struct {
	Path   string `json:"path"` // of the request it was made for, with its query
	Caller string `json:"caller,omitempty"`
	Rows   []Row  `json:"rows"` // what it was made from, by id
	Maker  string `json:"maker"`
	Read   int64  `json:"read"` // when the rows were read, in Unix µs
}

// sorted returns rows by id, in the order in which answers have them.
func sorted(rows []Row) []Row {
	slices.SortFunc(rows, func(a, b Row) int { return a.ID - b.ID })
	return rows
}
