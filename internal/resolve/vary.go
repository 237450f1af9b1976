package resolve

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"

	"github.com/freshet-dev/freshet/internal/rfc9111"
)

// Vary returns the place of the answer to r if answers differ by the request fields
// called names, which are in canonical form and sorted (RFC 9111, section 4.1). It is
// p itself without any. Two requests have the same place only if they agree in all of
// them; the same place by other names is another one.
func (p Place) Vary(names []string, r *http.Request) Place {
	if len(names) == 0 {
		return p
	}
	sum := sha256.New()
	sum.Write(p.Identity[:])
	for _, name := range names {
		value, present := rfc9111.VaryValue(r, name)
		fmt.Fprintf(sum, "%q %t %q\n", name, present, value)
	}
	sum.Sum(p.Identity[:0])
	p.Variant = hex.EncodeToString(p.Identity[:16])
	return p
}
