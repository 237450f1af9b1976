package rfc9111

import (
	"strconv"
	"strings"
	"time"
)

// CacheName is how the cache calls itself in Cache-Status (RFC 9211).
const CacheName = "freshet"

// Status is the member of a Cache-Status field (RFC 9211, section 2). Either Hit or
// Forward is set.
type Status struct {
	Hit     bool          // answered from what was stored
	TTL     time.Duration // of a Hit: how much longer it is fresh; negative once it is stale
	Forward string        // why the request went on to its handler
	// ForwardStatus is the status that the handler answered with, where it is not the one
	// that is sent; else 0.
	ForwardStatus int
	Stored        bool     // the answer is kept
	Collapsed     bool     // the answer is shared with another request
	Detail        []string // anything else, for people
}

// String returns the member as it is sent.
func (s *Status) String() string {
	var b strings.Builder
	if s.Hit {
		b.WriteString(HitStatus(s.TTL))
	} else {
		b.WriteString(CacheName + "; fwd=" + s.Forward)
	}
	if s.ForwardStatus != 0 {
		b.WriteString("; fwd-status=" + strconv.Itoa(s.ForwardStatus))
	}
	if s.Stored {
		b.WriteString("; stored")
	}
	if s.Collapsed {
		b.WriteString("; collapsed")
	}
	if len(s.Detail) > 0 {
		b.WriteString("; detail=" + quoted(strings.Join(s.Detail, ", ")))
	}
	return b.String()
}

// HitStatus is the member for a hit; ttl is how much longer the entry is fresh.
func HitStatus(ttl time.Duration) string {
	buf := make([]byte, 0, 40)
	buf = append(buf, CacheName+"; hit; ttl="...)
	return string(strconv.AppendInt(buf, int64(ttl/time.Second), 10))
}

// quoted returns text as a String of RFC 9651, section 3.3.3. What a String
// cannot hold is left out.
func quoted(text string) string {
	buf := make([]byte, 0, len(text)+2)
	buf = append(buf, '"')
	for i := range len(text) {
		switch c := text[i]; {
		case c < ' ' || c > '~':
		case c == '"' || c == '\\':
			buf = append(buf, '\\', c)
		default:
			buf = append(buf, c)
		}
	}
	return string(append(buf, '"'))
}
