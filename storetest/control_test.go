package storetest

import (
	"context"
	"fmt"
	"net/url"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/freshet-dev/freshet"
	"github.com/freshet-dev/freshet/memstore"
)

// TestFake is the positive control: the suite passes on the simplest right
// store, with every part of the harness in use.
func TestFake(t *testing.T) { Run(t, fakeHarness("")) }

// control is a store that is wrong in one way, and the checks that have to
// notice. A name that ends in / stands for all checks that begin with it.
type control struct {
	name    string
	harness Harness
	bites   []string
}

// TestControls runs the checks on stores that are wrong on purpose. A check that
// no wrong store fails has shown nothing, so every check has to be bitten by one.
func TestControls(t *testing.T) {
	bitten := make(map[string]bool)
	for _, c := range controls() {
		t.Run(c.name, func(t *testing.T) {
			for _, name := range c.bites {
				for _, check := range named(t, name) {
					bitten[check.name] = true
					failed := failures(t, check, c.harness)
					if len(failed) == 0 {
						t.Errorf("%s passes", check.name)
						continue
					}
					t.Logf("%s fails: %.200s", check.name, failed[0])
				}
			}
		})
	}
	for _, c := range checks() {
		if !bitten[c.name] {
			t.Errorf("no control fails %s", c.name)
		}
	}
}

func named(t *testing.T, name string) []check {
	list := slices.DeleteFunc(checks(), func(c check) bool {
		return c.name != name && !(strings.HasSuffix(name, "/") && strings.HasPrefix(c.name, name))
	})
	if len(list) == 0 {
		t.Fatalf("there is no check %q", name)
	}
	return list
}

// recorder is a testing.TB on which a check may fail without the test failing.
type recorder struct {
	testing.TB
	mu     sync.Mutex
	failed []string
}

func (r *recorder) Errorf(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failed = append(r.failed, fmt.Sprintf(format, args...))
}

func (r *recorder) Fatalf(format string, args ...any) {
	r.Errorf(format, args...)
	runtime.Goexit()
}

func (r *recorder) Failed() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.failed) > 0
}

// failures runs a check and returns what it has found wrong.
func failures(t *testing.T, c check, h Harness) []string {
	r := &recorder{TB: t}
	done := make(chan struct{})
	go func() {
		defer close(done) // also after Fatalf
		c.run(r, h)
	}()
	<-done
	return r.failed
}

// wrong is a memstore with one method replaced.
type wrong struct {
	freshet.Store
	lookup     func(s freshet.Store, ctx context.Context, ref freshet.Ref) (freshet.Found, error)
	fill       func(s freshet.Store, ctx context.Context, ref freshet.Ref, stamp freshet.Stamp, e *freshet.Entry) (freshet.Outcome, error)
	invalidate func(s freshet.Store, ctx context.Context, targets []freshet.Target) (freshet.Version, error)
	valid      func(s freshet.Store) (bool, error)
	ref        func(freshet.Ref) freshet.Ref // what becomes of every ref
}

func (w *wrong) Lookup(ctx context.Context, ref freshet.Ref) (freshet.Found, error) {
	if w.ref != nil {
		ref = w.ref(ref)
	}
	if w.lookup != nil {
		return w.lookup(w.Store, ctx, ref)
	}
	return w.Store.Lookup(ctx, ref)
}

func (w *wrong) Fill(ctx context.Context, ref freshet.Ref, stamp freshet.Stamp, e *freshet.Entry) (freshet.Outcome, error) {
	if w.ref != nil {
		ref = w.ref(ref)
	}
	if w.fill != nil {
		return w.fill(w.Store, ctx, ref, stamp, e)
	}
	return w.Store.Fill(ctx, ref, stamp, e)
}

func (w *wrong) Invalidate(ctx context.Context, targets []freshet.Target) (freshet.Version, error) {
	if w.invalidate != nil {
		return w.invalidate(w.Store, ctx, targets)
	}
	return w.Store.Invalidate(ctx, targets)
}

func (w *wrong) Valid(ctx context.Context, ref freshet.Ref, tags []string, stamp freshet.Stamp) (bool, error) {
	if w.valid != nil {
		return w.valid(w.Store)
	}
	return w.Store.Valid(ctx, ref, tags, stamp)
}

func openMemory(t testing.TB) freshet.Store {
	s, err := memstore.New(nil)
	if err != nil {
		t.Fatalf("memstore.New: %v", err)
	}
	return s
}

// on returns a harness for w on a memstore.
func (w wrong) harness() Harness {
	return Harness{Open: func(t testing.TB) freshet.Store {
		w := w
		w.Store = openMemory(t)
		return &w
	}}
}

