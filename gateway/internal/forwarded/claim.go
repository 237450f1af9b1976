package forwarded

import (
	"cmp"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// claim is what is said of a request: the way it has come, the client first, and
// how and for which host the client has asked; "" is unknown.
type claim struct {
	chain       []netip.Addr
	proto, host string
}

// believed returns what a trusted peer says, and what is own for what it does not
// say. A proxy that knows only one of the two ways to say it passes the other on as
// the client has sent it. So where both are there, they have to agree; if they do
// not, one of them is a stranger's, and neither is believed.
func (t *Trust) believed(r *http.Request, own claim) claim {
	said, ok := conventional(r.Header)
	if lines := r.Header[stdField]; len(lines) > 0 {
		standard, good := parse(lines)
		switch {
		case !good || !ok:
			return own
		case !said.empty() && !said.agrees(standard):
			return own
		}
		standard.proto, standard.host = cmp.Or(standard.proto, said.proto), cmp.Or(standard.host, said.host)
		said = standard
	}
	if !ok {
		return own
	}
	own.chain = t.known(said.chain)
	if said.proto != "" {
		own.proto = said.proto
	}
	own.host = said.host
	return own
}

func (c *claim) empty() bool { return len(c.chain) == 0 && c.proto == "" && c.host == "" }

// agrees reports whether two claims say nothing different.
func (c *claim) agrees(o claim) bool {
	same := func(a, b string) bool { return a == "" || b == "" || strings.EqualFold(a, b) }
	return slices.Equal(c.chain, o.chain) && same(c.proto, o.proto) && same(c.host, o.host)
}

// known returns the end of a chain that trusted proxies have made: each of them
// vouches for the address before its own. Invalid addresses are nobody's.
func (t *Trust) known(chain []netip.Addr) []netip.Addr {
	i := len(chain)
	for i > 0 && chain[i-1].IsValid() {
		i--
		if !t.believes(chain[i]) {
			break // the client: what is before it, it has said itself
		}
	}
	return slices.Clone(chain[i:])
}

// conventional reads X-Forwarded-*. It is not ok where a field says two things.
func conventional(h http.Header) (c claim, ok bool) {
	for _, text := range list(h[forField]) {
		c.chain = append(c.chain, address(text))
	}
	proto, one := single(h[protoField])
	host, only := single(h[hostField])
	c.proto, c.host = strings.ToLower(proto), host
	return c, one && only && validProto(c.proto) && (host == "" || validHost(host))
}

func validProto(proto string) bool { return proto == "" || proto == "http" || proto == "https" }

// list returns the members of a list field (RFC 9110, section 5.6.1).
func list(lines []string) (members []string) {
	for _, line := range lines {
		for member := range strings.SplitSeq(line, ",") {
			if member = strings.Trim(member, " \t"); member != "" {
				members = append(members, member)
			}
		}
	}
	return members
}

// single returns the only value of a field, "" if it is absent. Some proxies append
// to it what the next has said: that is fine as long as it is the same.
func single(lines []string) (value string, ok bool) {
	for i, member := range list(lines) {
		if i > 0 && !strings.EqualFold(member, value) {
			return "", false
		}
		value = member
	}
	return value, true
}

// address reads a node: an IP address, in brackets or not, with a port or without.
// It returns the zero Addr for anything else ("unknown", "_hidden").
func address(text string) netip.Addr {
	if ap, err := netip.ParseAddrPort(text); err == nil {
		return ap.Addr().Unmap()
	}
	if inner, ok := strings.CutPrefix(text, "["); ok {
		text, ok = strings.CutSuffix(inner, "]")
		if !ok {
			return netip.Addr{}
		}
	}
	a, err := netip.ParseAddr(text)
	if err != nil {
		return netip.Addr{}
	}
	return a.Unmap()
}

// write puts the claim into the header of r, whose Host is final.
func (c *claim) write(r *http.Request) {
	var names []string
	for _, a := range c.chain {
		names = append(names, name(a))
	}
	r.Header[forField] = []string{strings.Join(names, ", ")}
	r.Header[protoField] = []string{c.proto}
	if r.Host != "" {
		r.Header[hostField] = []string{r.Host}
	}
	r.Header[stdField] = []string{c.standard(names, r.Host)}
}

// name is how an address is written; RFC 7239, section 6.2, has the word for one
// that is not known.
func name(a netip.Addr) string {
	if !a.IsValid() {
		return "unknown"
	}
	return a.WithZone("").String()
}
