package forwarded

import "strings"

// parse reads Forwarded, strictly: what is not in the grammar of RFC 7239, section
// 4, makes all of it not ok, for who takes one part of a damaged field for true has
// let its sender choose which.
func parse(lines []string) (c claim, ok bool) {
	for _, line := range lines {
		p := parser{rest: line}
		for {
			e, good := p.element()
			if !good {
				return claim{}, false
			}
			if e.any && !c.add(e) {
				return claim{}, false
			}
			if p.done() {
				break
			}
		}
	}
	return c, true
}

// add takes over one element: what one proxy says. The first that names a protocol
// or host is the nearest to the client; as with X-Forwarded-Proto, later ones must
// not say something else.
func (c *claim) add(e element) bool {
	c.chain = append(c.chain, address(e.node))
	for _, v := range []struct {
		kept *string
		said string
	}{{&c.proto, strings.ToLower(e.proto)}, {&c.host, e.host}} {
		if v.said == "" {
			continue
		}
		if *v.kept != "" && !strings.EqualFold(*v.kept, v.said) {
			return false
		}
		*v.kept = v.said
	}
	return validProto(c.proto) && (c.host == "" || validHost(c.host))
}

// element is one member of the list: forwarded-element in the RFC's words.
type element struct {
	node, proto, host string
	any               bool // it is not empty
}

type parser struct{ rest string }

// done reports whether the line is at its end, and else skips the comma that
// element has stopped at.
func (p *parser) done() bool {
	if p.rest == "" {
		return true
	}
	p.rest = p.rest[1:]
	return false
}

// element reads up to the next comma or the end: pairs with semicolons between
// them, any of which may be missing, each parameter once.
func (p *parser) element() (e element, ok bool) {
	seen := map[string]bool{}
	p.space()
	for {
		name := strings.ToLower(p.token())
		if name != "" {
			value, good := p.value()
			if !good || seen[name] {
				return e, false
			}
			seen[name], e.any = true, true
			if !e.set(name, value) {
				return e, false
			}
		}
		p.space()
		if p.rest == "" || p.rest[0] == ',' {
			return e, true
		}
		if p.rest[0] != ';' {
			return e, false
		}
		p.rest = p.rest[1:]
		p.space() // not in the grammar, but in what proxies send
	}
}

// set takes a parameter over. Those that are not registered, and by, say nothing
// that is needed here.
func (e *element) set(name, value string) bool {
	switch name {
	case "for":
		e.node = value
		return value != ""
	case "proto":
		e.proto = value
		return value != ""
	case "host":
		e.host = value
		return value != ""
	}
	return true
}

// value reads "=" and a token or quoted-string.
func (p *parser) value() (value string, ok bool) {
	if !strings.HasPrefix(p.rest, "=") {
		return "", false
	}
	p.rest = p.rest[1:]
	if !strings.HasPrefix(p.rest, `"`) {
		value = p.token()
		return value, value != ""
	}
	return p.quoted()
}

func (p *parser) quoted() (value string, ok bool) {
	var b strings.Builder
	for i := 1; i < len(p.rest); i++ {
		switch c := p.rest[i]; {
		case c == '"':
			p.rest = p.rest[i+1:]
			return b.String(), true
		case c == '\\' && i+1 < len(p.rest):
			i++
			b.WriteByte(p.rest[i])
		case c < ' ' && c != '\t' || c == 0x7f:
			return "", false
		default:
			b.WriteByte(c)
		}
	}
	return "", false
}

func (p *parser) space() { p.rest = strings.TrimLeft(p.rest, " \t") }

// token reads the characters of a token (RFC 9110, section 5.6.2) that come next.
func (p *parser) token() string {
	i := 0
	for i < len(p.rest) && tokenByte(p.rest[i]) {
		i++
	}
	token := p.rest[:i]
	p.rest = p.rest[i:]
	return token
}

func tokenByte(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0
}

// standard writes the field: the host and the protocol stand with the client, who
// has asked that way.
func (c *claim) standard(names []string, host string) string {
	b := make([]byte, 0, 64)
	for i, name := range names {
		if i > 0 {
			b = append(b, ", "...)
		}
		b = append(b, "for="...)
		if strings.Contains(name, ":") {
			b = append(b, `"[`...)
			b = append(b, name...)
			b = append(b, `]"`...)
		} else {
			b = append(b, name...)
		}
		if i > 0 {
			continue
		}
		if host != "" {
			b = append(append(b, ";host="...), quote(host)...)
		}
		b = append(append(b, ";proto="...), c.proto...)
	}
	return string(b)
}

// quote returns value as a token if it is one, else as a quoted-string. A byte that
// could not be in one is left out: a Host that nobody has checked yet comes here.
func quote(value string) string {
	plain := true
	for i := range len(value) {
		plain = plain && tokenByte(value[i])
	}
	if plain && value != "" {
		return value
	}
	b := []byte{'"'}
	for i := range len(value) {
		switch c := value[i]; {
		case c < ' ' || c > '~':
		case c == '"' || c == '\\':
			b = append(b, '\\', c)
		default:
			b = append(b, c)
		}
	}
	return string(append(b, '"'))
}
