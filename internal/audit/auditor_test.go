package audit

import (
	"context"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/freshet-dev/freshet/internal/capture"
)

// body answers with what text returns.
func body(text func(run int) string) func(int, http.ResponseWriter, *http.Request) {
	return func(run int, w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, text(run)) }
}

func constant(text string) func(int, http.ResponseWriter, *http.Request) {
	return body(func(int) string { return text })
}

// finding is what an audit has come to.
type finding struct {
	Verdict Verdict
	Parts   []string
	Runs    int
	Took    time.Duration
}

// served is what all audits begin with: the answer of the handler constant("old").
func served() capture.Answer {
	h := func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "old") }
	a, _ := run(http.HandlerFunc(h), httptest.NewRequest("GET", "/", nil), http.Header{}, 100)
	return a
}

const grace = 10 * time.Second

func newAuditor(t *testing.T) *Auditor {
	t.Helper()
	a, err := New(1, grace)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(a.Close)
	return a
}

// find audits one hit. The store serves the entry for a time.
func find(t *testing.T, a *Auditor, h func(int, http.ResponseWriter, *http.Request), stands time.Duration, change ...func(*Subject)) finding {
	t.Helper()
	var f finding
	start, ended := time.Now(), make(chan struct{})
	s := Subject{
		Request: httptest.NewRequest("GET", "/", nil),
		Header:  http.Header{},
		Served:  served(),
		Limit:   100,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { f.Runs++; h(f.Runs, w, r) }),
		Same:    func(*http.Request) bool { return true },
		Stands:  func(context.Context) bool { return time.Since(start) < stands },
		Ended: func(_ context.Context, v Verdict, parts []string) {
			f.Verdict, f.Parts, f.Took = v, parts, time.Since(start)
			close(ended)
		},
	}
	for _, c := range change {
		c(&s)
	}
	if !a.Sample() {
		t.Fatal("not sampled")
	}
	a.Audit(s)
	<-ended
	return f
}

func TestVerdicts(t *testing.T) {
	const always = time.Hour
	changed := []string{"Etag", Body}
	tests := []struct {
		name    string
		handler func(int, http.ResponseWriter, *http.Request)
		stands  time.Duration
		want    finding
	}{
		{"same", constant("old"), always, finding{Verdict: Fresh, Runs: 1}},
		{"same, and gone since", constant("old"), 0, finding{Verdict: Fresh, Runs: 1}},
		{"changed", constant("new"), always, finding{Violation, changed, 3, grace}},
		{"changed and gone", constant("new"), 0, finding{Verdict: Overtaken, Runs: 1}},
		{"changed and gone in time", constant("new"), grace - time.Second, finding{Verdict: Overtaken, Runs: 2}},
		{"random", body(func(n int) string { return fmt.Sprint(n) }), always, finding{Verdict: Unsteady, Runs: 2}},
		{"seconds", body(func(int) string { return time.Now().Format(time.DateTime) }), always, finding{Verdict: Unsteady, Runs: 3, Took: grace}},
		{"random field", func(n int, w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X-Request-Id", fmt.Sprint(n))
			_, _ = io.WriteString(w, "old")
		}, always, finding{Verdict: Fresh, Runs: 2}},
		{"random field, changed", func(n int, w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X-Request-Id", fmt.Sprint(n))
			_, _ = io.WriteString(w, "new")
		}, always, finding{Violation, changed, 3, grace}},
		{"field added", func(_ int, w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X-A", "1")
			_, _ = io.WriteString(w, "old")
		}, always, finding{Violation, []string{"X-A"}, 3, grace}},
		{"moment", func(n int, w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Date", "x")
			w.Header().Set("Expires", "x")
			_, _ = io.WriteString(w, "old")
		}, always, finding{Verdict: Fresh, Runs: 1}},
		{"not there", func(_ int, w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(404)
			_, _ = io.WriteString(w, "old")
		}, always,
			finding{Violation, []string{"Etag", Status}, 3, grace}},
		{"fails", func(_ int, w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) }, always, finding{Verdict: Unsteady, Runs: 1}},
		{"fails later", func(n int, w http.ResponseWriter, _ *http.Request) {
			if n == 2 {
				w.WriteHeader(500)
			}
			_, _ = io.WriteString(w, "new")
		}, always, finding{Verdict: Unsteady, Runs: 2}},
		{"panics", func(int, http.ResponseWriter, *http.Request) { panic("oh") }, always, finding{Verdict: Unsteady, Runs: 1}},
		{"too large", constant(fmt.Sprintf("%101d", 1)), always, finding{Verdict: Unsteady, Runs: 1}},
		{"streams", func(_ int, w http.ResponseWriter, _ *http.Request) { w.(http.Flusher).Flush() }, always, finding{Verdict: Unsteady, Runs: 1}},
		{"hangs", func(_ int, _ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, always,
			finding{Verdict: Unsteady, Runs: 1, Took: runLimit}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				got := find(t, newAuditor(t), tt.handler, tt.stands)
				if tt.want.Verdict == Overtaken {
					got.Took = 0 // by the pauses in between
				}
				if diff := cmp.Diff(tt.want, got); diff != "" {
					t.Errorf("finding (-want +got):\n%s", diff)
				}
			})
		})
	}
}