// changed returns a wrong store that fills something else than it is given.
func changed(change func(*freshet.Entry)) Harness {
	return wrong{fill: func(s freshet.Store, ctx context.Context, ref freshet.Ref, stamp freshet.Stamp, e *freshet.Entry) (freshet.Outcome, error) {
		change(e)
		return s.Fill(ctx, ref, stamp, e)
	}}.harness()
}

// found returns a wrong store that reports something else than it finds.
func found(change func(*freshet.Found)) Harness {
	return wrong{lookup: func(s freshet.Store, ctx context.Context, ref freshet.Ref) (freshet.Found, error) {
		f, err := s.Lookup(ctx, ref)
		change(&f)
		return f, err
	}}.harness()
}

// stamped returns a wrong store that fills under another stamp than it is given.
func stamped(change func(given, now freshet.Stamp) freshet.Stamp) Harness {
	return wrong{fill: func(s freshet.Store, ctx context.Context, ref freshet.Ref, stamp freshet.Stamp, e *freshet.Entry) (freshet.Outcome, error) {
		f, err := s.Lookup(ctx, ref)
		if err != nil {
			return 0, err
		}
		return s.Fill(ctx, ref, change(stamp, f.Stamp), e)
	}}.harness()
}

// aimed returns a wrong store that invalidates other targets than it is given.
func aimed(change func([]freshet.Target) []freshet.Target) Harness {
	return wrong{invalidate: func(s freshet.Store, ctx context.Context, targets []freshet.Target) (freshet.Version, error) {
		return s.Invalidate(ctx, change(slices.Clone(targets)))
	}}.harness()
}

func without(kind freshet.TargetKind) Harness {
	return aimed(func(targets []freshet.Target) []freshet.Target {
		return slices.DeleteFunc(targets, func(t freshet.Target) bool { return t.Kind == kind })
	})
}

func eachMatch(change func(string) string) Harness {
	return aimed(func(targets []freshet.Target) []freshet.Target {
		for i, t := range targets {
			if t.Kind == freshet.TargetMatch {
				targets[i].Value = change(t.Value)
			}
		}
		return targets
	})
}

func controls() []control {
	return slices.Concat(storedControls(), invalidateControls(), freshControls(), softControls(), fakeControls())
}

func storedControls() []control {
	return []control{
		{"serves nothing", found(func(f *freshet.Found) { f.Entry = nil }), []string{"stored/all fields", "stored/absent", "stored/replaced", "spared"}},
		{"shares nothing", Harness{
			Open: openMemory,
			Peer: func(t testing.TB, _ freshet.Store) freshet.Store { return openMemory(t) },
		}, []string{"stored/absent", "stored/replaced", "invalidate/key", "late/out of order"}},
		{"drops tags", changed(func(e *freshet.Entry) { e.Tags = nil }), []string{"stored/all fields", "stored/binary body", "invalidate/first tag"}},
		{"drops the first tag", changed(func(e *freshet.Entry) { e.Tags = e.Tags[min(1, len(e.Tags)):] }), []string{"invalidate/first tag"}},
		{"drops the last tag", changed(func(e *freshet.Entry) { e.Tags = e.Tags[:max(0, len(e.Tags)-1)] }), []string{"invalidate/last tag"}},
		{"keeps one header field", changed(func(e *freshet.Entry) { e.Header = e.Header[:min(1, len(e.Header))] }),
			[]string{"stored/all fields", "stored/many headers", "stored/repeated header"}},
		{"keeps text only", changed(func(e *freshet.Entry) { e.Body = strings.ToValidUTF8(e.Body, "?") }), []string{"stored/binary body"}},
		{"keeps 64 KiB", changed(func(e *freshet.Entry) { e.Body = e.Body[:min(len(e.Body), 64<<10)] }), []string{"stored/large body"}},
		{"keeps no empty body", changed(func(e *freshet.Entry) {
			if e.Body == "" {
				e.Body = "null"
			}
		}), []string{"stored/empty body", "stored/replaced"}},
		{"forgets how long it is fresh", changed(func(e *freshet.Entry) { e.Fresh = 0 }), []string{"stored/all fields", "stored/stale", "stored/for ever"}},
		{"forgets its age", changed(func(e *freshet.Entry) { e.Age = 0 }), []string{"stored/all fields", "stored/stale"}},
		{"forgets how long the load took", changed(func(e *freshet.Entry) { e.Took = 0 }), []string{"stored/all fields"}},
		{"has a status for everything", changed(func(e *freshet.Entry) { e.Status = max(e.Status, 200) }), []string{"stored/no status"}},
		{"ignores the TTL", changed(func(e *freshet.Entry) { e.TTL = time.Hour }), []string{"stored/ttl"}},
		{"keeps nothing for less than a minute", changed(func(e *freshet.Entry) { e.TTL = max(e.TTL, time.Minute) }), []string{"stored/ttl"}},
		{"fails on the least TTL", wrong{fill: func(s freshet.Store, ctx context.Context, ref freshet.Ref, stamp freshet.Stamp, e *freshet.Entry) (freshet.Outcome, error) {
			if e.TTL < time.Millisecond {
				return 0, context.DeadlineExceeded
			}
			return s.Fill(ctx, ref, stamp, e)
		}}.harness(), []string{"stored/least ttl"}},
		{"ignores case", wrong{ref: func(r freshet.Ref) freshet.Ref { r.Key = strings.ToLower(r.Key); return r }}.harness(), []string{"stored/absent"}},
		{"shortens keys", wrong{ref: func(r freshet.Ref) freshet.Ref { r.Key = r.Key[:min(len(r.Key), 512)]; return r }}.harness(),
			[]string{"stored/keys apart", "invalidate/long key"}},
		{"ignores variants", wrong{ref: func(r freshet.Ref) freshet.Ref { r.Variant = ""; return r }}.harness(), []string{"stored/variants apart"}},
		{"keeps the first", wrong{fill: func(s freshet.Store, ctx context.Context, ref freshet.Ref, stamp freshet.Stamp, e *freshet.Entry) (freshet.Outcome, error) {
			if f, err := s.Lookup(ctx, ref); err != nil || f.Entry != nil {
				return freshet.Stored, err
			}
			return s.Fill(ctx, ref, stamp, e)
		}}.harness(), []string{"stored/replaced"}},
		{"does not look at contexts", wrong{
			lookup: func(s freshet.Store, ctx context.Context, ref freshet.Ref) (freshet.Found, error) {
				return s.Lookup(context.WithoutCancel(ctx), ref)
			},
		}.harness(), []string{"call/cancelled"}},
	}
}

