package upstream

import (
	"io"
	"strings"
	"testing"
)

// TestAbandoned: a body is read by one attempt only, however late the transport of
// another comes to it.
func TestAbandoned(t *testing.T) {
	inner := io.NopCloser(strings.NewReader("body"))
	first, second := &attempted{ReadCloser: inner}, &attempted{ReadCloser: inner}
	if !first.abandon() {
		t.Fatal("a body that nobody has read cannot be kept")
	}
	if n, err := first.Read(make([]byte, 4)); n != 0 || err == nil {
		t.Errorf("the attempt that was given up reads %d bytes, %v", n, err)
	}
	if text, err := io.ReadAll(second); string(text) != "body" || err != nil {
		t.Errorf("%q, %v", text, err)
	}
	if second.abandon() {
		t.Error("a body that has been read is kept for another attempt")
	}
}
