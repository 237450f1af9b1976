package envelope

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"unsafe"
)

// Offsets of the fields that stores read and write in place, counted from 0;
// each is eight bytes wide and big-endian. In a Redis script
// struct.unpack('>I8', value, VersionOffset+1) is exact up to 2^53, as zset
// scores are. Equality may be tested on the bytes themselves, but order may not:
// the < of Lua strings follows the collation of the server's locale.
const (
	GroupOffset       = 8
	IncarnationOffset = 16
	VersionOffset     = 24
)

// PeekSize is how many of the first bytes are normally enough for [Peek]: the
// fixed part and some 400 bytes of tags.
const PeekSize = 512

const (
	magic           = "\xf7fr\x02" // with the format number
	checksumOffset  = 4
	coveredOffset   = IncarnationOffset // what the checksum covers begins here
	identityOffset  = 32
	loadedOffset    = 64
	ttlOffset       = 72
	freshOffset     = 80
	ageOffset       = 88
	tookOffset      = 96
	statusOffset    = 104
	flagsOffset     = 106
	tagsOffset      = 107
	compressed      = 1 << 0 // in flags
	maxStatus       = 999
	maxParts        = 1 << 16               // tags, and fields of a header
	maxPart         = 1 << 20               // bytes of a tag, name or value
	maxBody         = 64 << 20              // bytes before compression
	smallestPart    = 1                     // byte that a tag takes: its length
	smallestField   = 2                     // bytes that a field takes
	uvarintOverhead = binary.MaxVarintLen32 // at most, for one length within the limits
)

// ErrUnreadable is wrapped by every error of [Decode]: the bytes are damaged,
// not ours, or of another format. The cure is to store a new answer over them.
var ErrUnreadable = errors.New("freshet: unreadable entry")

// ErrTooLarge is wrapped by the errors of [Append] about sizes.
var ErrTooLarge = errors.New("freshet: entry too large")

// Field is one header field of an answer.
type Field = struct{ Name, Value string }

// Record is an answer with what decides whether it may be served.
type Record struct {
	Identity             [32]byte
	Incarnation, Version uint64 // of the stamp it was loaded under
	Loaded               int64  // microseconds of Unix time
	TTL                  int64  // microseconds, as the next three
	Fresh, Age, Took     int64  // freshness lifetime, age when Loaded, time of the load
	Tags                 []string
	Status               int     // 0 to 999
	Header               []Field // in the order they are written
	Body                 string
}

// Append appends the stored form of r to dst and returns the longer slice. The
// group is 0. Equal records have equal forms as long as the compressor is the
// same.
//
// An error says what cannot be represented: a status outside 0 to 999, or, with
// [ErrTooLarge], more than 65,536 tags or fields, one longer than 1 MiB, or a
// body over 64 MiB. dst is then returned as it was.
func Append(dst []byte, r *Record) ([]byte, error) {
	if err := r.check(); err != nil {
		return dst, err
	}
	start := len(dst)
	b := appendFixed(dst, r)
	b = binary.AppendUvarint(b, uint64(len(r.Tags)))
	for _, tag := range r.Tags {
		b = appendPart(b, tag)
	}
	b = binary.AppendUvarint(b, uint64(len(r.Header)))
	for _, f := range r.Header {
		b = appendPart(appendPart(b, f.Name), f.Value)
	}
	b = binary.AppendUvarint(b, uint64(len(r.Body)))
	b, packed := appendBody(b, r.Body)
	own := b[start:]
	if packed {
		own[flagsOffset] |= compressed
	}
	sum := checksum(own[coveredOffset:])
	binary.BigEndian.PutUint32(own[checksumOffset:], sum)
	return b, nil
}

func (r *Record) check() error {
	switch {
	case r.Status < 0 || r.Status > maxStatus:
		return fmt.Errorf("freshet: status %d cannot be stored", r.Status)
	case len(r.Tags) > maxParts:
		return fmt.Errorf("%w: %d tags", ErrTooLarge, len(r.Tags))
	case len(r.Header) > maxParts:
		return fmt.Errorf("%w: %d header fields", ErrTooLarge, len(r.Header))
	case len(r.Body) > maxBody:
		return fmt.Errorf("%w: a body of %d bytes", ErrTooLarge, len(r.Body))
	}
	for _, tag := range r.Tags {
		if len(tag) > maxPart {
			return fmt.Errorf("%w: a tag of %d bytes", ErrTooLarge, len(tag))
		}
	}
	for _, f := range r.Header {
		if len(f.Name) > maxPart || len(f.Value) > maxPart {
			return fmt.Errorf("%w: a header field of %d bytes", ErrTooLarge, len(f.Name)+len(f.Value))
		}
	}
	return nil
}

