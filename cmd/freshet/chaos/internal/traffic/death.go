package traffic

import (
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/freshet-dev/freshet/cmd/freshet/chaos/internal/api"
	"github.com/freshet-dev/freshet/cmd/freshet/chaos/internal/fleet"
)

// Die changes a row through l in such a way that the process dies right after its
// commit, and watches in background how long others serve what was there before:
// the item and its card, which nothing but the row's invalidation drops.
func (t *Traffic) Die(l *fleet.Life) {
	id := t.row()
	t.rest([]int{id})
	watched := []api.View{
		{Kind: "item", Path: fmt.Sprintf("/items/%d", id), Rows: []int{id}},
		{Kind: "card", Path: fmt.Sprintf("/items/%d/card", id), Rows: []int{id}},
	}
	before := make([]uint64, len(watched))
	for i, v := range watched {
		// Twice, since the first may have found an invalidation under way.
		for range 2 {
			if a, ok := t.picked(v); ok {
				before[i] = a.Rows[0].Version
			}
		}
	}
	send(l, http.MethodPut, fmt.Sprintf("/orgs/%d/items/%d", t.Layout.Org(id), id), "", api.Die)
	died := time.Now()
	t.Ledger.Orphaned(id, died)
	for i, v := range watched {
		t.watching.Go(func() { t.watch(v, before[i], died) })
	}
}

// picked reads a view through any process that runs.
func (t *Traffic) picked(v api.View) (a api.Answer, ok bool) {
	l := t.Fleet.Pick()
	if l == nil {
		return a, false
	}
	return t.Read(l, v)
}

// watch reads a view until it shows more than version before, or nobody could
// still make up for that.
func (t *Traffic) watch(v api.View, before uint64, died time.Time) {
	for time.Since(died) < t.Rest {
		if a, ok := t.picked(v); ok && a.Rows[0].Version > before {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.deaths = append(t.deaths, time.Since(died))
}

// Deaths tells how long it took until what was there before [Traffic.Die] was
// served no more.
func (t *Traffic) Deaths() string {
	t.watching.Wait()
	t.mu.Lock()
	defer t.mu.Unlock()
	n := len(t.deaths)
	if n == 0 {
		return "0 answers watched: 0s"
	}
	slices.Sort(t.deaths)
	at := func(share float64) time.Duration { return t.deaths[int(share*float64(n-1))].Round(time.Millisecond) }
	return fmt.Sprintf("%d answers watched: p50 %v, p99 %v, longest %v", n, at(0.5), at(0.99), at(1))
}
