// Package traffic sends requests to a fleet, from many clients at once, and
// judges every answer.
package traffic

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/freshet-dev/freshet/cmd/freshet/chaos/internal/api"
	"github.com/freshet-dev/freshet/cmd/freshet/chaos/internal/fleet"
	"github.com/freshet-dev/freshet/cmd/freshet/chaos/internal/ledger"
	"github.com/freshet-dev/freshet/cmd/freshet/chaos/internal/report"
)

// Traffic is what all clients share.
type Traffic struct {
	Layout api.Layout
	Fleet  *fleet.Fleet
	Ledger *ledger.Ledger
	Report *report.Report
	// Pause is how long a client rests between two requests, on average.
	Pause time.Duration
	// Aborts makes some writes panic, and others begin their answer early.
	Aborts bool
	// MayRefuse says that writes may be answered 503 when nothing can be put on
	// record.
	MayRefuse bool

	// Rest is how long nobody changes a row whose last change was made by a
	// process that was killed.
	Rest time.Duration

	views map[string][]api.View // by kind
	kinds []string

	watching sync.WaitGroup
	mu       sync.Mutex
	resting  map[int]time.Time // rows, until when
	deaths   []time.Duration
}

// Run sends requests until ctx ends: so many clients read, and so many write. It
// returns when all requests have been answered.
func (t *Traffic) Run(ctx context.Context, readers, writers int) {
	t.views, t.resting = make(map[string][]api.View), make(map[int]time.Time)
	for _, v := range t.Layout.Views() {
		t.views[v.Kind] = append(t.views[v.Kind], v)
	}
	t.kinds = slices.Sorted(maps.Keys(t.views))
	var clients sync.WaitGroup
	for range readers {
		clients.Go(func() { t.repeat(ctx, t.read, t.Pause) })
	}
	for range writers {
		clients.Go(func() { t.repeat(ctx, t.write, 12*t.Pause) })
	}
	clients.Wait()
	t.watching.Wait()
}

func (t *Traffic) repeat(ctx context.Context, once func(*fleet.Life), pause time.Duration) {
	for ctx.Err() == nil {
		if l := t.Fleet.Pick(); l != nil {
			once(l)
		}
		select {
		case <-ctx.Done():
		case <-time.After(time.Duration(rand.ExpFloat64() * float64(pause))):
		}
	}
}

// reply is what came back for a request.
type reply struct {
	life   *fleet.Life
	begun  time.Time
	ended  time.Time
	status int
	cached string // Cache-Status, or what a job says instead
	body   []byte
	err    error
	// excused says that the process was killed, frozen or thawed meanwhile.
	excused bool
}

// String tells all that is known of a reply.
func (r *reply) String() string {
	return fmt.Sprintf("%s, %s to %s, status %d, Cache-Status %q, error %v, body %s",
		r.life.Name, r.begun.Format(clock), r.ended.Format(clock), r.status, r.cached, r.err, r.body)
}

const clock = "15:04:05.000000"

// send sends a request without a body to l.
func send(l *fleet.Life, method, path, caller, mode string) *reply {
	signals := l.Signals()
	r := &reply{life: l, begun: time.Now()}
	r.err = r.exchange(method, path, caller, mode)
	r.ended = time.Now()
	r.excused = l.Stopped() || l.Signals() != signals
	return r
}

func (r *reply) exchange(method, path, caller, mode string) error {
	// No context: what is under way when the run ends is judged too. The client
	// has a time limit.
	q, err := http.NewRequest(method, r.life.URL+path, nil)
	if err != nil {
		return err
	}
	if caller != "" {
		q.Header.Set(api.CallerHeader, caller)
	}
	if mode != "" {
		q.Header.Set(api.ModeHeader, mode)
	}
	w, err := r.life.Client.Do(q)
	if err != nil {
		return err
	}
	defer w.Body.Close()
	r.status = w.StatusCode
	r.cached = strings.Join(append(w.Header.Values("Cache-Status"), w.Header.Values(api.JobHeader)...), ", ")
	r.body, err = io.ReadAll(w.Body)
	return err
}

var errUnfit = errors.New("the body is not an answer")

// answer decodes the body.
func (r *reply) answer() (a api.Answer, err error) {
	if err := json.Unmarshal(r.body, &a); err != nil || a.Path == "" {
		return a, errUnfit
	}
	return a, nil
}

// Read reads one view from l, and judges the answer. ok is false if there was
// none to judge.
func (t *Traffic) Read(l *fleet.Life, v api.View) (a api.Answer, ok bool) {
	want := t.Ledger.Expect(v.Rows, l.Own)
	r := send(l, http.MethodGet, v.Path, v.Caller, "")
	t.Report.Count("read")
	if r.err != nil && r.excused {
		t.Report.Count("no answer: read")
		return a, false
	}
	if r.err != nil || r.status != http.StatusOK && r.status != http.StatusNotFound {
		t.Report.Violation("error", "GET %s: %s", v.Path, r)
		return a, false
	}
	a, err := r.answer()
	if err != nil {
		t.Report.Violation("error", "GET %s: %v: %s", v.Path, err, r)
		return a, false
	}
	t.count(v, r)
	if a.Path != v.Path || a.Caller != v.Caller {
		t.Report.Violation("foreign", "GET %s of %q got the answer to %s of %q: %s", v.Path, v.Caller, a.Path, a.Caller, r)
		return a, false
	}
	for _, f := range t.Ledger.Judge(want, versions(a.Rows)) {
		t.Report.Violation(string(f.Kind), "GET %s: %s; rows read at %s by %s: %s",
			v.Path, f, time.UnixMicro(a.Read).Format(clock), a.Maker, r)
	}
	return a, true
}

func (t *Traffic) read(l *fleet.Life) {
	all := t.views[t.kinds[rand.IntN(len(t.kinds))]]
	t.Read(l, all[skewed(len(all))])
}

// skewed returns a number below n. Some numbers are much more frequent than
// others, so that there are entries that live long and such that are always new.
func skewed(n int) int {
	x := rand.Float64()
	return int(x * x * float64(n) * 0.9999)
}

// count says by what the answer to a read was made.
func (t *Traffic) count(v api.View, r *reply) {
	t.Report.Count("read of " + v.Kind)
	_, rest, _ := strings.Cut(r.cached, "; ")
	switch what, _, _ := strings.Cut(rest, "; ttl="); {
	case rest == "": // a load inside the handler says nothing
	case what == "hit":
		t.Report.Count("hit")
		if _, why, ok := strings.Cut(rest, "; detail="); ok {
			t.Report.Count("stale on purpose: " + strings.Trim(why, `"`))
		}
	case strings.Contains(rest, "collapsed"):
		t.Report.Count("shared")
	default:
		t.Report.Count("run")
		t.Report.Count("miss: " + what)
	}
}

func versions(rows []api.Row) map[int]uint64 {
	m := make(map[int]uint64, len(rows))
	for _, r := range rows {
		m[r.ID] = r.Version
	}
	return m
}