// appendFixed appends everything before the tags, the checksum still 0, and
// makes room for the rest.
func appendFixed(dst []byte, r *Record) []byte {
	b := grow(dst, r)
	b = append(b, magic...)
	b = append(b, make([]byte, IncarnationOffset-checksumOffset)...)
	b = binary.BigEndian.AppendUint64(b, r.Incarnation)
	b = binary.BigEndian.AppendUint64(b, r.Version)
	b = append(b, r.Identity[:]...)
	b = binary.BigEndian.AppendUint64(b, uint64(r.Loaded))
	for _, micros := range [...]int64{r.TTL, r.Fresh, r.Age, r.Took} {
		b = binary.BigEndian.AppendUint64(b, uint64(micros))
	}
	b = binary.BigEndian.AppendUint16(b, uint16(r.Status))
	return append(b, 0) // flags
}

func appendPart(b []byte, part string) []byte {
	b = binary.AppendUvarint(b, uint64(len(part)))
	return append(b, part...)
}

// Decode returns the record whose stored form s is. Its strings are parts of s,
// which they keep alive; a compressed body alone is a copy. Decode returns an
// error that wraps [ErrUnreadable] and says why if s is damaged, cut off or not ours;
// whatever s is, it allocates no more than 16 times its size, and 64 MiB for a
// compressed body.
func Decode(s string) (Record, error) {
	if !ours(s) {
		return Record{}, unreadable("not an envelope of this format")
	}
	if checksum(view(s[coveredOffset:])) != uint32At(s, checksumOffset) {
		return Record{}, unreadable("the checksum differs")
	}
	r := Record{
		Incarnation: uint64At(s, IncarnationOffset),
		Version:     uint64At(s, VersionOffset),
		Identity:    [32]byte(view(s[identityOffset:loadedOffset])),
		Loaded:      int64(uint64At(s, loadedOffset)),
		TTL:         int64(uint64At(s, ttlOffset)),
		Fresh:       int64(uint64At(s, freshOffset)),
		Age:         int64(uint64At(s, ageOffset)),
		Took:        int64(uint64At(s, tookOffset)),
		Status:      int(s[statusOffset])<<8 | int(s[statusOffset+1]),
	}
	p := parser{rest: s[tagsOffset:]}
	r.Tags = p.tags()
	r.Header = p.header()
	r.Body = p.body(s[flagsOffset])
	switch {
	case p.failed != "":
		return Record{}, unreadable(p.failed)
	case r.Status > maxStatus:
		return Record{}, unreadable("the status is out of range")
	}
	return r, nil
}

func unreadable(why string) error { return fmt.Errorf("%w: %s", ErrUnreadable, why) }

// Peek returns the stamp and the tags from a prefix of a stored form, for
// callers that look at many entries and need no bodies. It cannot check the
// checksum: ok only says that the prefix is of this format and long enough,
// of which [PeekSize] bytes normally are.
func Peek(prefix string) (incarnation, version uint64, tags []string, ok bool) {
	if !ours(prefix) {
		return 0, 0, nil, false
	}
	p := parser{rest: prefix[tagsOffset:]}
	tags = p.tags()
	if p.failed != "" {
		return 0, 0, nil, false
	}
	return uint64At(prefix, IncarnationOffset), uint64At(prefix, VersionOffset), tags, true
}

// Group returns what the store has patched in at [GroupOffset]: 0 if nothing, or
// if s is no envelope. Stores mark with it which generation of a key's
// variants an entry belongs to, which is known to the store's script only, when
// the checksum has been made. It is thus unprotected: a damaged group has
// to be no worse than a miss.
func Group(s string) uint64 {
	if !ours(s) {
		return 0
	}
	return uint64At(s, GroupOffset)
}

// ours reports whether s begins as an envelope does and has the fixed part.
func ours(s string) bool { return len(s) >= tagsOffset && s[:len(magic)] == magic }

func uint64At(s string, offset int) uint64 {
	return binary.BigEndian.Uint64(view(s[offset : offset+8]))
}

func uint32At(s string, offset int) uint32 {
	return binary.BigEndian.Uint32(view(s[offset : offset+4]))
}

// checksum is CRC-32C: amd64 and arm64 have an instruction for it, and it is
// certain to catch any damage confined to 32 bits in a row.
func checksum(covered []byte) uint32 {
	return crc32.Checksum(covered, crc32.MakeTable(crc32.Castagnoli))
}

// view returns the bytes of s without copying them. They must not be written to.
func view(s string) []byte { return unsafe.Slice(unsafe.StringData(s), len(s)) }
