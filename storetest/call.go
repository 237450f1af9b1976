package storetest

import (
	"context"
	"testing"

	"github.com/freshet-dev/freshet"
)

func callChecks() []check {
	return []check{{"call/cancelled", checkCancelled}, {"call/nothing", checkNoTargets}}
}

// checkCancelled: a call whose context is over is an error and does nothing.
func checkCancelled(t testing.TB, h Harness) {
	l := newLab(t, h)
	r := ref(subjectKey)
	stamp := l.fill(l.a, r, subject("stays"))
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	calls := map[string]func() error{
		"Lookup": func() error { _, err := l.a.Lookup(ctx, r); return err },
		"Fill":   func() error { _, err := l.a.Fill(ctx, r, stamp, subject("other")); return err },
		"Invalidate": func() error {
			_, err := l.a.Invalidate(ctx, []freshet.Target{freshet.Key(subjectKey)})
			return err
		},
		"Valid": func() error { _, err := l.a.Valid(ctx, r, subjectTags(), stamp); return err },
	}
	for name, call := range calls {
		if call() == nil {
			l.Errorf("%s with a cancelled context: no error", name)
		}
	}
	l.wantHit(r, "stays")
}

// checkNoTargets: an invalidation of nothing drops nothing.
func checkNoTargets(t testing.TB, h Harness) {
	l := newLab(t, h)
	l.fill(l.a, ref(subjectKey), subject("stays"))
	l.invalidate(l.b)
	l.wantHit(ref(subjectKey), "stays")
}
