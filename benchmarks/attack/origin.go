package main

import "sync"

// origin is the database behind a cache under attack: rows, and how often each
// has been loaded.
type origin struct {
	mu    sync.Mutex
	rows  map[string]string
	loads map[string]int
	// held is called in each load of an id, after the row has been read, with
	// the number of loads so far. What it waits for holds the load up.
	held map[string]func(n int)
}

func newOrigin() *origin {
	return &origin{rows: map[string]string{}, loads: map[string]int{}, held: map[string]func(int){}}
}

// load is the query, or the handler, that the cache saves.
func (o *origin) load(id string) string {
	o.mu.Lock()
	o.loads[id]++
	row, n, hold := o.rows[id], o.loads[id], o.held[id]
	o.mu.Unlock()
	if hold != nil {
		hold(n)
	}
	return row
}

// set commits a row.
func (o *origin) set(id, row string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.rows[id] = row
}

// hold has every later load of id call f.
func (o *origin) hold(id string, f func(n int)) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.held[id] = f
}

// count returns how often id has been loaded.
func (o *origin) count(id string) int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.loads[id]
}
