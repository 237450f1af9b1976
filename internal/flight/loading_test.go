package flight

import "testing"

func TestLoading(t *testing.T) {
	outer := WithLoading(t.Context(), "a")
	inner := WithLoading(outer, "b")
	for what, want := range map[string][3]bool{"a": {false, true, true}, "b": {false, false, true}, "c": {}} {
		if got := [3]bool{Loading(t.Context(), what), Loading(outer, what), Loading(inner, what)}; got != want {
			t.Errorf("loading of %s: %v, want %v", what, got, want)
		}
	}
}
