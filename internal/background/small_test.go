package background

import (
	"net/http/httptest"
	"strings"
	"testing"
)

func TestSmall(t *testing.T) {
	r := httptest.NewRequest("GET", "/items/1", nil)
	r.Header.Set("Accept-Encoding", "gzip")
	if !Small(r) {
		t.Error("an ordinary request is not")
	}
	if Small(httptest.NewRequest("GET", "/items/1?q="+strings.Repeat("x", most), nil)) {
		t.Error("one with a long query is")
	}
	if Small(httptest.NewRequest("QUERY", "/items/1", strings.NewReader("x"))) {
		t.Error("one with a body is")
	}
	for range most / 100 {
		r.Header.Add("X-A", strings.Repeat("x", 100))
	}
	if Small(r) {
		t.Error("one with a long header is")
	}
}
