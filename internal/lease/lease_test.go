package lease

import (
	"context"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// fake plays the other process, and writes down what happens to the lease.
type fake struct {
	held    bool
	shared  bool  // what Wait tells
	err     error // of Wait
	journal *[]string
}

func (f *fake) Held() bool { return f.held }

func (f *fake) Wait(context.Context) (bool, error) {
	*f.journal = append(*f.journal, "wait")
	return f.shared, f.err
}

func (f *fake) Release(ctx context.Context, shared bool) {
	if ctx.Err() != nil {
		panic("released under a context that has ended")
	}
	*f.journal = append(*f.journal, map[bool]string{true: "release", false: "release unshared"}[shared])
}

// TestLoad: what is found is a number, of which 0 is a miss.
func TestLoad(t *testing.T) {
	lost := errors.New("lost")
	tests := []struct {
		name   string
		leases []*fake // one after the other; nil for none
		looks  []int
		load   bool // what load makes is fit for sharing
		found  int
		want   []string
	}{
		{"none needed", []*fake{nil}, nil, true, 0, []string{"load"}},
		{"held", []*fake{{held: true}}, []int{0}, true, 0, []string{"look", "load", "release"}},
		{"held, unfit", []*fake{{held: true}}, []int{0}, false, 0, []string{"look", "load", "release unshared"}},
		{"held, filled meanwhile", []*fake{{held: true}}, []int{7}, true, 7, []string{"look", "release"}},
		{"another fills", []*fake{{shared: true}}, []int{7}, true, 7, []string{"wait", "look"}},
		{"another finds it unfit", []*fake{{}}, []int{0}, false, 0, []string{"wait", "look", "unfit", "load"}},
		{"another dies", []*fake{{shared: true}, {held: true}}, []int{0, 0}, true, 0, []string{"wait", "look", "look", "load", "release"}},
		{"never there", []*fake{{shared: true}, {shared: true}, {shared: true}}, []int{0, 0, 0}, true, 0,
			[]string{"wait", "look", "wait", "look", "wait", "look", "load"}},
		{"waiting fails", []*fake{{err: lost}}, nil, true, 0, []string{"wait", "load"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var journal []string
			note := func(what string) { journal = append(journal, what) }
			s := Source[int]{
				Lease: func(int) Lease {
					l := tt.leases[0]
					tt.leases = tt.leases[1:]
					if l == nil {
						return nil
					}
					l.journal = &journal
					return l
				},
				Look: func() (int, error) {
					note("look")
					n := tt.looks[0]
					tt.looks = tt.looks[1:]
					return n, nil
				},
				Hit: func(found int) bool { return found != 0 },
			}
			found, loaded := s.Load(t.Context(), 0, func() { note("unfit") }, func(int, func()) bool { note("load"); return tt.load })
			if found != tt.found || loaded != (tt.found == 0) {
				t.Errorf("found %d, loaded %v", found, loaded)
			}
			if diff := cmp.Diff(tt.want, journal); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestEarlyAndPanic: a load that finds out half-way that nothing can be shared frees
// the others at once, and only once; one that panics lets them take over, though
// everybody who waited has gone.
func TestEarlyAndPanic(t *testing.T) {
	var journal []string
	s := Source[int]{
		Lease: func(int) Lease { return &fake{held: true, journal: &journal} },
		Look:  func() (int, error) { return 0, errors.New("down") },
		Hit:   func(found int) bool { return found != 0 },
	}
	s.Load(t.Context(), 0, func() { journal = append(journal, "unfit") }, func(_ int, early func()) bool {
		early()
		journal = append(journal, "goes on")
		return false
	})
	func() {
		ctx, leave := context.WithCancel(t.Context())
		defer func() { _ = recover() }()
		s.Load(ctx, 0, nil, func(int, func()) bool { leave(); panic("boom") })
	}()
	if diff := cmp.Diff([]string{"unfit", "release unshared", "goes on", "release"}, journal); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
