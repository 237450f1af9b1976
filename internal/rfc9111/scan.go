package rfc9111

import "strings"

// scanner walks over the value of a field. It never goes back, so that any reading
// takes time in proportion to the length.
type scanner struct {
	text string
	at   int
}

func (s *scanner) done() bool { return s.at >= len(s.text) }

// peek returns the next byte, 0 at the end.
func (s *scanner) peek() byte {
	if s.done() {
		return 0
	}
	return s.text[s.at]
}

// skip goes past the next byte if it is c.
func (s *scanner) skip(c byte) bool {
	if s.peek() != c || s.done() {
		return false
	}
	s.at++
	return true
}

// space goes past spaces and tabs.
func (s *scanner) space() {
	for s.peek() == ' ' || s.peek() == '\t' {
		s.at++
	}
}

// while returns the longest run of bytes that may stand in it.
func (s *scanner) while(in func(byte) bool) string {
	from := s.at
	for !s.done() && in(s.text[s.at]) {
		s.at++
	}
	return s.text[from:s.at]
}

// token returns the token that begins here (RFC 9110, section 5.6.2), empty if none
// does.
func (s *scanner) token() string { return s.while(tokenByte) }

// argument returns a token or what a quoted string stands for; a quoted string that
// does not end is the only one that is not ok.
func (s *scanner) argument() (value string, ok bool) {
	if !s.skip('"') {
		return s.token(), true
	}
	var b strings.Builder
	for !s.done() {
		c := s.text[s.at]
		s.at++
		switch {
		case c == '"':
			return b.String(), true
		case c == '\\' && !s.done():
			c = s.text[s.at]
			s.at++
		}
		b.WriteByte(c)
	}
	return "", false
}

// tokenByte reports whether c may stand in a token.
func tokenByte(c byte) bool {
	return alphanumeric(c) || strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0
}

func alphanumeric(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}
