package envelope

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// FuzzDecode tries any bytes, and the same bytes under a right checksum, since
// the fuzzer would hardly ever find one.
func FuzzDecode(f *testing.F) {
	for _, r := range []*Record{{}, sample(40), text(4096)} {
		b, err := Append(nil, r)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(b))
	}
	f.Fuzz(func(t *testing.T, s string) {
		try(t, s)
		Peek(s)
		Group(s)
		if len(s) < tagsOffset {
			return
		}
		try(t, sign(magic+s[len(magic):]))
	})
}

// try decodes s; what can be read is written and read again the same.
func try(t *testing.T, s string) {
	r, err := Decode(s)
	if err != nil {
		if !errors.Is(err, ErrUnreadable) {
			t.Fatal(err)
		}
		return
	}
	again, err := Decode(encode(t, &r))
	if diff := cmp.Diff(r, again); diff != "" || err != nil {
		t.Errorf("%v (-first +second):\n%s", err, diff)
	}
}

func FuzzRoundTrip(f *testing.F) {
	f.Add(uint64(1), uint64(2), int64(3), int64(4), int64(5), int64(6), int64(7), 200, "org:1,user:7", "A\nb\nC\n", "body", 1000)
	f.Fuzz(func(t *testing.T, incarnation, version uint64, loaded, ttl, fresh, age, took int64, status int, tags, header, body string, times int) {
		r := Record{
			Identity: [32]byte{1}, Incarnation: incarnation, Version: version,
			Loaded: loaded, TTL: ttl, Fresh: fresh, Age: age, Took: took, Status: int(uint(status) % 1000),
			Tags: strings.Split(tags, ","),
			Body: strings.Repeat(body, 1+int(uint(times)%1000)),
		}
		for line := range strings.Lines(header) {
			name, value, _ := strings.Cut(line, ":")
			r.Header = append(r.Header, Field{Name: name, Value: value})
		}
		got, err := Decode(encode(t, &r))
		if diff := cmp.Diff(r, got, cmpopts.EquateEmpty()); diff != "" || err != nil {
			t.Errorf("%v (-want +got):\n%s", err, diff)
		}
	})
}
