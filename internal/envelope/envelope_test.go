package envelope

import (
	"bytes"
	"encoding/binary"
	"errors"
	"flag"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unsafe"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// sample is a typical answer: 8 header fields and a body of size bytes that
// does not compress.
func sample(size int) *Record {
	random := rand.New(rand.NewPCG(1, 2))
	body := make([]byte, size)
	for i := range body {
		body[i] = byte(random.Uint32())
	}
	return &Record{
		Identity:    [32]byte{0: 0xab, 31: 0xcd},
		Incarnation: 0x0102030405060708,
		Version:     1_700_000_000_000_001,
		Loaded:      1_700_000_000_123_456,
		TTL:         3_600_000_000,
		Fresh:       60_000_000,
		Age:         5_000_000,
		Took:        123_456,
		Tags:        []string{"org:1", "user:7"},
		Status:      200,
		Header: []Field{
			{"Content-Type", "application/json; charset=utf-8"},
			{"Content-Length", "4096"},
			{"Cache-Control", "public, max-age=60"},
			{"Etag", `"2f1c-5e8a9"`},
			{"Last-Modified", "Tue, 14 Nov 2023 22:13:20 GMT"},
			{"Vary", "Accept-Encoding"},
			{"X-Request-Id", "0192f0c1-7a53-7e06-a5b4-0d0c5e1f2a3b"},
			{"X-Empty", ""},
		},
		Body: string(body),
	}
}

// text returns a sample whose body compresses.
func text(size int) *Record {
	r := sample(0)
	r.Body = strings.Repeat(`{"id":123,"title":"a post","author":"johndoe"},`, size/47+1)[:size]
	return r
}

func encode(t testing.TB, r *Record) string {
	t.Helper()
	b, err := Append(nil, r)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestRoundTrip(t *testing.T) {
	for _, test := range []struct {
		name string
		r    *Record
	}{
		{"empty", &Record{}},
		{"typical", sample(100)},
		{"large and random", sample(100_000)},
		{"large and compressed", text(100_000)},
		{"smallest that is compressed", text(compressFrom)},
		{"largest that is not", text(compressFrom - 1)},
		{"extremes", &Record{Incarnation: 1<<64 - 1, Version: 1<<64 - 1, Loaded: -1 << 63, TTL: 1<<63 - 1, Fresh: 1<<63 - 1, Age: -1 << 63, Took: -1, Status: 999}},
		{"empty parts", &Record{Tags: []string{"", ""}, Header: []Field{{}, {"a", ""}}, Body: "\x00"}},
		{"long parts", &Record{Tags: []string{strings.Repeat("t", maxPart)}, Header: []Field{{"a", strings.Repeat("v", maxPart)}}}},
		{"many parts", &Record{Tags: make([]string, maxParts), Header: make([]Field, maxParts)}},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := Decode(encode(t, test.r))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(*test.r, got, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestAppendKeepsWhatIsThere(t *testing.T) {
	for _, r := range []*Record{sample(100), text(10_000)} {
		dst := append(make([]byte, 0, 1<<16), "before"...)
		b, err := Append(dst, r)
		if err != nil || string(b) != "before"+encode(t, r) {
			t.Errorf("%q, %v", b[:10], err)
		}
	}
}

func TestAppendRefuses(t *testing.T) {
	for _, test := range []struct {
		name     string
		r        Record
		tooLarge bool
	}{
		{"negative status", Record{Status: -1}, false},
		{"four digits of status", Record{Status: 1000}, false},
		{"tags", Record{Tags: make([]string, maxParts+1)}, true},
		{"fields", Record{Header: make([]Field, maxParts+1)}, true},
		{"tag", Record{Tags: []string{strings.Repeat("t", maxPart+1)}}, true},
		{"name", Record{Header: []Field{{Name: strings.Repeat("n", maxPart+1)}}}, true},
		{"value", Record{Header: []Field{{Value: strings.Repeat("v", maxPart+1)}}}, true},
		{"body", Record{Body: strings.Repeat("b", maxBody+1)}, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			b, err := Append([]byte("x"), &test.r)
			if err == nil || errors.Is(err, ErrTooLarge) != test.tooLarge || string(b) != "x" {
				t.Errorf("%d bytes, %v", len(b), err)
			}
		})
	}
}

// TestCompressionPaysOff: only what shrinks by an eighth is kept compressed.
func TestCompressionPaysOff(t *testing.T) {
	for _, test := range []struct {
		name string
		r    *Record
		want byte
	}{
		{"small", text(compressFrom - 1), 0},
		{"large", text(compressFrom), compressed},
		{"random", sample(1 << 16), 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := encode(t, test.r)
			if s[flagsOffset] != test.want {
				t.Errorf("flags %b", s[flagsOffset])
			}
			if test.want == compressed && len(s) > len(test.r.Body) {
				t.Errorf("%d bytes for a body of %d", len(s), len(test.r.Body))
			}
		})
	}
}

// TestDamage cuts a stored form at every place, flips every bit and appends a
// byte: nothing of it may be read.
func TestDamage(t *testing.T) {
	for name, r := range map[string]*Record{"plain": sample(100), "compressed": text(4096)} {
		t.Run(name, func(t *testing.T) {
			s := encode(t, r)
			for n := range s {
				if _, err := Decode(s[:n]); !errors.Is(err, ErrUnreadable) {
					t.Fatalf("the first %d bytes of %d: %v", n, len(s), err)
				}
			}
			if _, err := Decode(s + "\x00"); !errors.Is(err, ErrUnreadable) {
				t.Errorf("with one byte more: %v", err)
			}
			for i := range 8 * len(s) {
				b := []byte(s)
				b[i/8] ^= 1 << (i % 8)
				_, err := Decode(string(b))
				free := i/8 >= GroupOffset && i/8 < IncarnationOffset
				if free != (err == nil) || err != nil && !errors.Is(err, ErrUnreadable) {
					t.Fatalf("bit %d of byte %d: %v", i%8, i/8, err)
				}
			}
		})
	}
}

// sign returns s with a checksum that is right, as a program gone wrong would
// store it.
func sign(s string) string {
	b := []byte(s)
	binary.BigEndian.PutUint32(b[checksumOffset:], checksum(b[coveredOffset:]))
	return string(b)
}

// TestDamageUnderTheChecksum: what a right checksum vouches for is checked too.
func TestDamageUnderTheChecksum(t *testing.T) {
	fixed := encode(t, &Record{})[:tagsOffset]
	flagged := func(flags byte) string { return fixed[:flagsOffset] + string([]byte{flags}) }
	for _, test := range []struct{ name, s, want string }{
		{"status", fixed[:statusOffset] + "\x03\xe8\x00\x00\x00\x00", "the status is out of range"},
		{"flags", flagged(2) + "\x00\x00\x00", "unknown flags"},
		{"no tags", fixed, "a number is out of range or cut off"},
		{"endless number", fixed + "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", "a number is out of range or cut off"},
		{"too many tags", fixed + "\x81\x80\x04", "a number is out of range or cut off"},
		{"more tags than bytes", fixed + "\x04ab", "more parts than bytes"},
		{"more fields than bytes", fixed + "\x00\x02abc", "more parts than bytes"},
		{"tag cut off", fixed + "\x01\x05abc", "a part is cut off"},
		{"body too short", fixed + "\x00\x00\x05abc", "the body has another size than declared"},
		{"body too long", fixed + "\x00\x00\x01abc", "the body has another size than declared"},
		{"compressed body of another size", flagged(compressed) + "\x00\x00\x05\x04", "the compressed body has another size than declared"},
		{"compressed body damaged", flagged(compressed) + "\x00\x00\x04\x04\xff", "the compressed body is damaged"},
		{"bomb", flagged(compressed) + "\x00\x00\xff\xff\xff\xff\x0f\xff\xff\xff\xff\x0f", "a number is out of range or cut off"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := Decode(sign(test.s))
			if !errors.Is(err, ErrUnreadable) || !strings.HasSuffix(err.Error(), test.want) {
				t.Errorf("%v, want %s", err, test.want)
			}
		})
	}
}

func TestPeek(t *testing.T) {
	r := sample(4096)
	s := encode(t, r)
	end := tagsOffset + 1 + len(r.Tags)
	for _, tag := range r.Tags {
		end += len(tag)
	}
	for n := range PeekSize {
		incarnation, version, tags, ok := Peek(s[:n])
		if ok != (n >= end) {
			t.Fatalf("%d bytes: %v", n, ok)
		}
		if ok && (incarnation != r.Incarnation || version != r.Version || !cmp.Equal(tags, r.Tags)) {
			t.Errorf("%d bytes: %x, %d, %q", n, incarnation, version, tags)
		}
	}
	if _, _, _, ok := Peek(strings.Repeat("x", PeekSize)); ok {
		t.Error("a text is taken for an envelope")
	}
}

func TestGroup(t *testing.T) {
	b := []byte(encode(t, sample(100)))
	if got := Group(string(b)); got != 0 {
		t.Errorf("group %d before it was set", got)
	}
	binary.BigEndian.PutUint64(b[GroupOffset:], 77)
	if got := Group(string(b)); got != 77 {
		t.Errorf("group %d", got)
	}
	if _, err := Decode(string(b)); err != nil {
		t.Errorf("after the group was set: %v", err)
	}
	if Group("x") != 0 || Group(string(b[1:])) != 0 {
		t.Error("a group where there is none")
	}
}

// TestOtherFormat: the form before this one has the same fixed offsets up to the TTL,
// and would be misread after it.
func TestOtherFormat(t *testing.T) {
	b := []byte(encode(t, sample(100)))
	b[len(magic)-1] = 1
	if _, err := Decode(string(b)); !errors.Is(err, ErrUnreadable) {
		t.Errorf("an entry of format 1: %v", err)
	}
	if _, _, _, ok := Peek(string(b)); ok {
		t.Error("tags are read from an entry of format 1")
	}
}

// TestOffsets pins what scripts in stores rely on.
func TestOffsets(t *testing.T) {
	r := sample(0)
	b := []byte(encode(t, r))
	if got := binary.BigEndian.Uint64(b[IncarnationOffset:]); got != r.Incarnation {
		t.Errorf("incarnation %x", got)
	}
	if got := binary.BigEndian.Uint64(b[VersionOffset:]); got != r.Version {
		t.Errorf("version %d", got)
	}
}

// TestDecodeCopiesNothing: body and header are parts of the stored string.
func TestDecodeCopiesNothing(t *testing.T) {
	s := encode(t, sample(4096))
	within := func(part string) bool {
		first, p := uintptr(unsafe.Pointer(unsafe.StringData(s))), uintptr(unsafe.Pointer(unsafe.StringData(part)))
		return p >= first && p+uintptr(len(part)) <= first+uintptr(len(s))
	}
	r, err := Decode(s)
	if err != nil {
		t.Fatal(err)
	}
	if !within(r.Body) || !within(r.Header[0].Value) || !within(r.Tags[0]) {
		t.Error("a part was copied")
	}
	if n := testing.AllocsPerRun(100, func() { _, _ = Decode(s) }); n > 2 {
		t.Errorf("%v allocations", n)
	}
}

var update = flag.Bool("update", false, "write the golden files anew")

// TestGolden: the wire form does not change by accident. A wanted change takes
// a new format number, and then -update.
func TestGolden(t *testing.T) {
	for name, r := range map[string]*Record{"plain.bin": sample(40), "compressed.bin": text(4096)} {
		t.Run(name, func(t *testing.T) {
			file, form := filepath.Join("testdata", name), []byte(encode(t, r))
			if *update {
				if err := os.WriteFile(file, form, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			golden, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			// What is stored already has to be read for ever; how a compressor
			// packs a body may change with its release.
			got, err := Decode(string(golden))
			if diff := cmp.Diff(*r, got); diff != "" || err != nil {
				t.Errorf("%v (-want +got):\n%s", err, diff)
			}
			if form[flagsOffset]&compressed == 0 && !bytes.Equal(form, golden) {
				t.Errorf("the wire form has changed:\n%x\nwas\n%x", form, golden)
			}
		})
	}
}
