package template

import "testing"

func TestEscape(t *testing.T) {
	tests := []struct{ name, value, want string }{
		{"empty", "", ""},
		{"plain", "AZaz09_-.~@", "AZaz09_-.~@"},
		{"glob syntax", `*?[]\^`, "%2A%3F%5B%5D%5C%5E"},
		{"separators", "a:b/c#d", "a%3Ab%2Fc%23d"},
		{"hash tag", "{a}", "%7Ba%7D"},
		{"percent", "100%25", "100%2525"},
		{"white space", "a b\t\r\n", "a%20b%09%0D%0A"},
		{"control", "\x00\x1f\x7f", "%00%1F%7F"},
		{"not ASCII", "é", "%C3%A9"},
		{"not UTF-8", "\xff\xfe", "%FF%FE"},
		{"neighbours of plain bytes", ",/;?[`{}", "%2C%2F%3B%3F%5B%60%7B%7D"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := Escape(test.value); got != test.want {
				t.Errorf("Escape(%q) is %q, want %q", test.value, got, test.want)
			}
		})
	}
}

// Every single byte, against the definition and not the bit sets.
func TestPlain(t *testing.T) {
	const kept = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.~@-"
	count := 0
	for c := range 256 {
		if plain(byte(c)) {
			count++
		}
	}
	if count != len(kept) {
		t.Errorf("%d bytes are plain, want %d", count, len(kept))
	}
	for n := range len(kept) {
		if !plain(kept[n]) {
			t.Errorf("%q is not plain", kept[n])
		}
	}
}

func TestEscapeAllocates(t *testing.T) {
	var sink string
	for value, most := range map[string]float64{"johndoe-1@example.org": 0, "": 0, "a b": 2} {
		if got := testing.AllocsPerRun(100, func() { sink = Escape(value) }); got > most {
			t.Errorf("Escape(%q) allocates %v times, want at most %v", value, got, most)
		}
	}
	_ = sink
}
