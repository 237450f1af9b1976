package owed

import (
	"errors"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/freshet-dev/freshet/internal/ban"
)

// target is a member of a ban map as it is.
type target string

func (t target) Member() string { return string(t) }

const all = target(ban.All)

// longest merges what has no fence.
func longest(t, _ target) target { return t }

func add(q *Queue[target], members ...string) bool {
	targets := make([]target, len(members))
	for i, m := range members {
		targets[i] = target(m)
	}
	return q.Add(targets)
}

func TestCovers(t *testing.T) {
	for _, c := range []struct {
		name, owed, key string
		tags            []string
		want            bool
	}{
		{"nothing", "", "a:1", []string{"x"}, false},
		{"the key", ban.Key("a:1"), "a:1", nil, true},
		{"another key", ban.Key("a:2"), "a:1", nil, false},
		{"a tag", ban.Tag("x"), "a:1", []string{"w", "x"}, true},
		{"another tag", ban.Tag("y"), "a:1", []string{"w", "x"}, false},
		{"a tag that is the key", ban.Tag("a:1"), "a:1", nil, false},
		{"a pattern", ban.Glob("a:*"), "a:1", nil, true},
		{"another pattern", ban.Glob("b:*"), "a:1", nil, false},
		{"everything", ban.All, "a:1", nil, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			q := New(all, longest, 10)
			if c.owed != "" {
				add(q, c.owed)
			}
			if got := q.Covers(c.key, c.tags); got != c.want {
				t.Errorf("Covers is %v, want %v", got, c.want)
			}
			targets, number := q.All()
			q.Pay(targets, number)
			if q.Covers(c.key, c.tags) || q.Len() != 0 {
				t.Error("it is still owed after it was paid")
			}
		})
	}
}

// TestAddedAgain: what is owed anew while it is being paid stands for a later
// change, which the payment does not cover.
func TestAddedAgain(t *testing.T) {
	q := New(all, longest, 10)
	add(q, "k:a", "k:b")
	targets, number := q.All()
	add(q, "k:a")
	if q.Pay(targets, number) {
		t.Error("Pay reports that nothing is owed")
	}
	if !q.Covers("a", nil) || q.Covers("b", nil) || q.Len() != 1 {
		t.Errorf("a: %v, b: %v, %d owed; want a alone", q.Covers("a", nil), q.Covers("b", nil), q.Len())
	}
	targets, number = q.All()
	if !q.Pay(targets, number) || q.Covers("a", nil) {
		t.Error("the second payment has not settled it")
	}
}

func TestTransitions(t *testing.T) {
	q := New(all, longest, 10)
	if !add(q, "k:a") || add(q, "k:b") {
		t.Error("only the first Add finds nothing owed")
	}
	for i, last := range []bool{false, true} {
		targets, number := q.All()
		if q.Pay(targets[:1], number) != last {
			t.Errorf("payment %d of %v: want last: %v", i, targets[:1], last)
		}
	}
	if !add(q, "k:c") {
		t.Error("Add after the last payment does not find it empty")
	}
}

func TestCounts(t *testing.T) {
	q := New(all, longest, 10)
	add(q, "k:a")
	add(q, "k:a")
	targets, number := q.All()
	q.Pay(targets, number)
	if q.Added() != 2 || q.Paid() != 1 {
		t.Errorf("added %d, paid %d; want 2 and 1", q.Added(), q.Paid())
	}
}

// TestOverflow: beyond the bound everything is owed, and what that covers anyway
// is forgotten, one batch at a time or all in one.
func TestOverflow(t *testing.T) {
	for name, batch := range map[string]int{"one by one": 1, "in one": 50} {
		t.Run(name, func(t *testing.T) {
			q := New(all, longest, 20)
			var members []string
			for i := range 50 {
				members = append(members, "t:"+strconv.Itoa(i))
			}
			for ; len(members) > 0; members = members[batch:] {
				add(q, members[:batch]...)
				if q.Len() > 20 {
					t.Fatalf("%d are owed, at most 20 may be", q.Len())
				}
			}
			if !q.Covers("anything", nil) {
				t.Error("after the overflow not everything is covered")
			}
			targets, number := q.All()
			if !q.Pay(targets, number) || q.Covers("anything", []string{"49"}) {
				t.Error("the payment has not settled it")
			}
		})
	}
}

