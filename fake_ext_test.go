package freshet_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/freshet-dev/freshet"
	"github.com/freshet-dev/freshet/memstore"
)

var errDown = errors.New("connection refused")

// fakeStore is a real store whose calls a test can hold up, make fail and count.
type fakeStore struct {
	freshet.Store

	mu     sync.Mutex
	before map[string]func(context.Context) error
	after  map[string]func()
	calls  map[string]int
}

func newFake(t testing.TB) *fakeStore {
	t.Helper()
	s, err := memstore.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return wrap(s)
}

func wrap(s freshet.Store) *fakeStore {
	return &fakeStore{
		Store:  s,
		before: map[string]func(context.Context) error{}, after: map[string]func(){}, calls: map[string]int{},
	}
}

// on makes do run before every call of method; its error takes the call's place.
func (s *fakeStore) on(method string, do func(context.Context) error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.before[method] = do
}

// fail makes the methods fail.
func (s *fakeStore) fail(err error, methods ...string) {
	for _, m := range methods {
		s.on(m, func(context.Context) error { return err })
	}
}

// freeze makes the methods answer after limit only, that they have not.
func (s *fakeStore) freeze(limit time.Duration, methods ...string) {
	for _, m := range methods {
		s.on(m, func(ctx context.Context) error {
			ctx, cancel := context.WithTimeout(ctx, limit)
			defer cancel()
			<-ctx.Done()
			return ctx.Err()
		})
	}
}

// then makes do run once, when the next call of method has its result.
func (s *fakeStore) then(method string, do func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.after[method] = do
}

// heal undoes on, fail and freeze.
func (s *fakeStore) heal() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.before)
}

func (s *fakeStore) called(method string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls[method]
}

func (s *fakeStore) begin(ctx context.Context, method string) error {
	s.mu.Lock()
	s.calls[method]++
	do := s.before[method]
	s.mu.Unlock()
	if do == nil {
		return nil
	}
	return do(ctx)
}

func (s *fakeStore) end(method string) {
	s.mu.Lock()
	do := s.after[method]
	delete(s.after, method)
	s.mu.Unlock()
	if do != nil {
		do()
	}
}

func (s *fakeStore) Lookup(ctx context.Context, ref freshet.Ref) (freshet.Found, error) {
	if err := s.begin(ctx, "Lookup"); err != nil {
		return freshet.Found{}, err
	}
	defer s.end("Lookup")
	return s.Store.Lookup(ctx, ref)
}

func (s *fakeStore) Fill(ctx context.Context, ref freshet.Ref, stamp freshet.Stamp, e *freshet.Entry) (freshet.Outcome, error) {
	if err := s.begin(ctx, "Fill"); err != nil {
		return 0, err
	}
	defer s.end("Fill")
	return s.Store.Fill(ctx, ref, stamp, e)
}

func (s *fakeStore) Invalidate(ctx context.Context, targets []freshet.Target) (freshet.Version, error) {
	if err := s.begin(ctx, "Invalidate"); err != nil {
		return 0, err
	}
	defer s.end("Invalidate")
	return s.Store.Invalidate(ctx, targets)
}

func (s *fakeStore) Valid(ctx context.Context, ref freshet.Ref, tags []string, stamp freshet.Stamp) (bool, error) {
	if err := s.begin(ctx, "Valid"); err != nil {
		return false, err
	}
	defer s.end("Valid")
	return s.Store.Valid(ctx, ref, tags, stamp)
}

func (s *fakeStore) Close() error {
	if err := s.begin(context.Background(), "Close"); err != nil {
		return err
	}
	return s.Store.Close()
}

// fakeLeases are leases as a shared store keeps them, for any number of caches.
type fakeLeases struct {
	store freshet.Store

	mu   sync.Mutex
	held map[freshet.Ref]*fakeLease
}

// fakeLease is one tenancy; done is closed when it is over.
type fakeLease struct {
	all    *fakeLeases
	ref    freshet.Ref
	stamp  freshet.Stamp
	done   chan struct{}
	shared bool
}

// waiting is the part of one who does not hold the lease.
type waiting struct{ *fakeLease }

func (waiting) Held() bool                    { return false }
func (waiting) Release(context.Context, bool) {}
func (l *fakeLease) Held() bool               { return true }

func (l *fakeLease) Wait(ctx context.Context) (bool, error) {
	select {
	case <-l.done:
		return l.shared, nil
	case <-ctx.Done():
		return false, ctx.Err()
	}
}