func invalidateControls() []control {
	matches := []string{"invalidate/prefix", "invalidate/suffix", "invalidate/middle", "invalidate/class", "invalidate/escape", "invalidate/no wildcard", "invalidate/star"}
	all := aimed(func([]freshet.Target) []freshet.Target { return []freshet.Target{freshet.All()} })
	return []control{
		{"forgets keys", without(freshet.TargetKey), []string{"invalidate/key", "invalidate/repeated", "valid", "late/key"}},
		{"forgets tags", without(freshet.TargetTag), []string{"invalidate/first tag", "invalidate/last tag", "late/first tag"}},
		{"forgets patterns", without(freshet.TargetMatch), append(matches, "invalidate/profile", "invalidate/encoded")},
		{"forgets clears", without(freshet.TargetAll), []string{"invalidate/all", "late/all"}},
		{"clears for everything", all, []string{"spared", "late/spared", "call/nothing", "invalidate/several targets", "invalidate/profile"}},
		{"does not anchor patterns", eachMatch(func(glob string) string { return "*" + glob + "*" }), []string{"spared", "late/spared"}},
		{"decodes patterns", eachMatch(func(glob string) string {
			if text, err := url.PathUnescape(glob); err == nil {
				return text
			}
			return glob
		}), []string{"invalidate/encoded", "spared"}},
		{"takes the first target", aimed(func(targets []freshet.Target) []freshet.Target { return targets[:min(1, len(targets))] }),
			[]string{"invalidate/several targets", "invalidate/profile"}},
		{"loses variants", wrong{ref: func(r freshet.Ref) freshet.Ref {
			if r.Variant != "" {
				r.Key += "/" + r.Variant
			}
			return r
		}}.harness(), []string{"invalidate/variants", "late/key", "stored/crowded"}},
		{"repeats the version", wrong{invalidate: func(s freshet.Store, ctx context.Context, targets []freshet.Target) (freshet.Version, error) {
			_, err := s.Invalidate(ctx, targets)
			return 1, err
		}}.harness(), []string{"invalidate/repeated", "invalidate/key"}},
		{"gives another reason", found(func(f *freshet.Found) { f.Reason = freshet.Unreadable }), []string{"invalidate/", "stored/absent"}},
		{"finds everything valid", wrong{valid: func(freshet.Store) (bool, error) { return true, nil }}.harness(), []string{"valid"}},
		{"finds nothing valid", wrong{valid: func(freshet.Store) (bool, error) { return false, nil }}.harness(), []string{"valid"}},
		{"invalidates one by one", wrong{invalidate: func(s freshet.Store, ctx context.Context, targets []freshet.Target) (v freshet.Version, err error) {
			for _, t := range targets {
				if v, err = s.Invalidate(ctx, []freshet.Target{t}); err != nil {
					return 0, err
				}
				pause(time.Millisecond)
			}
			return v, nil
		}}.harness(), []string{"race/whole"}},
	}
}

