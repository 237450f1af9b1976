package rfc9111

import (
	"strings"
	"unicode/utf8"
)

// kind is the type of an item of a structured field (RFC 9651, section 3.3).
type kind uint8

const (
	noItem kind = iota
	integerItem
	stringItem
	tokenItem
	trueItem
	otherItem // what no field that is read here gives a meaning to
)

// item is an item without its parameters; text is what a String or Token holds, or
// the digits of an Integer with its sign.
type item struct {
	kind kind
	text string
}

// dictionary reads the lines of a field that is a Dictionary (section 4.2.2) and
// calls yield with each member, in the order of their last appearances. Nothing is
// yielded and false returned where it breaks a rule: a recipient then has to ignore
// the field as a whole (section 4.2). Parameters have no meaning here.
func dictionary(lines []string, yield func(key string, value item)) bool {
	values := make(map[string]item)
	var keys []string
	ok := members(lines, func(s *scanner) bool {
		key, value := s.key(), item{kind: trueItem}
		if s.skip('=') {
			value = s.member()
		} else if !s.parameters() {
			return false
		}
		if _, again := values[key]; !again {
			keys = append(keys, key)
		}
		values[key] = value // the last one counts
		return key != "" && value.kind != noItem
	})
	if !ok {
		return false
	}
	for _, key := range keys {
		yield(key, values[key])
	}
	return true
}

// list reads the lines of a field that is a List of Strings (section 4.2.1), with
// parameters that have no meaning here.
func list(lines []string) (texts []string, ok bool) {
	ok = members(lines, func(s *scanner) bool {
		value := s.member()
		texts = append(texts, value.text)
		return value.kind == stringItem
	})
	return texts, ok
}

// members calls one for each member of a List or Dictionary, until that is false.
func members(lines []string, one func(*scanner) bool) bool {
	s := scanner{text: strings.Trim(strings.Join(lines, ","), " ")}
	if s.done() {
		return true
	}
	for one(&s) {
		s.space()
		if s.done() {
			return true
		}
		if !s.skip(',') {
			return false
		}
		// A comma at the end is an error: one then meets nothing.
		s.space()
	}
	return false
}

// key reads a key (section 4.2.3.3), empty if none begins here.
func (s *scanner) key() string {
	if c := s.peek(); c != '*' && (c < 'a' || c > 'z') {
		return ""
	}
	return s.while(func(c byte) bool {
		return 'a' <= c && c <= 'z' || '0' <= c && c <= '9' || strings.IndexByte("_-.*", c) >= 0
	})
}

// member reads an item or an inner list with its parameters (section 4.2.1.1).
func (s *scanner) member() item {
	if !s.skip('(') {
		return s.item()
	}
	for {
		s.blank()
		if s.skip(')') {
			break
		}
		if s.item().kind == noItem {
			return item{}
		}
		if c := s.peek(); c != ' ' && c != ')' {
			return item{}
		}
	}
	if !s.parameters() {
		return item{}
	}
	return item{kind: otherItem}
}

// item reads an item with its parameters (section 4.2.3).
func (s *scanner) item() item {
	value := s.bareItem()
	if !s.parameters() {
		return item{}
	}
	return value
}

// parameters goes past parameters (section 4.2.3.2).
func (s *scanner) parameters() bool {
	for s.skip(';') {
		s.blank()
		if s.key() == "" || s.skip('=') && s.bareItem().kind == noItem {
			return false
		}
	}
	return true
}

// blank goes past spaces.
func (s *scanner) blank() { s.while(func(c byte) bool { return c == ' ' }) }

// bareItem reads an item without parameters (section 4.2.3.1).
func (s *scanner) bareItem() item {
	switch c := s.peek(); {
	case c == '"':
		return s.quotedString()
	case c == '-' || digit(c):
		return s.number()
	case c == '*' || 'a' <= c|0x20 && c|0x20 <= 'z':
		return item{tokenItem, s.while(func(c byte) bool { return tokenByte(c) || c == ':' || c == '/' })}
	case s.skip('?'):
		return when(s.skip('1'), item{kind: trueItem}, when(s.skip('0'), item{kind: otherItem}, item{}))
	case s.skip('@'):
		return when(s.number().kind == integerItem, item{kind: otherItem}, item{})
	case s.skip(':'):
		s.while(func(c byte) bool { return alphanumeric(c) || strings.IndexByte("+/=", c) >= 0 })
		return when(s.skip(':'), item{kind: otherItem}, item{})
	case s.skip('%'):
		return s.displayString()
	}
	return item{}
}

func when(yes bool, then, otherwise item) item {
	if yes {
		return then
	}
	return otherwise
}

// number reads an Integer of up to 15 digits, or a Decimal of up to 12 and 3
// (section 4.2.4).
func (s *scanner) number() item {
	from := s.at
	s.skip('-')
	whole := len(s.while(digit))
	if whole == 0 || whole > 15 {
		return item{}
	}
	if !s.skip('.') {
		return item{integerItem, s.text[from:s.at]}
	}
	part := len(s.while(digit))
	return when(whole <= 12 && part >= 1 && part <= 3, item{kind: otherItem}, item{})
}

// quotedString reads a String (section 4.2.5).
func (s *scanner) quotedString() item {
	s.skip('"')
	var b strings.Builder
	for !s.done() {
		c := s.text[s.at]
		s.at++
		switch {
		case c == '"':
			return item{stringItem, b.String()}
		case c == '\\':
			if c = s.peek(); c != '"' && c != '\\' {
				return item{}
			}
			s.at++
		case c < ' ' || c > '~':
			return item{}
		}
		b.WriteByte(c)
	}
	return item{}
}

// displayString reads what follows the % of a Display String (section 4.2.10).
func (s *scanner) displayString() item {
	if !s.skip('"') {
		return item{}
	}
	var decoded []byte
	for !s.done() {
		c := s.text[s.at]
		s.at++
		switch {
		case c == '"':
			return when(utf8.Valid(decoded), item{kind: otherItem}, item{})
		case c < ' ' || c > '~':
			return item{}
		case c == '%':
			high, low := hex(s.peek()), 0
			s.at++
			low = hex(s.peek())
			s.at++
			if high < 0 || low < 0 {
				return item{}
			}
			c = byte(high<<4 | low)
		}
		decoded = append(decoded, c)
	}
	return item{}
}

// hex returns what a hexadecimal digit in lower case stands for, -1 for another byte.
func hex(c byte) int { return strings.IndexByte("0123456789abcdef", c) }

func digit(c byte) bool { return '0' <= c && c <= '9' }
