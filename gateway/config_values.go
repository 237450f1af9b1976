package gateway

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/freshet-dev/freshet"
	"github.com/freshet-dev/freshet/internal/rfc9111"
)

// Switch is on or off, or, as its zero value, what is the default.
type Switch uint8

// The settings of a [Switch].
const (
	ByDefault Switch = iota
	On
	Off
)

// On reports what s is where the default is byDefault.
func (s Switch) On(byDefault bool) bool { return s == On || s == ByDefault && byDefault }

// UnmarshalText reads on, off, true and false.
func (s *Switch) UnmarshalText(text []byte) error {
	switch string(text) {
	case "on", "true":
		*s = On
	case "off", "false":
		*s = Off
	default:
		return fmt.Errorf("%q is neither on nor off", text)
	}
	return nil
}

// Size is a number of bytes.
type Size int64

// units are those of a [Size], longest names first.
var units = []struct {
	name  string
	bytes int64
}{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"GB", 1e9}, {"MB", 1e6}, {"kB", 1e3}, {"KB", 1e3}, {"B", 1}}

// UnmarshalText reads a whole number with or without a unit: 4096, 64KiB, 1MiB.
func (s *Size) UnmarshalText(text []byte) error {
	number, scale := string(text), int64(1)
	for _, u := range units {
		if rest, ok := strings.CutSuffix(number, u.name); ok {
			number, scale = strings.TrimSpace(rest), u.bytes
			break
		}
	}
	n, err := strconv.ParseInt(number, 10, 64)
	if err != nil || n < 0 || n > (1<<62)/scale {
		return fmt.Errorf("%q is not a size: write a whole number of bytes, or one with a unit such as 64KiB, 1MiB or 2GiB", text)
	}
	*s = Size(n * scale)
	return nil
}

// String returns the size in the largest unit that leaves it whole.
func (s Size) String() string {
	for _, u := range units[:3] {
		if s != 0 && int64(s)%u.bytes == 0 {
			return strconv.FormatInt(int64(s)/u.bytes, 10) + u.name
		}
	}
	return strconv.FormatInt(int64(s), 10)
}

// Lifetime is where the lifetime of answers comes from, see [freshet.Lifetime]:
// shorter, answer, heuristic or rule.
type Lifetime string

var lifetimes = map[Lifetime]freshet.Lifetime{
	"shorter": freshet.LifetimeShorter, "answer": freshet.LifetimeAnswer,
	"heuristic": freshet.LifetimeHeuristic, "rule": freshet.LifetimeRule,
}

// UnmarshalText reads one of the four words.
func (l *Lifetime) UnmarshalText(text []byte) error {
	*l = Lifetime(text)
	if _, ok := lifetimes[*l]; !ok {
		return fmt.Errorf("%q is none of shorter, answer, heuristic, rule", text)
	}
	return nil
}

// Caller says what tells one caller from another: one of the two.
type Caller struct {
	Header string `yaml:"header"` // the name of a request header, such as Authorization
	Cookie string `yaml:"cookie"` // the name of a cookie
}

func (c *Caller) check() error {
	if (c.Header == "") == (c.Cookie == "") {
		return errors.New("it needs either a header or a cookie, by name")
	}
	if name := c.Header + c.Cookie; !rfc9111.Token(name) || strings.EqualFold(c.Header, "Host") {
		// Nobody would ever have it: all would be taken for one.
		return fmt.Errorf("%q is not the name of a header field or a cookie", name)
	}
	return nil
}
