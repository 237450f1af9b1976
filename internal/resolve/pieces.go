package resolve

import (
	"crypto/sha256"
	"encoding/hex"
)

// Pieces returns the place where pieces (206) of the answer at p are kept. It is apart
// from p, so that nothing but a request for a piece finds them, and under the same key:
// what invalidates the answer invalidates them.
func (p Place) Pieces() Place {
	p.Identity = sha256.Sum256(append(p.Identity[:], "pieces"...))
	p.Variant = hex.EncodeToString(p.Identity[:16])
	return p
}
