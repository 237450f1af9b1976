package rfc9111

import (
	"net/http"
	"strings"
	"time"
)

// Whole takes out of a request's header what may make the answer less than the whole,
// which is wanted to be stored: those conditions and that range are judged on it. What
// only the handler can judge stays (RFC 9111, section 4.3.2).
func Whole(h http.Header) {
	for _, name := range [...]string{"If-None-Match", "If-Modified-Since", "Range", "If-Range"} {
		delete(h, name)
	}
}

// Selective reports whether r has conditions that a cache judges, or asks for a part:
// all others get the answer as it is.
func Selective(r *http.Request) bool {
	h := r.Header
	return h["If-None-Match"] != nil || h["If-Modified-Since"] != nil || h["Range"] != nil
}

// NotModified reports whether the conditions of r say that the client already has the
// answer with the header h, which must be a 200 or a 206 (RFC 9111, section 4.3.2; RFC
// 9110, sections 13.1.2, 13.1.3 and 13.2.2). Only to GET and HEAD is that an answer, and
// to a QUERY about its tag (RFC 10008). A condition that cannot be read
// makes for the whole answer.
func NotModified(r *http.Request, h http.Header) bool {
	get := r.Method == http.MethodGet || r.Method == http.MethodHead
	if !get && r.Method != "QUERY" {
		return false
	}
	if lines := r.Header["If-None-Match"]; lines != nil {
		// Whatever it says, it goes before the date.
		list := strings.Join(lines, ",")
		return trim(list) == "*" || listed(list, only(h, "Etag"))
	}
	since, ok := dateIn(r.Header, "If-Modified-Since")
	if !ok || !get {
		return false
	}
	if h["Last-Modified"] != nil {
		modified, ok := dateIn(h, "Last-Modified")
		return ok && !modified.After(since)
	}
	// The answer was made on its Date. Stricter than section 4.3.2, which lets the
	// same second do: what changed later in that second would never reach a client
	// that has the answer from earlier in it.
	made, ok := dateIn(h, "Date")
	return ok && made.Before(since)
}

// WriteNotModified sends a 304 with the header in place, less what describes the
// content that is not sent (RFC 9110, section 15.4.5). What is no metadata of the
// representation stays, Age and the like of middleware in front.
func WriteNotModified(w http.ResponseWriter) {
	h := w.Header()
	for _, name := range [...]string{
		"Content-Type", "Content-Length", "Content-Encoding", "Content-Language", "Content-Range",
		"Content-Digest", "Repr-Digest", "Digest", "Content-Md5",
	} {
		delete(h, name)
	}
	if h["Etag"] != nil {
		// The better validator is enough.
		delete(h, "Last-Modified")
	}
	w.WriteHeader(http.StatusNotModified)
}

// only returns the value of a field that stands in h on one line, and nothing of one
// that is repeated: nobody can say which line was meant.
func only(h http.Header, name string) string {
	if lines := h[name]; len(lines) == 1 {
		return trim(lines[0])
	}
	return ""
}

// dateIn reads the date in a field that stands in h once.
func dateIn(h http.Header, name string) (time.Time, bool) {
	return ParseDate(only(h, name), time.Now())
}

// trim takes the optional white space off both ends (RFC 9110, section 5.6.3).
func trim(s string) string { return strings.Trim(s, " \t") }

// listed reports whether a list of entity tags holds etag, by the weak comparison
// (RFC 9110, section 8.8.3.2). A list that is malformed anywhere holds nothing.
func listed(list, etag string) bool {
	ours, rest := cutTag(etag)
	if ours == "" || rest != "" {
		return false
	}
	found := false
	for {
		list = strings.TrimLeft(list, " \t,")
		if list == "" {
			return found
		}
		tag, rest := cutTag(list)
		list = strings.TrimLeft(rest, " \t")
		if tag == "" || list != "" && list[0] != ',' {
			return false
		}
		found = found || tag == ours
	}
}

// cutTag splits the entity tag that s begins with from the rest, without its mark of
// weakness; tag is empty where there is none (RFC 9110, section 8.8.3).
func cutTag(s string) (tag, rest string) {
	s = strings.TrimPrefix(s, "W/")
	if s == "" || s[0] != '"' {
		return "", s
	}
	for i := 1; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"':
			return s[:i+1], s[i+1:]
		case c <= ' ' || c == 0x7f:
			return "", s
		}
	}
	return "", s
}

// strong returns the entity tag in h if it is a strong one, and nothing otherwise.
func strong(h http.Header) string {
	etag := only(h, "Etag")
	if tag, rest := cutTag(etag); rest != "" || tag != etag {
		return ""
	}
	return etag
}

// sure is how much older than its answer a modification has to be, to be told for
// certain from another in the same second, though two clocks may have set the dates.
const sure = time.Minute

// unchanged reports whether r may have a part of the answer with the header h as far
// as its If-Range is concerned (RFC 9110, section 13.1.5). What cannot be read, and
// weak validators, make for the whole answer.
func unchanged(r *http.Request, h http.Header) bool {
	if r.Header["If-Range"] == nil {
		return true
	}
	condition := only(r.Header, "If-Range")
	if strings.HasPrefix(condition, `"`) {
		return condition == strong(h)
	}
	// A date is a strong validator if it is a good deal older than the answer
	// (section 8.8.2.2).
	modified, dated := dateIn(h, "Last-Modified")
	made, ok := dateIn(h, "Date")
	return ok && dated && condition == only(h, "Last-Modified") && made.Sub(modified) >= sure
}
