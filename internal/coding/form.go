package coding

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// Field is one line of a stored header: see capture.Field, marks included.
type Field = struct{ Name, Value string }

const (
	// smallest is the smallest body that is coded. What is shorter fits into the
	// packet that its header is in, coded or not.
	smallest = 1 << 10
	// saves is the part of the body, one in so many, that a coding has to save. Less
	// is not worth the client's decoding.
	saves = 10
)

// Worth reports whether an answer with this header and size of body is one to be
// sent coded: it is large enough, of a type that shrinks, as it came from its
// handler, and may be changed. It holds for every coding, so that it also says
// whether the answer depends on Accept-Encoding.
func Worth(header []Field, size int) bool {
	if size < smallest {
		return false
	}
	shrinks := false
	for _, f := range header {
		switch f.Name {
		case "Content-Type":
			shrinks = compressible(f.Value)
		case "Cache-Control":
			if NoTransform(f.Value) {
				return false
			}
		case "Content-Encoding", "Content-Range", ">Content-Encoding", ">Content-Range", ">Etag":
			return false
		case "Content-Digest", "Repr-Digest", "Digest", "Content-Md5", "Signature":
			return false // they hold of these bytes (RFC 9530, RFC 9421)
		}
	}
	return shrinks
}

// NoTransform reports whether a line of Cache-Control, of an answer or a request,
// forbids another form (RFC 9111, sections 5.2.1.6 and 5.2.2.6).
func NoTransform(line string) bool {
	for part := range strings.SplitSeq(line, ",") {
		name, _, _ := strings.Cut(part, "=")
		if strings.EqualFold(strings.Trim(name, " \t"), "no-transform") {
			return true
		}
	}
	return false
}

// compressible reports whether bodies of a Content-Type shrink: text in the wide
// sense, and the few binary formats that are not packed themselves.
func compressible(contentType string) bool {
	media, _, _ := strings.Cut(contentType, ";")
	media = strings.ToLower(strings.Trim(media, " \t"))
	if strings.HasPrefix(media, "text/") {
		return true
	}
	if plus := strings.LastIndexByte(media, '+'); plus >= 0 {
		suffix := media[plus+1:] // RFC 6839, RFC 9512
		return suffix == "json" || suffix == "xml" || suffix == "yaml"
	}
	switch media {
	case "application/json", "application/x-ndjson", "application/jsonl", "application/xml", "application/yaml", "application/x-yaml",
		"application/toml", "application/javascript", "application/x-javascript", "application/ecmascript",
		"application/graphql", "application/sql", "application/rtf", "application/x-www-form-urlencoded",
		"application/wasm", "application/vnd.ms-fontobject", "font/otf", "font/ttf", "image/bmp", "image/x-icon", "image/vnd.microsoft.icon":
		return true
	}
	return false
}

// Pays reports whether a coded form is so much smaller that it is to be used.
func Pays(size, coded int) bool { return coded <= size-size/saves }

// Header returns the header of the form of size bytes in a coding, from that of the
// answer as it is, which is left alone. It is another representation: it has another
// length, and a strong validator of its own (RFC 9110, section 8.8.3.3). A weak one
// holds of both. Parts of it are not served.
func Header(header []Field, name string, size int) []Field {
	coded := make([]Field, 0, len(header)+3)
	for _, f := range header {
		switch f.Name {
		case "Content-Length", ">Content-Length", "Accept-Ranges", ">Accept-Ranges":
			continue
		case "Etag":
			f.Value = tag(f.Value, name)
		}
		coded = append(coded, f)
	}
	coded = append(coded, Field{"Content-Encoding", name}, Field{"Content-Length", strconv.Itoa(size)})
	return Vary(coded)
}

// Vary returns header with Accept-Encoding in Vary. It may change header.
func Vary(header []Field) []Field {
	last := -1
	for i, f := range header {
		switch f.Name {
		case "<Vary":
			// What is in front was taken out, and stays so.
			header[i] = Field{"Vary", "Accept-Encoding"}
			return header
		case "Vary", ">Vary":
			if last = i; listed(f.Value, "Accept-Encoding") {
				return header
			}
		}
	}
	if last < 0 {
		return append(header, Field{">Vary", "Accept-Encoding"})
	}
	return slices.Insert(header, last+1, Field{header[last].Name, "Accept-Encoding"})
}

func listed(list, name string) bool {
	for part := range strings.SplitSeq(list, ",") {
		if strings.EqualFold(strings.Trim(part, " \t"), name) {
			return true
		}
	}
	return false
}

// mark stands between the tag of an answer and the name of a coding. It is rare in
// tags of handlers, even of those that code themselves, so that Known spares them.
const mark = "--"

// tag returns the entity tag of the form in a coding.
func tag(etag, name string) string {
	if len(etag) < 2 || etag[0] != '"' || etag[len(etag)-1] != '"' {
		return etag
	}
	return etag[:len(etag)-1] + mark + name + `"`
}

// Known returns r with conditions that its handler knows: in the entity tags of coded
// forms, which are none of the handler's, the coding is taken out. Otherwise a PUT that
// says If-Match would be refused for having read a form. Nothing is done to conditions
// that are judged on forms: those of If-None-Match in a GET. r is left alone.
func Known(r *http.Request, offered []Coding) *http.Request {
	if len(offered) == 0 {
		return r
	}
	known := r
	for _, name := range [...]string{"If-Match", "If-None-Match"} {
		lines := r.Header[name]
		if lines == nil || name == "If-None-Match" && (r.Method == http.MethodGet || r.Method == http.MethodHead) {
			continue
		}
		if known == r {
			known = r.WithContext(r.Context())
			known.Header = r.Header.Clone()
		}
		known.Header[name] = plain(lines, offered)
	}
	return known
}

func plain(lines []string, offered []Coding) []string {
	lines = slices.Clone(lines)
	for i := range lines {
		for _, c := range offered {
			lines[i] = strings.ReplaceAll(lines[i], mark+c.Name+`"`, `"`)
		}
	}
	return lines
}

// Variant returns the variant that the form in a coding is kept as, beside the answer
// that is kept as variant. It is lower-case hexadecimal if that is.
func Variant(variant, name string) string { return variant + hex.EncodeToString([]byte(name)) }

// Identity returns the identity of the form in a coding of the answer with id.
func Identity(id [32]byte, name string) [32]byte {
	return sha256.Sum256(append(append(make([]byte, 0, 64), id[:]...), name...))
}
