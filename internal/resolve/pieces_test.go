package resolve

import "testing"

func TestPieces(t *testing.T) {
	a, b := Place{Key: "k", Variant: "01", Identity: [32]byte{1}}, Place{Key: "k", Variant: "01", Identity: [32]byte{2}}
	p := a.Pieces()
	if p.Key != a.Key || p.Variant == a.Variant || p.Identity == a.Identity || p != a.Pieces() {
		t.Errorf("%v has its pieces at %v", a, p)
	}
	if p == b.Pieces() || p == p.Pieces() || a.Identity != [32]byte{1} {
		t.Errorf("another place has its pieces at %v, too", p)
	}
}
