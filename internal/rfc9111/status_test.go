package rfc9111

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

// TestStatusParameters is RFC 9211, sections 2.1 to 2.8: what each parameter looks like.
func TestStatusParameters(t *testing.T) {
	tests := []struct {
		status Status
		want   string
	}{
		{Status{Hit: true, TTL: 90*time.Second + 1}, "freshet; hit; ttl=90"},
		{Status{Hit: true, TTL: -412 * time.Second, Detail: []string{"stale"}}, `freshet; hit; ttl=-412; detail="stale"`},
		{Status{Forward: "stale", ForwardStatus: 304, Stored: true}, "freshet; fwd=stale; fwd-status=304; stored"},
		{Status{Forward: "vary-miss", Collapsed: true}, "freshet; fwd=vary-miss; collapsed"},
		{Status{Forward: "request"}, "freshet; fwd=request"},
	}
	for _, tt := range tests {
		if got := tt.status.String(); got != tt.want {
			t.Errorf("%s, want %s", got, tt.want)
		}
	}
}

// TestStatusIsAList is RFC 9211, section 2: whatever a detail says, the member is one of a
// List, and one only.
func TestStatusIsAList(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := Status{Forward: "bypass", Stored: true, Detail: rapid.SliceOfN(rapid.String(), 1, 3).Draw(t, "detail")}
		count := 0
		ok := members([]string{s.String()}, func(s *scanner) bool {
			count++
			// Its parameters have blanks after the semicolon, which are no error.
			return s.member() == item{tokenItem, CacheName}
		})
		if !ok || count != 1 {
			t.Fatalf("%s: %v, %d members", s.String(), ok, count)
		}
	})
}
