package freshet_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/freshet-dev/freshet"
	"github.com/freshet-dev/freshet/memstore"
)

// mute is a store that says nothing of itself and has a secret.
type mute struct {
	freshet.Store
	password string
}

// opener returns an opener that counts its calls.
func opener(calls *int, store freshet.Store, err error) freshet.Opener {
	return func(context.Context, *slog.Logger) (freshet.Store, error) {
		*calls++
		return store, err
	}
}

func TestOpen(t *testing.T) {
	broken := errors.New("freshet: REDIS_CACHE_PORT is \"x\"")
	for _, c := range []struct {
		name    string
		env     string
		first   error // of the first opener
		wantErr string
		second  int // calls of the second opener
		off     bool
	}{
		{name: "the first that is configured"},
		{name: "the next one where there is no Redis", first: freshet.ErrNoRedis, second: 1},
		{name: "not the next one after a mistake", first: broken, wantErr: broken.Error()},
		{name: "switched on", env: "true"},
		{name: "switched off", env: "false", off: true},
		{name: "switched off in other words", env: "OFF", off: true},
		{name: "switched to nonsense", env: "flase", wantErr: `REDIS_CACHE_ENABLED is "flase"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Setenv("REDIS_CACHE_ENABLED", c.env)
			var d diary
			var first, second int
			var store freshet.Store
			if c.first == nil {
				store = mute{newFake(t), "hunter2"}
			}
			cache, err := freshet.Open(t.Context(), &freshet.Options{Logger: slog.New(slog.NewTextHandler(&d, nil))},
				opener(&first, store, c.first), opener(&second, newFake(t), nil))
			if c.wantErr != "" {
				if err == nil || !strings.Contains(err.Error(), c.wantErr) {
					t.Errorf("Open: %v, want %s", err, c.wantErr)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			defer cache.Close(t.Context())
			if second != c.second || (first == 0) != c.off || (cache.Store() == nil) != c.off {
				t.Errorf("the openers were called %d and %d times; store %v", first, second, cache.Store())
			}
			wantLines(t, &d, "freshet:", 1)
			wantLines(t, &d, "hunter2", 0)
		})
	}
}

func TestOpenSaysWhich(t *testing.T) {
	t.Setenv("REDIS_CACHE_ENABLED", "")
	var d diary
	cache, err := freshet.Open(t.Context(), &freshet.Options{Logger: slog.New(slog.NewTextHandler(&d, nil))}, memstore.Open)
	if err != nil {
		t.Fatal(err)
	}
	defer cache.Close(t.Context())
	wantLines(t, &d, `store="memory, at most 256 MiB"`, 1)
}

// TestOpenRefusesWrites: the environment goes before the options.
func TestOpenRefusesWrites(t *testing.T) {
	for _, tt := range []struct {
		env  string
		code bool
		want int
	}{{"", false, 200}, {"", true, 503}, {"true", false, 503}, {"false", true, 200}} {
		t.Setenv("REDIS_CACHE_REFUSE_WRITES", tt.env)
		s, calls := newIntents(t), 0
		s.fail(errDown, "Intend")
		c, err := freshet.Open(t.Context(), &freshet.Options{RefuseWrites: tt.code, Logger: slog.New(slog.DiscardHandler)}, opener(&calls, s, nil))
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close(t.Context())
		if w := send(t.Context(), routed(c.Handler(list, text("x"))), "PUT", "/items/1"); w.Code != tt.want {
			t.Errorf("%q and %v: status %d, want %d", tt.env, tt.code, w.Code, tt.want)
		}
	}
	t.Setenv("REDIS_CACHE_REFUSE_WRITES", "perhaps")
	if _, err := freshet.Open(t.Context(), nil); err == nil || !strings.Contains(err.Error(), `REDIS_CACHE_REFUSE_WRITES is "perhaps"`) {
		t.Errorf("Open: %v", err)
	}
}

func TestOpenWithNothing(t *testing.T) {
	t.Setenv("REDIS_CACHE_ENABLED", "")
	if _, err := freshet.Open(t.Context(), nil); !errors.Is(err, freshet.ErrNoRedis) {
		t.Errorf("Open without openers: %v, want %v", err, freshet.ErrNoRedis)
	}
	if _, err := freshet.New(nil, nil); err == nil {
		t.Error("New without a store is no error")
	}
}

func TestEventNames(t *testing.T) {
	want := []string{"hit", "miss", "bypass", "fill", "invalidate", "store"}
	for i, name := range want {
		if got := freshet.EventKind(i).String(); got != name {
			t.Errorf("event kind %d is %q, want %q", i, got, name)
		}
	}
}

// TestOpenClosesWhatItOpened: the caller of an Open that fails has nothing to close.
func TestOpenClosesWhatItOpened(t *testing.T) {
	t.Setenv("REDIS_CACHE_ENABLED", "")
	var d diary
	s, calls := newFake(t), 0
	o := &freshet.Options{Audit: freshet.Audit{Fraction: 2}, Logger: slog.New(slog.NewTextHandler(&d, nil))}
	_, err := freshet.Open(t.Context(), o, opener(&calls, s, nil))
	if err == nil || !strings.Contains(err.Error(), "Audit.Fraction is 2") {
		t.Errorf("Open: %v", err)
	}
	if got := s.called("Close"); calls != 1 || got != 1 {
		t.Errorf("the store was opened %d times and closed %d times", calls, got)
	}
	wantLines(t, &d, "caching", 0)
}

// TestOpenDisabled: no store is opened that nobody would close.
func TestOpenDisabled(t *testing.T) {
	t.Setenv("REDIS_CACHE_ENABLED", "")
	calls := 0
	cache, err := freshet.Open(t.Context(), &freshet.Options{Disabled: true, Logger: slog.New(slog.DiscardHandler)}, opener(&calls, newFake(t), nil))
	if err != nil || calls > 0 || cache.Store() != nil {
		t.Errorf("Open: %v; the opener was called %d times", err, calls)
	}
}

func TestDisabled(t *testing.T) {
	c, err := freshet.New(nil, &freshet.Options{Disabled: true})
	if err != nil {
		t.Fatal(err)
	}
	h := &slow{}
	if got := c.Handler(item, h); got != http.Handler(h) {
		t.Errorf("the handler is wrapped: %T", got)
	}
	if v, err := c.Invalidate(t.Context(), freshet.Key("a")); v != 0 || err != nil {
		t.Errorf("Invalidate: %v, %v", v, err)
	}
	if _, err := c.Invalidate(t.Context(), freshet.Match("[")); !errors.Is(err, freshet.ErrTarget) {
		t.Errorf("Invalidate of a bad pattern: %v, want %v", err, freshet.ErrTarget)
	}
	if err := c.Close(t.Context()); err != nil {
		t.Errorf("Close: %v", err)
	}
	defer func() {
		if recover() == nil {
			t.Error("a bad rule is found on a disabled cache too")
		}
	}()
	c.Handler(freshet.Rule{}, h)
}
