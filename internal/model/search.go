package model

import (
	"fmt"
	"hash/maphash"
	"time"
)

// model is a Config being searched.
type model struct {
	Config
	first, second maphash.Seed
}

// Result is what a search has found.
type Result struct {
	States      int // different ones
	Transitions int
	Depth       int // steps of the longest shortest history
	Elapsed     time.Duration
	// Stale is a shortest history at whose end somebody is answered with old
	// data, one numbered step a line; nil if there is none.
	Stale []string
}

// place is how a state was reached: by a step of the state before, which is the
// number nth of those that it can take.
type place struct{ before, nth int32 }

// Search walks through all states of c, those that need fewer steps first. States
// are told apart by 128 bits of hash.
func Search(c Config) Result {
	began := time.Now()
	m := &model{Config: c, first: maphash.MakeSeed(), second: maphash.MakeSeed()}
	initial := m.begin()
	known := map[[2]uint64]struct{}{m.digest(&initial): {}}
	places := []place{{-1, 0}}
	result := Result{}
	wave, at := []state{initial}, 0 // at is the place of wave[0]
	for len(wave) > 0 && result.Stale == nil {
		var next []state
		from := len(places)
		for w := range wave {
			nth := int32(0)
			m.steps(&wave[w], func(_ step, s state) {
				here := place{int32(at + w), nth}
				nth++
				result.Transitions++
				m.renumber(&s)
				d := m.digest(&s)
				if _, ok := known[d]; ok || result.Stale != nil {
					return
				}
				known[d] = struct{}{}
				places = append(places, here)
				next = append(next, s)
				if s.stale {
					result.Stale = m.history(places)
				}
			})
		}
		if len(next) > 0 {
			result.Depth++
		}
		wave, at = next, from
	}
	result.States, result.Elapsed = len(places), time.Since(began)
	return result
}

func (m *model) digest(s *state) [2]uint64 {
	return [2]uint64{maphash.Comparable(m.first, *s), maphash.Comparable(m.second, *s)}
}

// steps emits everything that can happen next, in an order of its own.
func (m *model) steps(s *state, emit func(step, state)) {
	for i, a := range m.Actors {
		if a.Role == Reader {
			m.readerSteps(s, i, emit)
		} else {
			m.writerSteps(s, i, emit)
		}
	}
	if m.Intents {
		m.recordSteps(s, emit)
	}
	if m.Lag {
		m.fenceSteps(s, emit)
	}
	m.faultSteps(s, emit)
}

// history tells how the last of places was reached, by going there again.
func (m *model) history(places []place) []string {
	var path []int32
	for p := places[len(places)-1]; p.before >= 0; p = places[p.before] {
		path = append(path, p.nth)
	}
	s := m.begin()
	var lines []string
	for n := len(path) - 1; n >= 0; n-- {
		var did step
		var then state
		nth := int32(0)
		m.steps(&s, func(d step, next state) {
			if nth == path[n] {
				did, then = d, next
			}
			nth++
		})
		s = then
		m.renumber(&s)
		lines = append(lines, fmt.Sprintf("%2d. %s", len(lines)+1, m.tell(did)))
	}
	return lines
}
