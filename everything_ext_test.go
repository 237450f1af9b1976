package freshet_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/klauspost/compress/gzip"

	"github.com/freshet-dev/freshet"
	"github.com/freshet-dev/freshet/memstore"
)

// mayhem is an API whose rules use all there is at once, while its data changes.
type mayhem struct {
	*testing.T
	caches []*freshet.Cache
	sites  []http.Handler

	version    [4]atomic.Int64 // of the data
	hard, soft [4]atomic.Int64 // the newest versions that have been invalidated
}

var mayhemRule = freshet.Rule{
	Pattern: "/items/{id}", Key: "item:{id}", Tags: []string{"t:{id}"},
	TTL: 20 * time.Millisecond, StaleWhileRevalidate: 30 * time.Millisecond, StaleIfError: 50 * time.Millisecond,
	SoftTimeout: 3 * time.Millisecond, HardTimeout: 200 * time.Millisecond, EarlyRefresh: true, RefreshAhead: 5 * time.Millisecond,
}

func newMayhem(t *testing.T, stores ...freshet.Store) *mayhem {
	m := &mayhem{T: t}
	for _, s := range stores {
		c, err := freshet.New(s, &freshet.Options{Logger: slog.New(slog.DiscardHandler), Codings: []freshet.Coding{freshet.Gzip()}})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close(context.Background()) })
		mux := http.NewServeMux()
		if err := c.Handle(mux, mayhemRule.Pattern, mayhemRule, m); err != nil {
			t.Fatal(err)
		}
		m.caches, m.sites = append(m.caches, c), append(m.sites, mux)
	}
	return m
}

// ServeHTTP answers with the version that it has read before it took its time.
func (m *mayhem) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	id, _ := strconv.Atoi(r.PathValue("id"))
	v := m.version[id].Load()
	time.Sleep(time.Duration(rand.IntN(8000)) * time.Microsecond)
	h := w.Header()
	switch rand.IntN(25) {
	case 0:
		http.Error(w, "down", http.StatusServiceUnavailable)
		return
	case 1:
		panic(http.ErrAbortHandler)
	case 2:
		h.Set("Cache-Control", "no-store")
	case 3, 4, 5, 6, 7, 8:
		if r.Header.Get("Authorization") == "" {
			h.Set("Cache-Control", "public, stale-while-revalidate=1, stale-if-error=1")
		}
	}
	h.Set("Content-Type", "text/plain")
	lang := ""
	if id > 1 {
		h.Set("Vary", "X-Lang")
		lang = r.Header.Get("X-Lang")
	}
	h.Set("Etag", fmt.Sprintf(`"%d|%s|%s"`, v, lang, r.Header.Get("Authorization")))
	body := fmt.Sprintf("%09d|%s|%s|%s", v, lang, r.Header.Get("Authorization"), strings.Repeat(" and so on", 300))
	if r.Method == "QUERY" {
		_, _ = io.WriteString(w, body)
		return
	}
	http.ServeContent(w, r, "", time.Time{}, strings.NewReader(body))
}

func pick[T any](of ...T) T { return of[rand.IntN(len(of))] }

// read sends some request for something, and checks the answer.
func (m *mayhem) read() {
	id := 1 + rand.IntN(3)
	lang, who := pick("", "de", "en"), pick("", "", "", "ann", "bob")
	r := httptest.NewRequest(pick("GET", "GET", "GET", "HEAD", "QUERY"), fmt.Sprintf("/items/%d", id), nil)
	set := func(name, value string) {
		if value != "" {
			r.Header.Set(name, value)
		}
	}
	set("X-Lang", lang)
	set("Authorization", who)
	set("Accept-Encoding", pick("", "gzip"))
	set("Range", pick("", "", "bytes=0-199", "bytes=0-"))
	set("Cache-Control", pick("", "", "", "", "no-cache", "max-age=0", "no-store", "max-stale=1", "min-fresh=1", "only-if-cached"))
	if id < 2 {
		lang = ""
	}
	seen := max(0, m.version[id].Load()-int64(rand.IntN(3)))
	set("If-None-Match", pick("", "", fmt.Sprintf(`"%d|%s|%s"`, seen, lang, who)))
	hard, soft := m.hard[id].Load(), m.soft[id].Load()
	w := httptest.NewRecorder()
	func() {
		defer func() { _ = recover() }()
		pick(m.sites...).ServeHTTP(w, r)
	}()
	got, ok := m.parse(r, w)
	if !ok {
		return
	}
	status := w.Header().Get("Cache-Status")
	least := max(hard, soft)
	for _, stale := range []string{"revalidating", "failing", "max-stale", "error", "timeout"} {
		if strings.Contains(status, `"`+stale+`"`) {
			least = hard
		}
	}
	if got[0] < fmt.Sprintf("%09d", least) || got[1] != lang || got[2] != who && got[2] != "" {
		m.Errorf("%s %v: %d %q, %s; want version %d, %q for %q", r.Method, r.Header, w.Code, got[:3], status, least, lang, who)
	}
}

