// Package access writes the access log: one line for each answer, in the form of
// JSON, or of what web servers call the common and the combined log format. What
// clients send stands in it escaped, so that none of it can be taken for a line or a
// field of its own.
package access

import (
	"fmt"
	"strconv"
	"time"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// Record is what is logged of one answer.
type Record struct {
	Time      time.Time // when the request came
	Took      time.Duration
	Client    string // its address
	Method    string
	Scheme    string
	Host      string
	Path      string // as the client has spelt it
	Query     string // without the question mark; left out unless the log is told to keep it
	Proto     string // HTTP/1.1
	Status    int    // 0 if there was no answer
	Bytes     int64  // of the body
	Cache     string // hit, stale, miss, bypass, or - for what did not reach the cache
	Upstream  string // the server that has answered, if one was asked
	ID        string // of the request
	Referer   string
	UserAgent string
	Aborted   bool // the answer was not sent to its end
}

// Format is how a line looks.
type Format string

// The formats. The zero value is no log.
const (
	None     Format = ""
	JSON     Format = "json"
	Common   Format = "common"
	Combined Format = "combined"
)

// line returns the record as a line, with its end.
func (f Format) line(buf []byte, r *Record) []byte {
	if f == JSON {
		return r.json(buf)
	}
	return r.common(buf, f == Combined)
}

// json writes one object. The names are those of docs/gateway.md; they do not change.
func (r *Record) json(buf []byte) []byte {
	buf = append(buf, `{"time":"`...)
	buf = r.Time.UTC().AppendFormat(buf, "2006-01-02T15:04:05.000Z07:00")
	buf = append(buf, '"')
	for _, f := range [...]struct{ name, value string }{
		{"client", r.Client}, {"method", r.Method}, {"scheme", r.Scheme}, {"host", r.Host}, {"path", r.Path}, {"query", r.Query}, {"proto", r.Proto},
	} {
		buf = text(buf, f.name, f.value)
	}
	buf = append(buf, `,"status":`...)
	buf = strconv.AppendInt(buf, int64(r.Status), 10)
	buf = append(buf, `,"bytes":`...)
	buf = strconv.AppendInt(buf, r.Bytes, 10)
	buf = append(buf, `,"duration_ms":`...)
	buf = strconv.AppendFloat(buf, float64(r.Took.Microseconds())/1000, 'f', 3, 64)
	for _, f := range [...]struct{ name, value string }{
		{"cache", r.Cache}, {"upstream", r.Upstream}, {"request_id", r.ID}, {"referer", r.Referer}, {"user_agent", r.UserAgent},
	} {
		buf = text(buf, f.name, f.value)
	}
	if r.Aborted {
		buf = append(buf, `,"aborted":true`...)
	}
	return append(buf, "}\n"...)
}

// text writes a member whose value is a string; an empty one is left out.
func text(buf []byte, name, value string) []byte {
	if value == "" {
		return buf
	}
	buf = append(buf, ',', '"')
	buf = append(buf, name...)
	buf = append(buf, `":`...)
	for i := range len(value) {
		if c := value[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			return append(quoted(append(buf, '"'), value), '"')
		}
	}
	buf = append(buf, '"')
	buf = append(buf, value...)
	return append(buf, '"')
}

// quoted writes value as the inside of a JSON string. encoding/json leaves control
// characters beyond ASCII as they are, to which terminals listen.
func quoted(buf []byte, value string) []byte {
	for _, c := range value { // what is not UTF-8 becomes U+FFFD
		switch {
		case c == '"' || c == '\\':
			buf = append(buf, '\\', byte(c))
		case unicode.IsPrint(c):
			buf = utf8.AppendRune(buf, c)
		default:
			for _, half := range utf16.AppendRune(nil, c) {
				buf = fmt.Appendf(buf, `\u%04x`, half)
			}
		}
	}
	return buf
}

// common writes the Common Log Format, or the combined one of Apache and nginx.
func (r *Record) common(buf []byte, combined bool) []byte {
	buf = escaped(buf, r.Client)
	buf = append(buf, " - - ["...)
	buf = r.Time.AppendFormat(buf, "02/Jan/2006:15:04:05 -0700")
	buf = append(buf, `] "`...)
	buf = escaped(buf, r.Method)
	buf = append(buf, ' ')
	buf = escaped(buf, r.Path)
	if r.Query != "" {
		buf = append(buf, '?')
		buf = escaped(buf, r.Query)
	}
	buf = append(buf, ' ')
	buf = append(buf, r.Proto...)
	buf = append(buf, `" `...)
	buf = strconv.AppendInt(buf, int64(r.Status), 10)
	buf = append(buf, ' ')
	buf = strconv.AppendInt(buf, r.Bytes, 10)
	if combined {
		buf = append(buf, ` "`...)
		buf = escaped(buf, r.Referer)
		buf = append(buf, `" "`...)
		buf = escaped(buf, r.UserAgent)
		buf = append(buf, '"')
	}
	return append(buf, '\n')
}

// escaped writes value, "-" if it is empty, as Apache does: quotes and backslashes
// behind a backslash, what is not printable ASCII as \xhh.
func escaped(buf []byte, value string) []byte {
	const hex = "0123456789abcdef"
	if value == "" {
		return append(buf, '-')
	}
	for i := range len(value) {
		switch c := value[i]; {
		case c < ' ' || c > '~':
			buf = append(buf, '\\', 'x', hex[c>>4], hex[c&15])
		case c == '"' || c == '\\':
			buf = append(buf, '\\', c)
		default:
			buf = append(buf, c)
		}
	}
	return buf
}
