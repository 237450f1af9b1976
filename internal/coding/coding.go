// Package coding has the content codings of HTTP (RFC 9110, section 8.4): which one
// a client wants, which answers are worth it, and what an answer looks like in it.
package coding

import (
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/freshet-dev/freshet/internal/rfc9111"
)

// Coding is a content coding that answers are sent in.
type Coding struct {
	// Name is the coding's in Content-Encoding, in lower case: "gzip".
	Name string
	// Encode appends the coded form of src to dst. The same src gives the same form.
	// It may be called concurrently.
	Encode func(dst, src []byte) ([]byte, error)
}

// most is how many codings are offered: more than are registered for use on the web.
const most = 8

// Check says what is wrong with the codings that are offered, if anything.
func Check(offered []Coding) error {
	if len(offered) > most {
		return fmt.Errorf("%d codings: use %d at most", len(offered), most)
	}
	for i, c := range offered {
		switch {
		case !rfc9111.Token(c.Name) || c.Name != strings.ToLower(c.Name) || c.Name == identity || c.Name == "x-gzip":
			return fmt.Errorf("%q is no name of a coding: use one in lower case, such as gzip", c.Name)
		case c.Encode == nil:
			return fmt.Errorf("coding %s has no Encode", c.Name)
		case slices.ContainsFunc(offered[:i], func(before Coding) bool { return before.Name == c.Name }):
			return fmt.Errorf("coding %s is offered twice", c.Name)
		}
	}
	return nil
}

// gzipLevel and zstdLevel are the libraries' default: an answer is coded once and
// sent many times, but the first to ask waits for it.
const (
	gzipLevel = gzip.DefaultCompression
	zstdLevel = zstd.SpeedDefault
	// zstdWindow is what every client is prepared for (RFC 9659, section 3).
	zstdWindow = 8 << 20
)

// Gzip returns the coding gzip (RFC 9110, section 8.4.1.3).
func Gzip() Coding {
	writers := &sync.Pool{New: func() any {
		w, _ := gzip.NewWriterLevel(nil, gzipLevel) // fails on an unknown level
		return w
	}}
	return Coding{Name: "gzip", Encode: func(dst, src []byte) ([]byte, error) {
		w := writers.Get().(*gzip.Writer)
		defer writers.Put(w)
		out := sink(dst)
		w.Reset(&out)
		defer w.Reset(nil) // so that the pool keeps no answer alive
		if _, err := w.Write(src); err != nil {
			return dst, fmt.Errorf("gzip: %w", err)
		}
		if err := w.Close(); err != nil {
			return dst, fmt.Errorf("gzip: %w", err)
		}
		return out, nil
	}}
}

// sink is an io.Writer that appends.
type sink []byte

// Write implements io.Writer.
func (s *sink) Write(p []byte) (int, error) {
	*s = append(*s, p...)
	return len(p), nil
}

// Zstd returns the coding zstd (RFC 8878).
func Zstd() Coding {
	// Made when it is first needed, since it holds buffers of its own.
	encoder := sync.OnceValues(func() (*zstd.Encoder, error) {
		return zstd.NewWriter(nil, zstd.WithEncoderLevel(zstdLevel), zstd.WithWindowSize(zstdWindow), zstd.WithLowerEncoderMem(true))
	})
	return Coding{Name: "zstd", Encode: func(dst, src []byte) ([]byte, error) {
		e, err := encoder()
		if err != nil {
			return dst, fmt.Errorf("zstd: %w", err)
		}
		return e.EncodeAll(src, dst), nil
	}}
}
