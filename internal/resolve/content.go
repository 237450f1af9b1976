package resolve

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
)

// Hold returns r with its content read, limit bytes at most: it is then part of what
// the answer depends on, and whoever makes the answer reads it from GetBody, as often
// as need be; Body has it too. What is larger, or breaks off, is put back as it came,
// with the error that it ended in, and GetBody is nil; so is what fields follow.
func Hold(r *http.Request, limit int64) *http.Request {
	var content []byte
	var err error
	if r.Body != nil {
		content, err = io.ReadAll(io.LimitReader(r.Body, limit+1))
	}
	held := *r // now that fields which follow the content are there, too
	if err != nil || int64(len(content)) > limit || len(r.Trailer) > 0 {
		held.GetBody = nil
		held.Body = replay{io.MultiReader(bytes.NewReader(content), rest{r.Body, err}), r.Body}
		return &held
	}
	held.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(content)), nil }
	held.Body, _ = held.GetBody()
	return &held
}

// replay is a body of which some has been read before.
type replay struct {
	io.Reader
	io.Closer
}

// rest is what has not been read yet, or the error that came in its place.
type rest struct {
	io.Reader
	err error
}

func (r rest) Read(p []byte) (int, error) {
	if r.err != nil {
		return 0, r.err
	}
	return r.Reader.Read(p)
}

// content returns a digest of what a QUERY asks: its content and all that the request
// says of it (RFC 10008, section 2.7). Nothing is normalised, which that section
// leaves open: what means the same in other words is another question here.
func (s *scratch) content() string {
	sum := sha256.New()
	for _, name := range slices.Sorted(maps.Keys(s.r.Header)) {
		// How it is framed is no part of it.
		if strings.HasPrefix(name, "Content-") && name != "Content-Length" {
			fmt.Fprintf(sum, "%q %q\n", name, s.r.Header[name])
		}
	}
	sum.Write([]byte{'\n'})
	body, _ := s.r.GetBody() // which Hold has set
	_, _ = io.Copy(sum, body)
	return string(sum.Sum(nil))
}
