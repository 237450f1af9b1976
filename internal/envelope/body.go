package envelope

import (
	"slices"
	"unsafe"

	"github.com/klauspost/compress/s2"
)

const (
	// compressFrom is the size of the smallest body that is compressed. Below
	// it, Redis saves little and each hit would pay for the copy.
	compressFrom = 2048
	// savesShare: compression has to save one part in so many to be worth
	// decompressing on every hit.
	savesShare = 8
)

// grow makes room in dst for the stored form of r, so that appending it
// allocates once at most.
func grow(dst []byte, r *Record) []byte {
	n := tagsOffset + 3*uvarintOverhead + len(r.Body)
	for _, tag := range r.Tags {
		n += uvarintOverhead + len(tag)
	}
	for _, f := range r.Header {
		n += 2*uvarintOverhead + len(f.Name) + len(f.Value)
	}
	if len(r.Body) >= compressFrom {
		n += s2.MaxEncodedLen(len(r.Body)) - len(r.Body)
	}
	return slices.Grow(dst, n)
}

// appendBody appends body, compressed if it is large enough and that saves
// enough. The compressor writes straight to where its output belongs.
func appendBody(b []byte, body string) (_ []byte, packed bool) {
	if len(body) < compressFrom {
		return append(b, body...), false
	}
	b = slices.Grow(b, s2.MaxEncodedLen(len(body)))
	out := s2.Encode(b[len(b):cap(b)], view(body))
	if len(out) > len(body)-len(body)/savesShare {
		return append(b, body...), false
	}
	return b[:len(b)+len(out)], true
}

// unpack returns the body of size bytes that packed holds. Nothing is allocated
// unless the compressed form declares the same size, so that a corrupt value
// costs no memory; why is empty if all is well.
func unpack(packed string, size int) (body, why string) {
	if n, err := s2.DecodedLen(view(packed)); err != nil || n != size {
		return "", "the compressed body has another size than declared"
	}
	raw, err := s2.Decode(make([]byte, size), view(packed))
	if err != nil {
		return "", "the compressed body is damaged"
	}
	return unsafe.String(unsafe.SliceData(raw), len(raw)), ""
}
