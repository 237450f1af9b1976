package template

import "testing"

// TestPath: a path reads in a key as it is, but for what keys cannot hold.
func TestPath(t *testing.T) {
	tests := []struct{ text, value, wanted string }{
		{"{p:path}", "/a/b.c/~d", "/a/b.c/~d"},
		{"k:{p:path}", "", "k:"},
		{"{p:path}", "/a b/*?[x]#/%2F", "/a%20b/%2A%3F%5Bx%5D%23/%252F"},
		{"{p:path}", "//", "//"},
		{"{p}", "/a", "%2Fa"},
		{"{p:path=/x}", "", ""},
	}
	for _, tt := range tests {
		parsed, err := Parse(tt.text)
		if err != nil {
			t.Fatal(err)
		}
		key, _, err := parsed.Append(nil, nil, one(tt.value))
		if err != nil || string(key) != tt.wanted {
			t.Errorf("%s with %q: %q, %v; wanted %q", tt.text, tt.value, key, err, tt.wanted)
		}
	}
	for _, text := range []string{"{p:path|int}", "{p:str|path}"} {
		if _, err := Parse(text); err == nil {
			t.Errorf("%s is fine", text)
		}
	}
}

// one is the value of everything.
type one string

func (o one) Value(string) (string, bool) { return string(o), true }
