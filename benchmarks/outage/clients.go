package main

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/freshet-dev/freshet/internal/redistest"
)

// sample is one request.
type sample struct {
	due   time.Duration // since the measuring began
	took  time.Duration // from then to the end of the answer
	write bool
	hit   bool
	stale bool // older than a change that had been answered before
	err   error
}

// span is a time in which Redis was frozen, since the measuring began.
type span struct{ from, to time.Duration }

// clients ask one API.
type clients struct {
	address string
	http    *http.Client
	// changed is the newest answered change of each row.
	changed []atomic.Int64
}

// measure asks an API for three phases, and freezes Redis in the second.
func (p plan) measure(redis *redistest.Server) ([]sample, span, error) {
	address, stop, err := startAPI(redis.Addr)
	if err != nil {
		return nil, span{}, err
	}
	c := &clients{address: address, changed: make([]atomic.Int64, p.keys),
		http: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 1000}}}
	// Everything is a hit when it begins.
	for id := range p.keys {
		if s := c.ask(id, false); s.err != nil {
			return nil, span{}, errors.Join(s.err, stop())
		}
	}
	begun := time.Now()
	var frozen span
	var freezing sync.WaitGroup
	freezing.Go(func() {
		time.Sleep(p.phase)
		frozen.from = time.Since(begun)
		redis.Freeze()
		time.Sleep(p.phase)
		redis.Thaw()
		frozen.to = time.Since(begun)
	})
	samples := p.send(c, begun)
	freezing.Wait()
	return samples, frozen, stop()
}

// send sends every request when it is due.
func (p plan) send(c *clients, begun time.Time) []sample {
	samples := make([]sample, int(3*p.phase.Seconds()*float64(p.rate)))
	var all sync.WaitGroup
	for i := range samples {
		due := time.Duration(i) * time.Second / time.Duration(p.rate)
		time.Sleep(time.Until(begun.Add(due)))
		all.Go(func() {
			s := c.ask(i%p.keys, i%p.writes == p.writes-1)
			s.due, s.took = due, time.Since(begun)-due
			samples[i] = s
		})
	}
	all.Wait()
	return samples
}

// ask sends one request.
func (c *clients) ask(id int, write bool) sample {
	s := sample{write: write}
	method := http.MethodGet
	if write {
		method = http.MethodPut
	}
	least := c.changed[id].Load()
	request, err := http.NewRequest(method, "http://"+c.address+"/items/"+strconv.Itoa(id), nil)
	if err != nil {
		s.err = err
		return s
	}
	row, status, err := c.exchange(request)
	s.hit, s.stale, s.err = strings.Contains(status, "; hit"), row < least, err
	if write {
		c.raise(id, row)
	}
	return s
}

func (c *clients) exchange(request *http.Request) (row int64, status string, err error) {
	answer, err := c.http.Do(request)
	if err != nil {
		return 0, "", err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		return 0, "", err
	}
	if answer.StatusCode != http.StatusOK {
		return 0, "", fmt.Errorf("%s %s: %s", request.Method, request.URL, answer.Status)
	}
	row, err = strconv.ParseInt(string(body), 10, 64)
	return row, answer.Header.Get("Cache-Status"), err
}

// raise notes an answered change.
func (c *clients) raise(id int, row int64) {
	for {
		known := c.changed[id].Load()
		if known >= row || c.changed[id].CompareAndSwap(known, row) {
			return
		}
	}
}
