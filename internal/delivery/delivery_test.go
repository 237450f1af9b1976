package delivery

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/freshet-dev/freshet/internal/ban"
	"github.com/freshet-dev/freshet/internal/owed"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// target is a member of a ban map as it is.
type target string

func (t target) Member() string { return string(t) }

var errFull = errors.New("full")

// fake is a store that writes down what it is asked for, and refuses the next few
// calls.
type fake struct {
	journal []string
	refuses int
}

func (f *fake) note(ctx context.Context, what string) error {
	if ctx.Err() != nil {
		f.journal = append(f.journal, "lapse")
		return ctx.Err()
	}
	f.journal = append(f.journal, what)
	if f.refuses > 0 {
		f.refuses--
		return errFull
	}
	return nil
}

func (f *fake) Add(ctx context.Context, _ []target) error { return f.note(ctx, "add") }
func (f *fake) Withdraw(ctx context.Context)              { _ = f.note(ctx, "withdraw") }
func (f *fake) Invalidate(ctx context.Context, _ []target) (int, error) {
	return 7, f.note(ctx, "end")
}

// traffic returns the traffic with f, as a store that keeps records or does not.
func traffic(f *fake, records bool) *Delivery[target, int] {
	store := Store[target, int]{
		Probe:      func(context.Context) error { return nil },
		Invalidate: func(ctx context.Context, _ []target) (int, error) { return 7, f.note(ctx, "invalidate") },
	}
	if records {
		store.Intend = func(ctx context.Context, _ []target) (Intent[target, int], error) { return f, f.note(ctx, "intend") }
	}
	queue := owed.New(target(ban.All), func(t, _ target) target { return t }, 10)
	return New(store, queue, slog.New(slog.DiscardHandler), func(error) {})
}

// TestRecord is the life of a record, by what becomes of the change.
func TestRecord(t *testing.T) {
	some := []target{"k:a"}
	all := func() []target { return some }
	for _, tt := range []struct {
		name            string
		records, silent bool
		change          func(f *fake, d *Delivery[target, int], r *Record[target, int])
		want            []string
	}{
		{"invalidated", true, false, func(_ *fake, d *Delivery[target, int], r *Record[target, int]) {
			_, _ = d.Invalidate(context.Background(), r, some)
			_, _ = d.Invalidate(context.Background(), r, some)
		}, []string{"intend", "end", "invalidate"}},
		{"withdrawn", true, false, func(_ *fake, _ *Delivery[target, int], r *Record[target, int]) {
			_ = r.Join(context.Background(), some, all)
			_ = r.Join(context.Background(), nil, all)
			r.Withdraw(context.Background())
			r.Withdraw(context.Background())
			_ = r.Join(context.Background(), some, all)
		}, []string{"intend", "add", "withdraw"}},
		{"silent", true, true, func(_ *fake, d *Delivery[target, int], r *Record[target, int]) {
			_, _ = d.Invalidate(context.Background(), r, some)
		}, []string{"invalidate"}},
		{"no records", false, false, func(_ *fake, d *Delivery[target, int], r *Record[target, int]) {
			_, _ = d.Invalidate(context.Background(), r, some)
		}, []string{"invalidate"}},
		{"left alone", true, false, func(_ *fake, d *Delivery[target, int], r *Record[target, int]) {
			_ = d.Limit(context.Background(), context.DeadlineExceeded)
			if err := r.Join(context.Background(), some, all); !errors.Is(err, ErrOpen) {
				t.Errorf("Join: %v, want %v", err, ErrOpen)
			}
			if _, err := d.Invalidate(context.Background(), r, some); !errors.Is(err, ErrOpen) || errors.Is(err, context.Canceled) || !d.Covers("a", nil) {
				t.Errorf("Invalidate: %v; it is owed: %v", err, d.Covers("a", nil))
			}
		}, []string{"intend", "lapse", "lapse", "invalidate"}}, // Join, the end, the delivery
		{"refused", true, false, func(f *fake, d *Delivery[target, int], r *Record[target, int]) {
			f.refuses = 2
			if err := r.Join(context.Background(), some, all); !errors.Is(err, errFull) {
				t.Errorf("Join: %v, want %v", err, errFull)
			}
			_, _ = d.Invalidate(context.Background(), r, some)
		}, []string{"intend", "add", "end", "invalidate"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := new(fake)
				d := traffic(f, tt.records)
				r := d.Record(tt.silent)
				if err := r.Join(context.Background(), some, all); err != nil {
					t.Errorf("Join: %v", err)
				}
				tt.change(f, d, r)
				time.Sleep(time.Minute)
				synctest.Wait()
				if diff := cmp.Diff(tt.want, f.journal); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
				if _, err := d.Close(context.Background()); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// TestRecordsFlap: a store that takes some records and not others is told about
// once, and once when that is over.
func TestRecordsFlap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, told := new(fake), []bool{}
		d := traffic(f, true)
		d.observe = func(err error) { told = append(told, err == nil) }
		some := []target{"k:a"}
		join := func(refuses int) {
			f.refuses = refuses
			_ = d.Record(false).Join(t.Context(), some, func() []target { return some })
			time.Sleep(time.Millisecond)
		}
		for range 100 {
			join(1)
			join(0)
		}
		if diff := cmp.Diff([]bool{false}, told); diff != "" {
			t.Errorf("while it flaps (-want +got):\n%s", diff)
		}
		time.Sleep(2 * calm)
		join(0)
		join(0)
		if diff := cmp.Diff([]bool{false, true}, told); diff != "" {
			t.Errorf("after it (-want +got):\n%s", diff)
		}
		if _, err := d.Close(t.Context()); err != nil {
			t.Error(err)
		}
	})
}