func freshControls() []control {
	return []control{
		{"stamps at the fill", stamped(func(_, now freshet.Stamp) freshet.Stamp { return now }),
			[]string{"late/key", "late/first tag", "late/last tag", "late/prefix", "late/suffix", "late/middle", "late/class", "late/escape",
				"late/no wildcard", "late/star", "late/all", "late/other incarnation", "late/out of order", "race/fresh"}},
		{"ignores the incarnation", stamped(func(given, now freshet.Stamp) freshet.Stamp {
			given.Incarnation = now.Incarnation
			return given
		}), []string{"late/other incarnation"}},
		{"lets the last fill win", wrong{fill: func(s freshet.Store, ctx context.Context, ref freshet.Ref, stamp freshet.Stamp, e *freshet.Entry) (freshet.Outcome, error) {
			outcome, err := s.Fill(ctx, ref, stamp, e)
			if outcome == freshet.Newer {
				f, _ := s.Lookup(ctx, ref)
				return s.Fill(ctx, ref, f.Stamp, e)
			}
			return outcome, err
		}}.harness(), []string{"late/out of order"}},
		{"returns an older stamp", found(func(f *freshet.Found) { f.Stamp.Version -= 1e9 }), []string{"late/key", "invalidate/key", "invalidate/variants"}},
		{"returns a newer stamp", found(func(f *freshet.Found) { f.Stamp.Version += 1e9 }), []string{"late/key", "late/prefix"}},
		{"returns a stamp of nothing", found(func(f *freshet.Found) { f.Stamp = freshet.Stamp{} }), []string{"stored/absent"}},
	}
}

func fakeControls() []control {
	defect := func(name string, bites ...string) control {
		h := fakeHarness(name)
		h.patience = 200 * time.Millisecond
		return control{name, h, bites}
	}
	return []control{
		defect("keeps its incarnation", "loss/flush", "loss/forget"),
		defect("fails on damage", "loss/corrupt"),
		defect("serves damage", "loss/corrupt"),
		defect("does not heal", "loss/corrupt"),
		defect("everybody holds", "lease/one holder", "lease/holder dies", "lease/wait ends with its context"),
		defect("anybody releases", "lease/one holder", "takeover/key"),
		defect("one lease for all refs", "lease/one holder"),
		defect("no lease is taken over", "takeover/"),
		defect("any invalidation takes leases", "lease/spared"),
		defect("does not wait", "lease/waiters"),
		defect("always shared", "lease/waiters"),
		defect("wakes nobody", "lease/waiters", "takeover/key"),
		defect("waits beyond its context", "lease/wait ends with its context"),
		defect("the dead hold on", "lease/holder dies"),
		defect("knows no fences", "fence/key", "fence/first tag", "fence/last tag", "fence/prefix", "fence/suffix", "fence/middle",
			"fence/class", "fence/escape", "fence/no wildcard", "fence/star", "fence/all", "fence/ends", "intent/dead"),
		defect("looks at fences when filling", "fence/ends"),
		defect("shortens fences", "fence/key", "fence/star"),
		defect("fences everything", "fence/spared"),
		defect("fences for ever", "fence/ends"),
		defect("shares what was loaded inside", "fence/ends"),
		defect("loses fences", "fence/loss"),
		defect("hardens everything", softAims()...),
		defect("softens everything", "soft/spared", "soft/several targets", "soft/long key"),
		defect("lets soft bans win", "soft/and hard", "race/fresh"),
		defect("shares what is soft", "soft/key", "soft/star", "soft/all"),
		defect("soft bans take no leases", "takeover/"),
		defect("tells soft bans as others", "history"),
		defect("carries out harder", "soft/intent"),
		defect("keeps its incarnation", "soft/forget"),
		defect("carries out nothing", "intent/dead", "intent/dead/all"),
		defect("carries out everything", "intent/dead"),
		defect("carries out without fences", "intent/dead"),
		defect("takes all for dead", "intent/alive"),
		defect("adds nothing", "intent/dead"),
		defect("ends no intents", "intent/ended"),
		defect("ends without invalidating", "intent/invalidates"),
		defect("intends without a context", "intent/ended"),
		defect("forgets the oldest ban", "history"),
		defect("tells the oldest ban first", "history"),
		defect("tells of an older stamp", "history"),
		defect("tells of everything", "history"),
	}
}
