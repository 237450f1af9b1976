package resolve

import (
	"net/http"
	"testing"
)

func TestPlaceVary(t *testing.T) {
	home := Place{Key: "k", Variant: "v", Identity: [32]byte{1}}
	r := func(header ...string) *http.Request {
		h := http.Header{}
		for i := 0; i < len(header); i += 2 {
			h.Add(header[i], header[i+1])
		}
		return &http.Request{Header: h}
	}
	if home.Vary(nil, r()) != home {
		t.Error("without names it is another place")
	}
	at := home.Vary([]string{"A"}, r("A", "1", "B", "1"))
	if at != home.Vary([]string{"A"}, r("A", "1", "B", "2")) || at.Key != "k" {
		t.Error("what no name names tells places apart")
	}
	for name, other := range map[string]Place{
		"home":          home,
		"another value": home.Vary([]string{"A"}, r("A", "2")),
		"no value":      home.Vary([]string{"A"}, r()),
		"more names":    home.Vary([]string{"A", "B"}, r("A", "1")),
		"another name":  home.Vary([]string{"B"}, r("B", "1")),
		"another home":  Place{Key: "k", Identity: [32]byte{2}}.Vary([]string{"A"}, r("A", "1")),
	} {
		if other.Identity == at.Identity || other.Variant == at.Variant {
			t.Errorf("%s: the same place", name)
		}
	}
	if home.Vary([]string{"A"}, r("A", "")).Identity == home.Vary([]string{"A"}, r()).Identity {
		t.Error("an empty value is none")
	}
}
