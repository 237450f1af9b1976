package access

import (
	"io"
	"net/http"
	"strings"
)

// Recorder is a ResponseWriter that takes down what is sent.
type Recorder struct {
	http.ResponseWriter
	Status int   // 0 before an answer begins
	Bytes  int64 // of the body
}

// Unwrap is for http.ResponseController.
func (w *Recorder) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// WriteHeader takes the final status down; interim ones are followed by another. 101
// is final.
func (w *Recorder) WriteHeader(status int) {
	if w.Status == 0 && (status >= 200 || status == http.StatusSwitchingProtocols) {
		w.Status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

// Write takes down how much is written.
func (w *Recorder) Write(p []byte) (int, error) {
	w.begin()
	n, err := w.ResponseWriter.Write(p)
	w.Bytes += int64(n)
	return n, err
}

// WriteString is Write without a copy.
func (w *Recorder) WriteString(s string) (int, error) {
	w.begin()
	n, err := io.WriteString(w.ResponseWriter, s)
	w.Bytes += int64(n)
	return n, err
}

func (w *Recorder) begin() {
	if w.Status == 0 {
		w.Status = http.StatusOK
	}
}

// CacheWord says in one word what Cache-Status (RFC 9211) says of the cache called
// name, which is the last of that name: hit, stale (served past its lifetime), miss or
// bypass; "" if it says nothing.
func CacheWord(lines []string, name string) (word string) {
	for _, line := range lines {
		if rest, ok := strings.CutPrefix(line, name+";"); ok {
			word = cacheWord(rest)
		}
	}
	return word
}

func cacheWord(parameters string) string {
	word := "miss"
	for part := range strings.SplitSeq(parameters, ";") {
		switch part = strings.TrimSpace(part); {
		case part == "hit":
			word = "hit"
		case part == "fwd=bypass", part == "fwd=method":
			return "bypass"
		case word == "hit" && (strings.HasPrefix(part, "ttl=-") || strings.HasPrefix(part, "detail=") && strings.Contains(part, "stale")):
			return "stale"
		}
	}
	return word
}