// TestRequest: what the handler sees is a GET of the whole without conditions, under the values
// of the client's context but not under its end, and the request's own copy.
func TestRequest(t *testing.T) {
	type key struct{}
	ctx, cancel := context.WithCancel(context.WithValue(t.Context(), key{}, "value"))
	r := httptest.NewRequest("HEAD", "/", nil).WithContext(ctx)
	r.Header.Set("If-None-Match", "*")
	r.Header.Set("Range", "bytes=0-0")
	r.Header.Set("X-A", "1")
	cancel()
	a := newAuditor(t)
	got := find(t, a, func(_ int, w http.ResponseWriter, r *http.Request) {
		if r.Method != "GET" || r.Header.Get("If-None-Match")+r.Header.Get("Range") != "" || r.Header.Get("X-A") != "1" ||
			r.Context().Value(key{}) != "value" || r.Context().Err() != nil || !a.Running(r.Context()) {
			t.Errorf("%s %v, running %v", r.Method, r.Header, a.Running(r.Context()))
		}
		r.Header.Set("X-A", "2")
		_, _ = io.WriteString(w, "old")
	}, 0, func(s *Subject) { s.Request = r })
	if got.Verdict != Fresh || r.Header.Get("X-A") != "1" || r.Method != "HEAD" {
		t.Errorf("%v, and the request is now %s %v", got, r.Method, r.Header)
	}
	if a.Running(ctx) || (*Auditor)(nil).Running(ctx) {
		t.Error("the client's own context counts as an audit's")
	}
}

// TestAnotherRequest: an answer is given up when the request has become another's.
func TestAnotherRequest(t *testing.T) {
	got := find(t, newAuditor(t), constant("new"), time.Hour, func(s *Subject) { s.Same = func(*http.Request) bool { return false } })
	if got.Verdict != Unsteady {
		t.Errorf("%v, want %v", got.Verdict, Unsteady)
	}
}

// TestInFront: what middleware in front has set is no difference.
func TestInFront(t *testing.T) {
	h := func(_ int, w http.ResponseWriter, _ *http.Request) {
		w.Header().Add("Vary", "Accept")
		_, _ = io.WriteString(w, "{}")
	}
	load := http.Header{"Content-Type": {"application/json"}, "X-Request-Id": {"1"}, "Vary": {"Origin"}}
	got := find(t, newAuditor(t), h, time.Hour, func(s *Subject) {
		s.Served, _ = run(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { h(0, w, r) }), s.Request, load, 100)
		s.Header = http.Header{"Content-Type": {"application/json"}, "X-Request-Id": {"2"}}
	})
	if got.Verdict != Fresh || got.Runs != 1 {
		t.Errorf("%+v, want %v after one run", got, Fresh)
	}
}

