package memo

import (
	"crypto/sha256"
	"encoding/binary"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func id(i int) [32]byte { return sha256.Sum256(binary.AppendVarint(nil, int64(i))) }

func TestKinds(t *testing.T) {
	var m Memo
	if m.Has(id(1), Failing) {
		t.Error("an empty memo has a verdict")
	}
	m.Note(id(1), Failing, time.Minute)
	if !m.Has(id(1), Failing) || m.Has(id(1), Uncacheable) || m.Has(id(2), Failing) {
		t.Error("what was noted of one identity and kind is not there, or of another is")
	}
}

func TestTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var m Memo
		m.Note(id(1), Failing, 2*time.Second)
		m.Note(id(2), Failing, 2*time.Second)
		time.Sleep(2*time.Second - time.Nanosecond)
		if !m.Has(id(1), Failing) {
			t.Error("forgotten too early")
		}
		m.Note(id(2), Failing, time.Second)
		time.Sleep(time.Nanosecond)
		if m.Has(id(1), Failing) {
			t.Error("not forgotten in time")
		}
		if !m.Has(id(2), Failing) {
			t.Error("a second note does not last longer than the first")
		}
		m.Note(id(2), Failing, 0)
		if m.Has(id(2), Failing) {
			t.Error("not taken back")
		}
	})
}

// TestLimit: the newest verdicts stay, and no more is held than the limit.
func TestLimit(t *testing.T) {
	var m Memo
	const n = 4 * Limit
	for i := range n {
		m.Note(id(i), Kind(i%2), time.Hour)
		if !m.Has(id(i), Kind(i%2)) {
			t.Fatalf("verdict %d is forgotten at once", i)
		}
	}
	held, found := 0, 0
	for i := range m.shards {
		s := &m.shards[i]
		held += len(s.index)
		if len(s.index) != len(s.verdicts) {
			t.Errorf("shard %d has %d verdicts, and %d in its index", i, len(s.verdicts), len(s.index))
		}
	}
	for i := n - Limit/2; i < n; i++ {
		if m.Has(id(i), Kind(i%2)) {
			found++
		}
	}
	if held > Limit || held < Limit*9/10 {
		t.Errorf("%d verdicts are held, want about %d and no more", held, Limit)
	}
	if found != Limit/2 {
		t.Errorf("%d of the newest %d are held", found, Limit/2)
	}
}

// TestConcurrent is for the race detector.
func TestConcurrent(t *testing.T) {
	var m Memo
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 5000 {
				m.Note(id(i), Failing, time.Hour)
				if i > 0 && g == 0 && !m.Has(id(i), Failing) {
					t.Errorf("verdict %d is missing", i)
				}
			}
		})
	}
	wg.Wait()
}

func BenchmarkHas(b *testing.B) {
	var m Memo
	for i := range Limit {
		m.Note(id(i), Failing, time.Hour)
	}
	one := id(7)
	b.ReportAllocs()
	for b.Loop() {
		m.Has(one, Failing)
	}
}

// TestTakingBackTakesNoRoom: what is taken back without having been noted is in
// nobody's way.
func TestTakingBackTakesNoRoom(t *testing.T) {
	var m Memo
	m.Note(id(-1), Uncacheable, time.Minute)
	for i := range 2 * Limit {
		m.Note(id(i), Failing, 0)
	}
	if !m.Has(id(-1), Uncacheable) {
		t.Error("a verdict has given way to nothing")
	}
}
