package gateway

import (
	"bytes"
	"fmt"
	"net/http"
	"sync"

	"github.com/andybalholm/brotli"

	"github.com/freshet-dev/freshet"
)

// Codings returns the content codings that c asks for, for the options of the cache
// that the gateway is made on; none if compress is off. They are zstd, br and gzip, in
// the order in which they are preferred where a client takes several as readily.
func (c *Config) Codings() []freshet.Coding {
	if !c.Compress.On(true) {
		return nil
	}
	return []freshet.Coding{freshet.Zstd(), brotliCoding(), freshet.Gzip()}
}

// brotliCoding is br (RFC 7932), at the level at which it is not slower than the others.
func brotliCoding() freshet.Coding {
	const level = 5
	writers := &sync.Pool{New: func() any { return brotli.NewWriterLevel(nil, level) }}
	return freshet.Coding{Name: "br", Encode: func(dst, src []byte) ([]byte, error) {
		w := writers.Get().(*brotli.Writer)
		defer writers.Put(w)
		out := bytes.NewBuffer(dst)
		w.Reset(out)
		defer w.Reset(nil) // so that the pool keeps no answer alive
		if _, err := w.Write(src); err != nil {
			return dst, fmt.Errorf("br: %w", err)
		}
		if err := w.Close(); err != nil {
			return dst, fmt.Errorf("br: %w", err)
		}
		return out.Bytes(), nil
	}}
}

// uncoded is a pool that reads are made from whose answers are coded here.
type uncoded struct{ *pool }

// ServeHTTP asks for the answer to a read as it is, in no coding. The client's wish is
// left to the cache, which needs to see it.
func (u uncoded) ServeHTTP(w http.ResponseWriter, r *http.Request) { u.forward(w, r, safe(r.Method)) }
