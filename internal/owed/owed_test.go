package owed

import (
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	"pgregory.net/rapid"

	"github.com/freshet-dev/freshet/internal/ban"
)

// target is a member of a ban map as it is.
type target string

func (t target) Member() string { return string(t) }

const all = target(ban.All)

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
			q := New(all, 10)
			if c.owed != "" {
				add(q, c.owed)
			}
			if got := q.Covers(c.key, c.tags); got != c.want {
				t.Errorf("Covers is %v, want %v", got, c.want)
			}
			targets, number := q.Batch(10)
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
	q := New(all, 10)
	add(q, "k:a", "k:b")
	targets, number := q.Batch(10)
	add(q, "k:a")
	if q.Pay(targets, number) {
		t.Error("Pay reports that nothing is owed")
	}
	if !q.Covers("a", nil) || q.Covers("b", nil) || q.Len() != 1 {
		t.Errorf("a: %v, b: %v, %d owed; want a alone", q.Covers("a", nil), q.Covers("b", nil), q.Len())
	}
	targets, number = q.Batch(10)
	if !q.Pay(targets, number) || q.Covers("a", nil) {
		t.Error("the second payment has not settled it")
	}
}

func TestTransitions(t *testing.T) {
	q := New(all, 10)
	if !add(q, "k:a") || add(q, "k:b") {
		t.Error("only the first Add finds nothing owed")
	}
	for i, last := range []bool{false, true} {
		targets, number := q.Batch(1)
		if len(targets) != 1 || q.Pay(targets, number) != last {
			t.Errorf("payment %d of %v: want one target, last: %v", i, targets, last)
		}
	}
	if !add(q, "k:c") {
		t.Error("Add after the last payment does not find it empty")
	}
}

func TestCounts(t *testing.T) {
	q := New(all, 10)
	add(q, "k:a")
	add(q, "k:a")
	targets, number := q.Batch(10)
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
			q := New(all, 20)
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
			targets, number := q.Batch(100)
			if !q.Pay(targets, number) || q.Covers("anything", []string{"49"}) {
				t.Error("the payment has not settled it")
			}
		})
	}
}

// TestOverflowWhilePaying: a payment from before the overflow does not settle
// what the overflow has put in its place.
func TestOverflowWhilePaying(t *testing.T) {
	q := New(all, 2)
	add(q, "k:a", "k:b")
	targets, number := q.Batch(10)
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
	q := New(all, 3)
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
		targets, number := q.Batch(3)
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
		q, model := New(all, 100), map[string]bool{}
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
				batch, number = q.Batch(rapid.IntRange(1, 3).Draw(t, "most"))
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
