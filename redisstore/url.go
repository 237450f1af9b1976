package redisstore

import (
	"cmp"
	"crypto/tls"
	"net"
	"net/url"
	"strconv"
	"strings"
)

// parseURL takes over what a URL says. The errors do not repeat it, since it may
// hold a password.
func (s *settings) parseURL(text string) error {
	u, err := url.Parse(text)
	if err != nil {
		return bad("URL", "cannot be read: use redis://user:password@host:port/db, and percent-encode what "+
			"the user or the password has besides letters and digits")
	}
	s.mode, s.username, s.password, s.db = modeStandalone, "", "", 0
	db := strings.TrimPrefix(u.Path, "/")
	switch u.Scheme {
	case "rediss", "valkeys":
		if s.tls == nil {
			s.tls = &tls.Config{MinVersion: tls.VersionTLS12}
		}
	case "redis", "valkey":
		// TLS that is asked for elsewhere stays on: it is never lost by a URL.
	case "unix":
		s.tls, s.network, db = nil, "unix", ""
	default:
		return bad("URL", "begins with an unknown scheme: use redis://, rediss:// or unix://")
	}
	if s.network == "unix" {
		if s.addresses = []string{u.Path}; u.Path == "" || u.Host != "" {
			return bad("URL", "names no socket: use unix:///path/to/redis.sock?db=0")
		}
	} else {
		s.addresses = []string{net.JoinHostPort(cmp.Or(u.Hostname(), "127.0.0.1"), cmp.Or(u.Port(), "6379"))}
	}
	if u.User != nil {
		s.username = u.User.Username()
		s.password, _ = u.User.Password()
	}
	return s.parseQuery(u, db)
}

// parseQuery reads the database from the query, or from what the path gave.
func (s *settings) parseQuery(u *url.URL, db string) error {
	for name := range u.Query() {
		if name != "db" {
			return bad("URL", "has the parameter "+strconv.Quote(name)+": db is the only one; other settings have "+
				"variables of their own")
		}
	}
	if db = cmp.Or(db, u.Query().Get("db"), "0"); db != "" {
		n, err := strconv.Atoi(db)
		if err != nil {
			return bad("URL", "has the database "+strconv.Quote(db)+": use a number")
		}
		s.db = n
	}
	if port := u.Port(); port != "" && !isPort(port) {
		return bad("URL", "has the port "+strconv.Quote(port)+": use 1 to 65535")
	}
	return nil
}
