// Package audit runs handlers again behind the back of a cache, to find out
// whether what it serves is what they would answer.
package audit

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync/atomic"
	"time"

	"github.com/freshet-dev/freshet/internal/capture"
)

const (
	// atOnce is how many audits there are at a time. It bounds what they cost
	// the handlers; a hit that finds all of them busy is not audited.
	atOnce = 4
	// runLimit ends a handler that takes too long. Its answer then counts for
	// nothing.
	runLimit = 30 * time.Second
	// defaultGrace is longer than a store takes to carry out what a process that
	// has died left on record.
	defaultGrace = 15 * time.Second
	// closeLimit is for handlers that do not end with their context.
	closeLimit = time.Second
	// firstPause and longestPause lie between two looks for an invalidation.
	firstPause   = 20 * time.Millisecond
	longestPause = time.Second
)

// Verdict is what an audit comes to.
type Verdict uint8

// The verdicts.
const (
	Fresh     Verdict = iota // the handler answers the same
	Overtaken                // it does not, and the store would not serve the entry any more
	Unsteady                 // it does not answer the same twice, or fails
	Violation                // it steadily answers something else than the store goes on serving
	verdicts                 // not a verdict
)

var verdictNames = [verdicts]string{"fresh", "overtaken", "unsteady", "violation"}

// String returns the verdict in lower case.
func (v Verdict) String() string { return verdictNames[v] }

// Subject is one hit.
type Subject struct {
	// Request is what was answered, Header what stood in the answer's header
	// before. Neither may be in use any more.
	Request *http.Request
	Header  http.Header
	Served  capture.Answer
	// Handler makes the answer anew, of at most Limit bytes.
	Handler http.Handler
	Limit   int64
	// Same reports whether a request still asks for what was served. Some routers
	// use what they keep in a request's context again for the next one.
	Same func(*http.Request) bool
	// Stands reports whether the store would serve the same entry now.
	Stands func(context.Context) bool
	// Ended is told the verdict, and for a violation in what the answers differ.
	Ended func(ctx context.Context, v Verdict, parts []string)
}

// Auditor audits some hits. Its methods may be called concurrently.
type Auditor struct {
	fraction float64
	grace    time.Duration
	counts   [verdicts]atomic.Uint64
	busy     chan struct{}

	life context.Context // ends with Close
	end  context.CancelFunc
}

// New returns an auditor of a fraction of all hits, nil if that is 0. grace is how
// long after a change its invalidation may come, 0 for the default.
func New(fraction float64, grace time.Duration) (*Auditor, error) {
	switch {
	case fraction == 0 && grace == 0:
		return nil, nil
	case !(fraction > 0 && fraction <= 1): // so that NaN is refused
		return nil, fmt.Errorf("freshet: Audit.Fraction is %v: use more than 0 and at most 1", fraction)
	case grace < 0:
		return nil, fmt.Errorf("freshet: Audit.Grace is %v: use a positive time, or 0 for %v", grace, defaultGrace)
	case grace == 0:
		grace = defaultGrace
	}
	a := &Auditor{fraction: fraction, grace: grace, busy: make(chan struct{}, atOnce)}
	a.life, a.end = context.WithCancel(context.Background())
	return a, nil
}

// Sample reports whether a hit is to be audited. If so, Audit has to be called.
func (a *Auditor) Sample() bool {
	if rand.Float64() >= a.fraction || a.life.Err() != nil {
		return false
	}
	select {
	case a.busy <- struct{}{}:
		return true
	default:
		return false
	}
}

// Audit audits a hit in background. It returns at once.
func (a *Auditor) Audit(s Subject) {
	// A copy, made while the request is still there.
	s.Request = again(context.WithoutCancel(s.Request.Context()), s.Request)
	go func() {
		defer func() { <-a.busy }()
		v, parts := a.judge(s)
		if a.life.Err() != nil {
			return // whatever it is, it comes of the end
		}
		a.counts[v].Add(1)
		s.Ended(a.life, v, parts)
	}()
}

