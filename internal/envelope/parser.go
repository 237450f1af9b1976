package envelope

// parser takes the parts of variable size off the front of rest. After a
// failure every method returns the zero value.
type parser struct {
	rest   string
	failed string // why, or empty
}

func (p *parser) fail(why string) {
	if p.failed == "" {
		p.failed, p.rest = why, ""
	}
}

// number takes an uvarint that is at most limit. It is written out, since
// encoding/binary reads from bytes only and most lengths are one byte.
func (p *parser) number(limit uint64) int {
	var n uint64
	for i := range min(len(p.rest), uvarintOverhead) {
		c := p.rest[i]
		n |= uint64(c&0x7f) << (7 * i)
		if c < 0x80 {
			if n > limit {
				break
			}
			p.rest = p.rest[i+1:]
			return int(n)
		}
	}
	p.fail("a number is out of range or cut off")
	return 0
}

// count takes the number of parts that follow, each of at least smallest
// bytes. No memory is allocated for more parts than the rest could hold.
func (p *parser) count(smallest int) int {
	n := p.number(maxParts)
	if n*smallest > len(p.rest) {
		p.fail("more parts than bytes")
		return 0
	}
	return n
}

func (p *parser) part() string {
	n := p.number(maxPart)
	if n > len(p.rest) {
		p.fail("a part is cut off")
		return ""
	}
	part := p.rest[:n]
	p.rest = p.rest[n:]
	return part
}

func (p *parser) tags() []string {
	n := p.count(smallestPart)
	if n == 0 {
		return nil
	}
	tags := make([]string, n)
	for i := range tags {
		tags[i] = p.part()
	}
	return tags
}

func (p *parser) header() []Field {
	n := p.count(smallestField)
	if n == 0 {
		return nil
	}
	header := make([]Field, n)
	for i := range header {
		header[i] = Field{Name: p.part(), Value: p.part()}
	}
	return header
}

// body takes the body, which is all that is left.
func (p *parser) body(flags byte) string {
	size := p.number(maxBody)
	if p.failed != "" {
		return ""
	}
	switch {
	case flags&^compressed != 0:
		p.fail("unknown flags")
	case flags&compressed != 0:
		body, why := unpack(p.rest, size)
		if why != "" {
			p.fail(why)
		}
		return body
	case len(p.rest) != size:
		p.fail("the body has another size than declared")
	}
	return p.rest
}
