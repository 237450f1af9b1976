package target

import "strings"

// Path is the path of a request.
type Path struct {
	// Exact is the path in its normal form (RFC 3986, section 6.2.2): what needs no
	// escape has none, escapes are in upper case. It is what is forwarded.
	Exact string
	// Routed is Exact with repeated slashes taken as one: what routes are found by.
	Routed string
	// Odd says that Routed, its escapes resolved, does not tell Exact from all other
	// paths: there were repeated slashes, or there is an escape of a byte that a path
	// may also hold as it is, and that can then mean something else, as / and %2F.
	Odd bool
}

// ParsePath reads the path of a request's target as it was sent, escapes and all. The
// error is [ErrPath] or [ErrDots].
func ParsePath(raw string) (Path, error) {
	if simple(raw) {
		return Path{Exact: raw, Routed: raw}, nil
	}
	exact, odd, err := normal(raw)
	if err != nil {
		return Path{}, err
	}
	routed := exact
	if strings.Contains(exact, "//") {
		routed, odd = merge(exact), true
	}
	for segment := range strings.SplitSeq(routed, "/") {
		if segment == "." || segment == ".." {
			return Path{}, ErrDots
		}
	}
	return Path{exact, routed, odd}, nil
}

// ValidQuery reports whether a query may be forwarded as it is. Over HTTP/2 one can have
// spaces, which would end the target in an upstream's eyes, where the key goes on. Other
// bytes that it should not have, browsers send.
func ValidQuery(raw string) bool {
	return !strings.ContainsFunc(raw, func(c rune) bool { return c <= ' ' || c == 0x7f || c == '#' })
}

// simple reports whether raw is certain to be in its normal form, as nearly all are.
func simple(raw string) bool {
	for i := range len(raw) {
		c := raw[i]
		if !unreserved(c) && !delimiter(c) || i > 0 && raw[i-1] == '/' && (c == '/' || c == '.') {
			return false
		}
	}
	return raw != "" && raw[0] == '/'
}

// normal returns raw in its normal form. It is odd if an escape stands for a byte
// that may also stand for itself.
func normal(raw string) (exact string, odd bool, err error) {
	if raw == "" || raw[0] != '/' {
		return "", false, ErrPath
	}
	b := make([]byte, 0, len(raw)+8)
	for i := 0; i < len(raw); i++ {
		c := raw[i]
		switch {
		case c == '%':
			if i+2 >= len(raw) || unhex(raw[i+1]) < 0 || unhex(raw[i+2]) < 0 {
				return "", false, ErrPath
			}
			c = byte(unhex(raw[i+1])<<4 | unhex(raw[i+2]))
			odd = odd || delimiter(c)
			i += 2
			if unreserved(c) {
				b = append(b, c)
				continue
			}
		case c <= ' ' || c == 0x7f || c == '#' || c == '?':
			return "", false, ErrPath
		case unreserved(c) || delimiter(c):
			b = append(b, c)
			continue
		}
		const digits = "0123456789ABCDEF"
		b = append(b, '%', digits[c>>4], digits[c&15])
	}
	return string(b), odd, nil
}

// merge takes repeated slashes as one.
func merge(path string) string {
	b := make([]byte, 0, len(path))
	for i := range len(path) {
		if path[i] != '/' || i == 0 || path[i-1] != '/' {
			b = append(b, path[i])
		}
	}
	return string(b)
}

// unreserved are the bytes whose escape means the same as they do (RFC 3986, section
// 2.3).
func unreserved(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("-._~", c) >= 0
}

// delimiter are the other bytes that a path may hold as they are (RFC 3986, section
// 3.3).
func delimiter(c byte) bool { return strings.IndexByte("/!$&'()*+,;=:@", c) >= 0 }

// unhex returns the value of a hexadecimal digit, -1 if c is none.
func unhex(c byte) int {
	switch {
	case '0' <= c && c <= '9':
		return int(c - '0')
	case 'a' <= c && c <= 'f':
		return int(c-'a') + 10
	case 'A' <= c && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}