func (l *fakeLease) Release(_ context.Context, shared bool) { l.all.end(l, shared) }

func (a *fakeLeases) end(l *fakeLease, shared bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.held[l.ref] == l {
		delete(a.held, l.ref)
		l.shared = shared
		close(l.done)
	}
}

// die ends the lease on ref as if its holder had died.
func (a *fakeLeases) die(ref freshet.Ref) {
	a.mu.Lock()
	l := a.held[ref]
	a.mu.Unlock()
	a.end(l, true)
}

func (a *fakeLeases) lease(ctx context.Context, ref freshet.Ref, tags []string, stamp freshet.Stamp) (freshet.Lease, error) {
	a.mu.Lock()
	l := a.held[ref]
	a.mu.Unlock()
	if l != nil {
		if ok, err := a.store.Valid(ctx, ref, tags, l.stamp); err != nil || ok {
			return waiting{l}, err
		}
		a.end(l, true)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if l := a.held[ref]; l != nil {
		return waiting{l}, nil
	}
	l = &fakeLease{all: a, ref: ref, stamp: stamp, done: make(chan struct{})}
	a.held[ref] = l
	return l, nil
}

// process is the part of one process in a store that several share.
type process struct {
	*fakeStore
	leases *fakeLeases
}

func (p *process) Lease(ctx context.Context, ref freshet.Ref, tags []string, stamp freshet.Stamp) (freshet.Lease, error) {
	if err := p.begin(ctx, "Lease"); err != nil {
		return nil, err
	}
	return p.leases.lease(ctx, ref, tags, stamp)
}

// Close does nothing: the data belongs to all processes.
func (p *process) Close() error { return nil }

// fakeProcesses returns the stores of n processes on the same data.
func fakeProcesses(t testing.TB, n int) []freshet.Store {
	t.Helper()
	data, err := memstore.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { data.Close() })
	leases := &fakeLeases{store: data, held: map[freshet.Ref]*fakeLease{}}
	stores := make([]freshet.Store, n)
	for i := range stores {
		stores[i] = &process{wrap(data), leases}
	}
	return stores
}

// diary is a log that a test reads, and the events of a cache.
type diary struct {
	mu     sync.Mutex
	text   bytes.Buffer
	events []freshet.Event
	hook   func(freshet.Event)
}

func (d *diary) Write(p []byte) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.text.Write(p)
}

func (d *diary) logger() *slog.Logger { return slog.New(slog.NewTextHandler(d, nil)) }

func (d *diary) observe(e freshet.Event) {
	d.mu.Lock()
	d.events = append(d.events, e)
	hook := d.hook
	d.mu.Unlock()
	if hook != nil {
		hook(e)
	}
}

// follow makes hook be called for every event from now on.
func (d *diary) follow(hook func(freshet.Event)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.hook = hook
}

// lines returns the log's lines that contain text.
func (d *diary) lines(text string) (found []string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for line := range strings.Lines(d.text.String()) {
		if strings.Contains(line, text) {
			found = append(found, line)
		}
	}
	return found
}

// reasons returns the reasons of the events of kind.
func (d *diary) reasons(kind freshet.EventKind) (found []string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, e := range d.events {
		if e.Kind == kind {
			found = append(found, e.Reason)
		}
	}
	return found
}

// open returns a cache on store, closed when t ends, and its diary.
func open(t testing.TB, store freshet.Store) (*freshet.Cache, *diary) {
	t.Helper()
	d := new(diary)
	c, err := freshet.New(store, &freshet.Options{Logger: d.logger(), Observe: d.observe})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		// What a test has left owed is of no interest any more.
		_ = c.Close(context.Background())
	})
	return c, d
}

// item is a rule for /items/{id} under the key item:1 and so on.
var item = freshet.Rule{Pattern: "/items/{id}", Key: "item:{id}", Tags: []string{"items"}}

// routed gives h its path values.
func routed(h http.Handler) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/items/{id}", h)
	return mux
}

func text(body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(body)) }
}

// send asks h and returns its answer.
func send(ctx context.Context, h http.Handler, method, path string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequestWithContext(ctx, method, path, nil))
	return w
}

// get asks h for the item 1 and returns the body.
func get(t testing.TB, h http.Handler) string {
	t.Helper()
	return send(t.Context(), h, "GET", "/items/1").Body.String()
}
