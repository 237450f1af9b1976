package main

import (
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// clients is how many share the hits. More of them let a stalled server be noticed
// by more requests, as it would be by those of an API.
const clients = 8

// sample is one hit.
type sample struct {
	due  time.Time
	took time.Duration
}

// window is a span of time.
type window struct{ begin, end time.Time }

// stream is a steady rate of hits on the posts of user 0.
type stream struct {
	stop    atomic.Bool
	all     sync.WaitGroup
	samples [clients][]sample
	errs    [clients]error
}

var errMiss = errors.New("an entry that no pattern covers was missed")

// hit starts a stream.
func (s *subject) hit(rate int) *stream {
	st := new(stream)
	// Loaded first: what is measured are hits.
	_, err := s.read(0)
	every := clients * time.Second / time.Duration(rate)
	for i := range clients {
		st.errs[i] = err
		due := time.Now().Add(every * time.Duration(i) / clients)
		st.all.Go(func() {
			for ; st.errs[i] == nil && !st.stop.Load(); due = due.Add(every) {
				st.errs[i] = st.one(s, i, due)
			}
		})
	}
	return st
}

// one makes the hit that is due. It counts from when it was due if the one before
// has kept it, so that those that a stall has kept waiting count as slow; but what
// a timer of the machine is late is nothing that Redis could help.
func (st *stream) one(s *subject, client int, due time.Time) error {
	if wait := time.Until(due); wait > 0 {
		time.Sleep(wait)
		due = time.Now()
	}
	hit, err := s.get(0, client%perUser)
	if err == nil && !hit {
		err = errMiss
	}
	st.samples[client] = append(st.samples[client], sample{due, time.Since(due)})
	return err
}

// end ends the stream.
func (st *stream) end() error {
	st.stop.Store(true)
	st.all.Wait()
	return errors.Join(st.errs[:]...)
}

// within returns the latencies of the hits that were going on in a window.
func (st *stream) within(windows []window) latencies {
	var found latencies
	for _, samples := range st.samples {
		for _, s := range samples {
			done := s.due.Add(s.took)
			if slices.ContainsFunc(windows, func(w window) bool { return s.due.Before(w.end) && w.begin.Before(done) }) {
				found = append(found, s.took)
			}
		}
	}
	slices.Sort(found)
	return found
}

// latencies are sorted.
type latencies []time.Duration

// at returns the latency that a share of the hits does not exceed.
func (l latencies) at(share float64) time.Duration {
	if len(l) == 0 {
		return 0
	}
	return l[min(len(l)-1, int(share*float64(len(l))))]
}

// median returns the middle one, of an even number the later.
func median(all []time.Duration) time.Duration {
	slices.Sort(all)
	return latencies(all).at(0.5)
}