// TestClose: what is under way ends without a verdict, and nothing begins.
func TestClose(t *testing.T) {
	for name, handler := range map[string]http.HandlerFunc{
		"obeys":  func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
		"hangs":  func(http.ResponseWriter, *http.Request) { time.Sleep(time.Minute) },
		"waits":  func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "new") },
		"panics": func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done(); panic("oh") },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := newAuditor(t)
				closed := false
				for range atOnce {
					if !a.Sample() {
						t.Fatal("not sampled")
					}
					a.Audit(Subject{
						Request: httptest.NewRequest("GET", "/", nil), Header: http.Header{}, Served: served(), Limit: 100, Handler: handler,
						Same: func(*http.Request) bool { return true },
						Stands: func(context.Context) bool {
							if closed {
								t.Error("the store is asked after Close")
							}
							return true
						},
						Ended: func(_ context.Context, v Verdict, _ []string) { t.Errorf("verdict %v", v) },
					})
				}
				if a.Sample() {
					t.Errorf("more than %d at a time", atOnce)
				}
				synctest.Wait()
				start := time.Now()
				a.Close()
				closed = true
				if took := time.Since(start); took > closeLimit {
					t.Errorf("Close took %v", took)
				}
				time.Sleep(2 * time.Minute) // until the handlers that hang have ended
				if a.Close(); a.Sample() {
					t.Error("sampled after Close")
				}
				if c := a.Counts(); c != (Counts{}) {
					t.Errorf("counts %+v", c)
				}
			})
		})
	}
}

func TestFraction(t *testing.T) {
	a, err := New(0.25, 0)
	if err != nil || a.grace != defaultGrace {
		t.Fatalf("New: %v, grace %v", err, a.grace)
	}
	sampled := 0
	for range 10_000 {
		if a.Sample() {
			sampled++
			<-a.busy
		}
	}
	if sampled < 2200 || sampled > 2800 { // seven standard deviations
		t.Errorf("%d of 10000 sampled, want about 2500", sampled)
	}
	for _, fraction := range []float64{-1, 1.1, math.NaN()} {
		if _, err := New(fraction, 0); err == nil {
			t.Errorf("a fraction of %v is no error", fraction)
		}
	}
	for fraction, grace := range map[float64]time.Duration{1: -1, 0: time.Second} {
		if _, err := New(fraction, grace); err == nil {
			t.Errorf("a fraction of %v with a grace of %v is no error", fraction, grace)
		}
	}
	if a, err := New(0, 0); a != nil || err != nil {
		t.Errorf("nothing: %v, %v", a, err)
	}
}

func answer(status int, header []capture.Field, body string) capture.Answer {
	return capture.Answer{Status: status, Header: header, Body: body}
}

func TestDifferences(t *testing.T) {
	a := answer(200, []capture.Field{{Name: ">Vary", Value: "A"}, {Name: "X", Value: "1"}, {Name: "X", Value: "2"}, {Name: "<Y"}}, "b")
	for want, b := range map[string]capture.Answer{
		"[]":              answer(200, []capture.Field{{Name: "Vary", Value: "A"}, {Name: "X", Value: "1"}, {Name: "X", Value: "2"}, {Name: "Age", Value: "3"}}, "b"),
		"[Vary X]":        answer(200, []capture.Field{{Name: "X", Value: "2"}, {Name: "X", Value: "1"}}, "b"),
		"[Z body status]": answer(404, []capture.Field{{Name: "Vary", Value: "A"}, {Name: "X", Value: "1"}, {Name: "X", Value: "2"}, {Name: "Z", Value: ""}}, "c"),
	} {
		if got := fmt.Sprint(Differences(a, b)); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

func TestNines(t *testing.T) {
	for want, c := range map[string]Counts{
		"at least 0.0 nines: 0 violations, 0 fresh; 0 overtaken, 0 unsteady":       {},
		"at least 0.0 nines: 0 violations, 2 fresh; 0 overtaken, 0 unsteady":       {Fresh: 2},
		"at least 3.0 nines: 0 violations, 3000 fresh; 7 overtaken, 9 unsteady":    {Fresh: 3000, Overtaken: 7, Unsteady: 9},
		"3.0 nines: 1 violations, 999 fresh; 0 overtaken, 0 unsteady":              {Fresh: 999, Violations: 1},
		"0.0 nines: 5 violations, 0 fresh; 0 overtaken, 0 unsteady":                {Violations: 5},
		"at least 5.5 nines: 0 violations, 1000000 fresh; 0 overtaken, 0 unsteady": {Fresh: 1_000_000},
	} {
		if got := c.String(); got != want {
			t.Errorf("%s\nwant %s", got, want)
		}
	}
}
