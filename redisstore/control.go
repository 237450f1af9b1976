package redisstore

import (
	"strconv"
	"strings"

	"github.com/freshet-dev/freshet"
)

// control is the control record of a partition.
type control struct {
	incarnation uint64
	// version is that of the newest invalidation, banVersion of the newest by
	// anything but keys: only those concern stored entries, and so only those
	// make the processes fetch what is new.
	version, banVersion uint64
	// Bans older than the floors have been dropped from kb and tb. What was
	// loaded under a smaller stamp may have been covered by one of them.
	keyFloor, banFloor uint64
	// fenced is the version at which the last fence ends, longestFence what the
	// longest of them ever was, in microseconds.
	fenced, longestFence uint64
}

func (c control) stamp() freshet.Stamp {
	return freshet.Stamp{Incarnation: c.incarnation, Version: freshet.Version(c.version)}
}

// parseControl reads a control record as written by control.lua; false and
// nothing, not even a part, means that it is none.
func parseControl(s string) (c control, ok bool) {
	rest, ok := strings.CutPrefix(s, "f3:")
	if !ok {
		return control{}, false
	}
	for i, to := range [...]*uint64{&c.incarnation, &c.version, &c.banVersion, &c.keyFloor, &c.banFloor, &c.fenced, &c.longestFence} {
		field, after, found := strings.Cut(rest, ":")
		base := 10
		if i == 0 {
			base = 16
		}
		n, err := strconv.ParseUint(field, base, 64)
		if !found || err != nil {
			return control{}, false
		}
		*to, rest = n, after
	}
	return c, true
}

// hex16 formats an incarnation or a token as the scripts expect it.
func hex16(n uint64) string {
	const digits = "0123456789abcdef"
	var b [16]byte
	for i := range b {
		b[15-i] = digits[n&15]
		n >>= 4
	}
	return string(b[:])
}
