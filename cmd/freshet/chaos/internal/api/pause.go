package api

import (
	"math/rand/v2"
	"time"
)

// Pauses are injected into handlers where timing matters most: after a read has
// seen its rows, and between a write's commit and its end. The zero value never
// pauses.
type Pauses struct {
	// Share of the handlers that pause, 0 to 1.
	Share float64
	// Longest is the longest pause; shorter ones are more frequent.
	Longest time.Duration
}

func (p Pauses) pause() {
	if p.Share == 0 || rand.Float64() >= p.Share {
		return
	}
	x := rand.Float64()
	time.Sleep(time.Duration(x * x * float64(p.Longest)))
}