// parse returns what the answer to r is made from: version, language and caller.
func (m *mayhem) parse(r *http.Request, w *httptest.ResponseRecorder) (parts []string, ok bool) {
	text := w.Body.String()
	switch {
	case w.Code == http.StatusNotModified || w.Code == http.StatusOK && r.Method == "HEAD":
		text = strings.Replace(strings.Trim(w.Header().Get("Etag"), `"`), `--gzip`, "", 1)
		if v, rest, _ := strings.Cut(text, "|"); text != "" {
			n, _ := strconv.Atoi(v)
			text = fmt.Sprintf("%09d|%s|", n, rest)
		}
	case w.Code != http.StatusOK && w.Code != http.StatusPartialContent:
		return nil, false
	case w.Header().Get("Content-Encoding") == "gzip":
		z, err := gzip.NewReader(w.Body)
		if err != nil {
			m.Error(err)
			return nil, false
		}
		b, _ := io.ReadAll(z)
		text = string(b)
	}
	parts = strings.Split(text, "|")
	if len(parts) != 4 {
		if text != "" {
			m.Errorf("%s %v: %d %.40q %v", r.Method, r.Header, w.Code, text, w.Header())
		}
		return nil, false
	}
	return parts, true
}

// raise makes v at least n.
func raise(v *atomic.Int64, n int64) {
	for old := v.Load(); old < n && !v.CompareAndSwap(old, n); old = v.Load() {
	}
}

// change changes something, invalidates it, and remembers that.
func (m *mayhem) change() {
	id := 1 + rand.IntN(3)
	v := m.version[id].Add(1)
	t := pick(freshet.Key(fmt.Sprintf("item:%d", id)), freshet.Tag(fmt.Sprintf("t:%d", id)), freshet.Match(fmt.Sprintf("i*:%d", id)), freshet.All())
	known := &m.hard[id]
	if rand.IntN(2) == 0 {
		t, known = t.Softly(), &m.soft[id]
	}
	if _, err := pick(m.caches...).Invalidate(context.Background(), t); err != nil {
		m.Error(err)
		return
	}
	raise(known, v)
}

func (m *mayhem) run(d time.Duration) {
	end := time.Now().Add(d)
	var all sync.WaitGroup
	loop := func(do func()) {
		all.Go(func() {
			for time.Now().Before(end) && !m.Failed() {
				do()
			}
		})
	}
	for range 12 {
		loop(m.read)
	}
	loop(func() { m.change(); time.Sleep(time.Duration(rand.IntN(40)) * time.Millisecond) })
	all.Wait()
}

// TestEverythingAtOnce: whatever clients ask for, and however answers are kept fresh, no
// answer is older than what has been invalidated before its request, a softly
// invalidated one is served as stale at most, and nobody gets another's.
func TestEverythingAtOnce(t *testing.T) {
	const d = time.Second
	noLeak(t)
	t.Run("memstore", func(t *testing.T) {
		store, err := memstore.Open(t.Context(), slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		newMayhem(t, store).run(d)
	})
	t.Run("redisstore", func(t *testing.T) {
		stores, _ := redisProcesses(t, 2)
		newMayhem(t, stores...).run(d)
	})
}
