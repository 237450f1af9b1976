package rfc9111

import (
	"maps"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestUnstored is section 3.1: which fields are not stored, and that all others are.
func TestUnstored(t *testing.T) {
	h := header("Connection: close, x-mine", "Connection: X-Other", "Keep-Alive: 1", "Proxy-Connection: x", "Te: x",
		"Transfer-Encoding: x", "Upgrade: x", "Trailer: x", "X-Mine: x", "X-Other: x",
		"Proxy-Authenticate: x", "Proxy-Authentication-Info: x", "Proxy-Authorization: x",
		`Cache-Control: private="x-private, X-LIST", max-age=60, no-cache=x-checked`, "X-Private: x", "X-List: x", "X-Checked: x",
		"Age: 1", "Date: x", "Unknown: x", "Warning: x", "Pragma: x", "Cdn-Cache-Control: max-age = 1", "Freshet-Cache-Control: x,")
	unstored := Unstored(h)
	var kept []string
	for _, name := range slices.Sorted(maps.Keys(h)) {
		if !unstored(name) {
			kept = append(kept, name)
		}
	}
	want := []string{"Age", "Cache-Control", "Cdn-Cache-Control", "Date", "Freshet-Cache-Control", "Pragma", "Unknown", "Warning"}
	if diff := cmp.Diff(want, kept); diff != "" {
		t.Errorf("stored are (-want +got):\n%s", diff)
	}
}

// TestUnstoredByTargeted is that the names count in the field that decides.
func TestUnstoredByTargeted(t *testing.T) {
	unstored := Unstored(header(`Cache-Control: private="x-a"`, `CDN-Cache-Control: private="x-b"`))
	if unstored("X-A") || !unstored("X-B") {
		t.Error("the names of Cache-Control count")
	}
}

// TestStoredLines is that marks make no difference to what a stored header says.
func TestStoredLines(t *testing.T) {
	stored := fields("A: 1", "<B: ", ">C: 3", ">C: 4", "D: 5")
	if diff := cmp.Diff(header("A: 1", "C: 3", "C: 4", "D: 5"), Header(stored)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for name, want := range map[string][]string{"A": {"1"}, "B": nil, "C": {"3", "4"}, "E": nil} {
		if got := Lines(stored, name); !slices.Equal(got, want) {
			t.Errorf("%s is %q", name, got)
		}
	}
}
