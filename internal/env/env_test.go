package env

import "testing"

func TestFlag(t *testing.T) {
	for text, want := range map[string]bool{"true": true, "YES": true, "on": true, "1": true, "false": false, "No": false, "OFF": false, "0": false} {
		for _, absent := range []bool{true, false} {
			if got, err := Flag("V", text, absent); got != want || err != nil {
				t.Errorf("%q: %v, %v", text, got, err)
			}
			if got, err := Flag("V", "", absent); got != absent || err != nil {
				t.Errorf("absent: %v, %v; want %v", got, err, absent)
			}
		}
	}
	const want = `freshet: V is "maybe": use true or false`
	if _, err := Flag("V", "maybe", true); err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
}
