package traffic

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"time"

	"github.com/freshet-dev/freshet/cmd/freshet/chaos/internal/api"
	"github.com/freshet-dev/freshet/cmd/freshet/chaos/internal/fleet"
)

// change is a write to be sent.
type change struct {
	kind, method, path, mode string
	rows                     []int // that it changes, none if it is to be refused
}

// choose returns a write at random.
func (t *Traffic) choose() change {
	id := t.row()
	row := []int{id}
	org := t.Layout.Org(id)
	path := fmt.Sprintf("/orgs/%d/items/%d", org, id)
	switch p := rand.IntN(1000); {
	case p < 450:
		return change{"put", http.MethodPut, path, "", row}
	case p < 570:
		return change{"delete", http.MethodDelete, path, "", row}
	case p < 750:
		return change{"touch", http.MethodPost, path + "/touch", "", row}
	case p < 850:
		return change{"job", http.MethodPost, path + "/job", "", row}
	case p < 930:
		return change{"refuse", http.MethodPut, path, api.Refuse, nil}
	case p < 931:
		return change{"reset", http.MethodPost, fmt.Sprintf("/orgs/%d/reset", org), "", t.Layout.OfOrg(org)}
	case p < 965 && t.Aborts:
		return change{"abort", http.MethodPost, path + "/touch", api.Abort, row}
	case t.Aborts:
		return change{"stream", http.MethodPost, path + "/touch", api.Stream, row}
	default:
		return change{"put", http.MethodPut, path, "", row}
	}
}

// row returns a row to change. One whose last change nobody has heard of is left
// alone for a while: if its invalidation is lost, no other may hide that.
func (t *Traffic) row() int {
	for {
		id := 1 + skewed(t.Layout.Rows)
		t.mu.Lock()
		until, resting := t.resting[id]
		if resting && time.Now().After(until) {
			delete(t.resting, id)
			resting = false
		}
		t.mu.Unlock()
		if !resting {
			return id
		}
	}
}

// rest leaves rows alone for as long as a lost invalidation needs to show; but not
// many of them.
func (t *Traffic) rest(rows []int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(rows) == 1 && len(t.resting) < t.Layout.Rows/2 {
		t.resting[rows[0]] = time.Now().Add(t.Rest)
	}
}

// write makes one change, and takes note of what was promised.
func (t *Traffic) write(l *fleet.Life) {
	c := t.choose()
	r := send(l, c.method, c.path, "", c.mode)
	t.Report.Count("write")
	t.Report.Count("write: " + c.kind)
	switch {
	case r.err != nil && r.excused:
		// It may have been committed or not; if it was, somebody has to
		// invalidate it all the same, in time.
		t.Report.Count("no answer: write")
		if l.Killed() {
			t.Report.Count("orphaned")
			for _, id := range c.rows {
				t.Ledger.Orphaned(id, r.ended)
			}
			t.rest(c.rows)
		}
	case c.kind == "abort" && (r.err != nil || r.status == http.StatusBadGateway): // which is what a gateway makes of it
	case r.status == http.StatusServiceUnavailable && t.MayRefuse && strings.Contains(r.cached, "refused"):
		t.Report.Count("refused")
	case c.kind == "refuse" && r.status == http.StatusConflict:
	case r.err != nil || r.status != http.StatusOK:
		t.Report.Violation("error", "%s %s (%s): %s", c.method, c.path, c.kind, r)
	default:
		t.promised(c, r)
	}
}

// promised raises the marks of what a write has changed. What is said to be
// pending is a promise of the process alone: it does not serve what is older.
func (t *Traffic) promised(c change, r *reply) {
	a, err := r.answer()
	if err != nil {
		t.Report.Violation("error", "%s %s: %v: %s", c.method, c.path, err, r)
		return
	}
	marks := t.Ledger.Everywhere
	switch {
	case c.kind == "stream":
		// Its header was sent before its change was made, and says nothing of
		// the invalidation that came after it.
		return
	case strings.Contains(r.cached, "invalidation-pending"):
		t.Report.Count("pending")
		marks = r.life.Own
	case strings.Contains(r.cached, "invalidated"):
		t.Report.Count("invalidation: " + c.kind)
	default:
		t.Report.Violation("error", "%s %s: the invalidation is not reported: %s", c.method, c.path, r)
		return
	}
	for _, row := range a.Rows {
		marks.Raise(row.ID, row.Version)
	}
}
