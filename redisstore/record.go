package redisstore

import (
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/freshet-dev/freshet"
)

// What is on record in wi is to be invalidated some time. Its score is when, by
// the server's clock, and its member "kind:begun:token:targets": records.lua has
// the kinds.
const (
	kindIntent = 'i'
	// notBegun stands for the time at which the script runs.
	notBegun = "?"

	// Targets that take more than longestTargets bytes are recorded as All, so
	// that no member is of unbounded length.
	longestTargets = 64 << 10
)

// records is what a call of record.lua or invalidate.lua changes in wi.
type records struct {
	ended []string // whose writes have ended
	done  []string // that have been carried out
	added []string // or put off: they fall due after the deadline
}

func (r records) empty() bool { return len(r.ended)+len(r.done)+len(r.added) == 0 }

// args returns the arguments that records.lua takes.
func (r records) args(deadline time.Duration) []string {
	args := []string{
		micros(deadline), strconv.Itoa(len(r.ended)), strconv.Itoa(len(r.done)), strconv.Itoa(len(r.added)),
	}
	return append(append(append(args, r.ended...), r.done...), r.added...)
}

func micros(d time.Duration) string { return strconv.FormatInt(d.Microseconds(), 10) }

// intentMember returns the record of a write. token is 16 hexadecimal digits that
// no other has.
func intentMember(begun, token string, targets []freshet.Target) string {
	return string(kindIntent) + ":" + begun + ":" + token + ":" + encodeTargets(targets)
}

// targetsOf returns what a member is about. One that cannot be read may be about
// anything.
func targetsOf(member string) []freshet.Target {
	parts := strings.SplitN(member, ":", 4)
	if len(parts) == 4 {
		if targets, err := decodeTargets(parts[3]); err == nil {
			return targets
		}
	}
	return []freshet.Target{freshet.All()}
}

// kindLetters are how the kinds of targets are written, by their number.
const kindLetters = "ktp*"

// softLetter stands after that of the kind of a soft target. Programs that do not know
// it take the record to be about anything.
const softLetter = '?'

// encodeTargets writes each target as its letter, a question mark if it is soft, the
// milliseconds of its fence if it has one, a comma, the length of its value, a colon,
// and the value: "k,14:post_cache:123t5000,5:org:1t?,6:user:7".
func encodeTargets(targets []freshet.Target) string {
	var b []byte
	for _, t := range targets {
		b = append(b, kindLetters[t.Kind])
		if t.Soft {
			b = append(b, softLetter)
		}
		if ms := fenceMillis(t); ms > 0 {
			b = strconv.AppendInt(b, ms, 10)
		}
		b = append(b, ',')
		b = strconv.AppendInt(b, int64(len(t.Value)), 10)
		b = append(append(b, ':'), t.Value...)
	}
	if len(b) > longestTargets {
		return encodeTargets([]freshet.Target{freshet.All().FenceFor(longestFence(targets))})
	}
	return string(b)
}

// fenceMillis returns the fence of t, rounded up.
func fenceMillis(t freshet.Target) int64 {
	return int64((t.Fence + time.Millisecond - 1) / time.Millisecond)
}

func longestFence(targets []freshet.Target) (longest time.Duration) {
	for _, t := range targets {
		longest = max(longest, t.Fence)
	}
	return longest
}

var errRecord = errors.New("a record of freshet is of unknown form")

// decodeTargets reads what encodeTargets has written.
func decodeTargets(text string) ([]freshet.Target, error) {
	var targets []freshet.Target
	for text != "" {
		kind := strings.IndexByte(kindLetters, text[0])
		rest, soft := strings.CutPrefix(text[1:], string(softLetter))
		fence, rest, ok := strings.Cut(rest, ",")
		size, rest, sized := strings.Cut(rest, ":")
		ms, err := strconv.ParseUint("0"+fence, 10, 31)
		n, sizeErr := strconv.ParseUint(size, 10, 31)
		if kind < 0 || !ok || !sized || err != nil || sizeErr != nil || uint64(len(rest)) < n {
			return nil, errRecord
		}
		targets = append(targets, freshet.Target{
			Kind: freshet.TargetKind(kind), Value: rest[:n], Fence: time.Duration(ms) * time.Millisecond, Soft: soft,
		})
		text = rest[n:]
	}
	return targets, nil
}