// Close ends the audits that are under way, without a verdict. It does not wait
// long for a handler that goes on nevertheless; the store is not asked any more.
// A nil Auditor can be closed, and has counted nothing.
func (a *Auditor) Close() {
	if a == nil || a.life.Err() != nil {
		return
	}
	a.end()
	late := time.After(closeLimit)
	for range atOnce { // who has all of them is alone, and stays so
		select {
		case a.busy <- struct{}{}:
		case <-late:
			return
		}
	}
}

// Counts returns how many audits have ended so far, by verdict.
func (a *Auditor) Counts() (c Counts) {
	if a != nil {
		c.Fresh, c.Overtaken = a.counts[Fresh].Load(), a.counts[Overtaken].Load()
		c.Unsteady, c.Violations = a.counts[Unsteady].Load(), a.counts[Violation].Load()
	}
	return c
}

// judge tells a hit that should not have been from the many that differ from what
// the handler answers for a good reason:
//
//  1. an entry is served
//  2. a change is committed
//  3. the handler runs, and answers something else
//  4. the invalidation of 2 returns
//
// Nothing is wrong here: 1 came before 4. So when 3 differs, there is time for 4,
// and only what the store would serve even after that is a violation. A store that
// would serve it although 4 has come is wrong itself: it is asked for the entry,
// and not whether an invalidation covers it, so that this is found, too.
//
// What is new in each answer, a random number or the time, is no data. So only
// that counts which is the same in three runs, the second right after the first
// and the third after the time of grace, lest a clock's second be taken for data.
func (a *Auditor) judge(s Subject) (Verdict, []string) {
	first, ok := a.run(s)
	if !ok {
		return Unsteady, nil
	}
	suspect := Differences(s.Served, first)
	if len(suspect) == 0 {
		return Fresh, nil
	}
	for _, wait := range [...]time.Duration{0, a.grace} {
		if !a.stands(s, wait) {
			return Overtaken, nil
		}
		next, ok := a.run(s)
		changed := Differences(first, next)
		suspect = slices.DeleteFunc(suspect, func(part string) bool { return slices.Contains(changed, part) })
		switch {
		case !a.stands(s, 0):
			return Overtaken, nil
		case !ok, slices.Contains(changed, Body), slices.Contains(changed, Status):
			return Unsteady, nil
		case len(suspect) == 0: // a field that is new each time, around the same body
			return Fresh, nil
		}
	}
	return Violation, suspect
}

// run runs the handler once, under the values of the request's context.
func (a *Auditor) run(s Subject) (capture.Answer, bool) {
	ctx, cancel := context.WithTimeout(s.Request.Context(), runLimit)
	defer cancel()
	defer context.AfterFunc(a.life, cancel)()
	r := again(context.WithValue(ctx, runningKey{}, true), s.Request)
	// The handler gets a copy, since it may change the request. When it has ended
	// the request must still be the same: otherwise it may have been another one
	// that it has answered.
	answer, ok := run(s.Handler, again(r.Context(), r), s.Header, s.Limit)
	return answer, ok && s.Same(r)
}

type runningKey struct{}

// Running reports whether ctx is of a handler that is being run again: nothing in
// it should be answered from a cache. The answer of a nil Auditor is no.
func (a *Auditor) Running(ctx context.Context) bool {
	return a != nil && ctx.Value(runningKey{}) != nil
}

// stands reports whether the store would still serve the entry after a time.
func (a *Auditor) stands(s Subject, wait time.Duration) bool {
	end := time.Now().Add(wait)
	for pause := firstPause; a.life.Err() == nil && s.Stands(a.life); pause = min(2*pause, longestPause) {
		left := time.Until(end)
		if left <= 0 {
			return true
		}
		select {
		case <-time.After(min(pause, left)):
		case <-a.life.Done():
		}
	}
	return false
}
