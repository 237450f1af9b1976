package freshet_test

import (
	"context"
	"errors"
	"testing"

	"github.com/freshet-dev/freshet"
)

var errJob = errors.New("the job has failed")

// TestUpdate: what apply returns decides nothing, and its targets join the record.
func TestUpdate(t *testing.T) {
	for _, fails := range []error{nil, errJob} {
		s := newIntents(t)
		c, _ := open(t, s)
		version, err := c.Update(t.Context(), func(ctx context.Context) error {
			s.note("apply", nil)
			if err := freshet.FromContext(ctx).Invalidate(freshet.Tag("b")); err != nil {
				t.Error(err)
			}
			return fails
		}, freshet.Key("a"), freshet.Key("a").FenceFor(1), freshet.Key("a"))
		if err != fails || version == 0 {
			t.Errorf("version %d, error %v; want %v", version, err, fails)
		}
		s.wantJournal(t, "intend key:a:(fence:1ns)", "apply", "add tag:b", "carry out key:a:(fence:1ns) tag:b")
	}
}

func TestUpdatePanics(t *testing.T) {
	s := newIntents(t)
	c, _ := open(t, s)
	defer func() {
		if got := recover(); got != "boom" {
			t.Errorf("the panic was lost: %v", got)
		}
		s.wantJournal(t, "intend key:a", "carry out key:a")
	}()
	_, _ = c.Update(t.Context(), func(context.Context) error { panic("boom") }, freshet.Key("a"))
}

// TestUpdateOwes: the invalidation's error stands beside that of the job.
func TestUpdateOwes(t *testing.T) {
	s := newIntents(t)
	c, _ := open(t, s)
	s.fail(errDown, "Invalidate")
	_, err := c.Update(t.Context(), func(context.Context) error { return errJob }, freshet.Key("a"))
	if !errors.Is(err, errDown) || !errors.Is(err, errJob) {
		t.Errorf("%v, want both errors", err)
	}
}

func TestUpdateOfNothing(t *testing.T) {
	s := newIntents(t)
	c, _ := open(t, s)
	if _, err := c.Update(t.Context(), func(context.Context) error { t.Error("it ran"); return nil }, freshet.Key("")); !errors.Is(err, freshet.ErrTarget) {
		t.Errorf("%v, want %v", err, freshet.ErrTarget)
	}
	if version, err := c.Update(t.Context(), func(context.Context) error { return nil }); version != 0 || err != nil {
		t.Errorf("without targets: %d, %v", version, err)
	}
	s.wantJournal(t)
}

func TestUpdateWhileDisabled(t *testing.T) {
	c, err := freshet.New(nil, &freshet.Options{Disabled: true})
	if err != nil {
		t.Fatal(err)
	}
	if version, err := c.Update(t.Context(), func(ctx context.Context) error {
		_ = freshet.FromContext(ctx).Invalidate(freshet.Key("b"))
		return errJob
	}, freshet.Key("a")); version != 0 || err != errJob {
		t.Errorf("%d, %v", version, err)
	}
}