// TestOverflowWhilePaying: a payment from before the overflow does not settle
// what the overflow has put in its place.
func TestOverflowWhilePaying(t *testing.T) {
	q := New(all, longest, 2)
	add(q, "k:a", "k:b")
	targets, number := q.All()
	add(q, "k:c")
	q.Pay(targets, number)
	for _, key := range []string{"a", "b", "c"} {
		if !q.Covers(key, nil) {
			t.Errorf("%s is not covered", key)
		}
	}
}

// TestNoGap: at no moment between the first Add and the last Pay is a key that
// is owed all along not covered, however the queue overflows meanwhile.
func TestNoGap(t *testing.T) {
	q := New(all, longest, 3)
	add(q, "k:a")
	var stop atomic.Bool
	var gaps atomic.Int64
	var readers sync.WaitGroup
	for range 2 {
		readers.Go(func() {
			for !stop.Load() {
				if !q.Covers("a", nil) {
					gaps.Add(1)
				}
			}
		})
	}
	for i := range 20_000 {
		targets, number := q.All()
		add(q, "k:a", "k:"+strconv.Itoa(i))
		q.Pay(targets, number)
	}
	stop.Store(true)
	readers.Wait()
	if gaps.Load() > 0 {
		t.Errorf("%d looks have found a gap", gaps.Load())
	}
}

// TestModel compares the queue with a set.
func TestModel(t *testing.T) {
	names := []string{"k:a", "k:b", "t:a", "t:b", "p:a*", "p:*"}
	rapid.Check(t, func(t *rapid.T) {
		q, model := New(all, longest, 100), map[string]bool{}
		batch, number, since := []target(nil), uint64(0), map[string]bool{}
		for range rapid.IntRange(1, 30).Draw(t, "steps") {
			switch rapid.IntRange(0, 2).Draw(t, "what") {
			case 0:
				m := rapid.SampledFrom(names).Draw(t, "member")
				if first := add(q, m); first != (len(model) == 0) {
					t.Fatalf("Add says first: %v of %v", first, model)
				}
				model[m], since[m] = true, true
			case 1:
				batch, number = q.All()
				batch = batch[:min(len(batch), rapid.IntRange(1, 3).Draw(t, "most"))]
				clear(since)
			case 2:
				for _, b := range batch {
					if !since[string(b)] {
						delete(model, string(b))
					}
				}
				if last := q.Pay(batch, number); last != (len(model) == 0) {
					t.Fatalf("Pay says last: %v of %v", last, model)
				}
				batch = nil
			}
			for _, key := range []string{"a", "b"} {
				want := model["k:"+key] || model["t:"+key] || model["p:*"] || model["p:a*"] && key == "a"
				if got := q.Covers(key, []string{key}); got != want || q.Len() != len(model) {
					t.Fatalf("%s is covered: %v, of %v", key, got, model)
				}
			}
		}
	})
}

// fenced is a target that differs from another of the same member.
type fenced struct {
	member string
	fence  int
}

func (f fenced) Member() string { return f.member }

func longer(f, other fenced) fenced { return fenced{f.member, max(f.fence, other.fence)} }

// TestFences: two targets of one member are one debt, with the longer fence: paid
// one by one, the first payment would leave the second uncovered, with its fence
// still to come.
func TestFences(t *testing.T) {
	for _, order := range [][]fenced{{{"k:a", 0}, {"k:a", 5}}, {{"k:a", 5}, {"k:a", 0}}} {
		q := New(fenced{ban.All, 0}, longer, 10)
		q.Add(order[:1])
		q.Add(order[1:])
		targets, number := q.All()
		if diff := cmp.Diff([]fenced{{"k:a", 5}}, targets, cmp.AllowUnexported(fenced{})); diff != "" {
			t.Errorf("owed after %v (-want +got):\n%s", order, diff)
		}
		if !q.Pay(targets, number) || q.Covers("a", nil) {
			t.Errorf("%v is not settled by one payment", order)
		}
	}
}

// TestFenceRaisedWhilePaying: a payment with the shorter fence does not settle the
// longer one that was added meanwhile.
func TestFenceRaisedWhilePaying(t *testing.T) {
	q := New(fenced{ban.All, 0}, longer, 10)
	q.Add([]fenced{{"k:a", 1}})
	targets, number := q.All()
	q.Add([]fenced{{"k:a", 5}})
	if q.Pay(targets, number) || !q.Covers("a", nil) {
		t.Error("the shorter fence has paid for the longer")
	}
}

// TestOverflowKeepsFences: what stands for everything has the longest fence of all.
func TestOverflowKeepsFences(t *testing.T) {
	for name, batches := range map[string][][]fenced{
		"of what was owed":  {{{"k:a", 7}, {"k:b", 1}}, {{"k:c", 2}}},
		"of what is added":  {{{"k:a", 1}, {"k:b", 1}}, {{"k:c", 7}}},
		"of an earlier one": {{{"k:a", 7}, {"k:b", 1}, {"k:c", 0}}, {{"k:d", 0}, {"k:e", 0}}},
	} {
		q := New(fenced{ban.All, 0}, longer, 2)
		for _, b := range batches {
			q.Add(b)
		}
		if targets, _ := q.All(); len(targets) != 1 || targets[0] != (fenced{ban.All, 7}) {
			t.Errorf("%s: %v is owed, want everything with a fence of 7", name, targets)
		}
	}
}

func TestDeliver(t *testing.T) {
	q := New(all, longest, 10_000)
	for i := range 1200 {
		add(q, "k:"+strconv.Itoa(i))
	}
	var sizes []int
	refuse := errors.New("full")
	take := func(targets []target) error {
		if sizes = append(sizes, len(targets)); len(sizes) == 2 {
			return refuse
		}
		return nil
	}
	if settled, err := q.Deliver(take); settled || !errors.Is(err, refuse) {
		t.Errorf("a delivery that is refused: %v, %v", settled, err)
	}
	if settled, err := q.Deliver(take); !settled || err != nil {
		t.Errorf("the rest: %v, %v", settled, err)
	}
	if settled, err := q.Deliver(take); settled || err != nil {
		t.Errorf("nothing: %v, %v", settled, err)
	}
	if diff := cmp.Diff([]int{500, 500, 500, 200}, sizes); diff != "" {
		t.Errorf("sizes (-want +got):\n%s", diff)
	}
}

func TestDistinct(t *testing.T) {
	got := Distinct([]fenced{{"k:a", 1}, {"k:b", 0}, {"k:a", 3}, {"k:a", 2}, {"t:a", 0}}, longer)
	want := []fenced{{"k:a", 3}, {"k:b", 0}, {"t:a", 0}}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(fenced{})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// partError is an answer to an invalidation of which some targets are left.
type partError struct{ left []target }

func (partError) Error() string    { return "a part does not answer" }
func (e partError) Left() []target { return e.left }

// TestDeliverInPart: what a store has taken is paid, though it has not taken the
// rest; and however much is left, the others are handed over.
func TestDeliverInPart(t *testing.T) {
	q := New(all, longest, 10*batch)
	for i := range 4 * batch {
		add(q, "k:left-"+strconv.Itoa(i))
	}
	add(q, "k:a", "k:b")
	settled, err := q.Deliver(func(targets []target) error {
		var left []target
		for _, t := range targets {
			if strings.HasPrefix(string(t), "k:left-") {
				left = append(left, t)
			}
		}
		return partError{left}
	})
	if settled || !errors.As(err, new(partError)) {
		t.Errorf("Deliver: %v, %v", settled, err)
	}
	if q.Covers("a", nil) || q.Covers("b", nil) || q.Len() != 4*batch {
		t.Errorf("a: %v, b: %v, %d owed; want what is left", q.Covers("a", nil), q.Covers("b", nil), q.Len())
	}
	settled, err = q.Deliver(func([]target) error { return errors.New("nobody answers") })
	if settled || err == nil || q.Len() != 4*batch {
		t.Errorf("Deliver: %v, %v, %d owed", settled, err, q.Len())
	}
	if settled, err = q.Deliver(func([]target) error { return nil }); !settled || err != nil || q.Len() != 0 {
		t.Errorf("Deliver: %v, %v, %d owed", settled, err, q.Len())
	}
}
