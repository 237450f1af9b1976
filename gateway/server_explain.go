package gateway

import "strings"

// server says what the gateway's own side is.
func (e *explanation) server(s *Server) {
	kind := "HTTP/1.1 and HTTP/2, without TLS"
	if s.TLS != nil {
		kind = "HTTPS with " + s.TLS.Cert
	}
	e.line(0, "listens on %s: %s", s.Listen, kind)
	l, t := s.Limits, s.Timeouts
	body := "a body of any size"
	if l.Body > 0 {
		body = "a body of " + l.Body.String()
	}
	e.line(1, "a client may send: a header of %v in %d lines within %v, %s", l.Header, l.HeaderFields, t.Header, body)
	e.line(1, "%d connections; closed after %v without more of a body, %v for 16 KiB of an answer, %v without a request", l.Connections, t.Body, t.Write, t.Idle)
	e.line(1, "told to stop: answers for %v longer, then requests have %v to end", t.Drain, t.Stop)
	if len(s.TrustedProxies) > 0 {
		e.line(1, "believes what proxies say of their clients: %s", strings.Join(s.TrustedProxies, ", "))
	} else {
		e.line(1, "believes no proxy: a client is who has opened the connection")
	}
	e.access(&s.Log)
	e.admin(&s.Admin)
}

func (e *explanation) access(l *Log) {
	if l.Access == "" {
		e.line(1, "access log: off")
		return
	}
	where, query := "the standard output", "without queries"
	if l.File != "" {
		where = l.File
	}
	if l.Query.On(false) {
		query = "with queries"
	}
	e.line(1, "access log: %s to %s, %s", l.Access, where, query)
}

func (e *explanation) admin(a *Admin) {
	where := "below " + a.Prefix
	if a.Addr != "" {
		where = "on " + a.Addr + " " + where
	}
	token := "nobody, there is no token"
	switch {
	case a.TokenFile != "":
		token = "who has the token in " + a.TokenFile
	case a.TokenEnv != "":
		token = "who has the token in $" + a.TokenEnv
	}
	e.line(1, "health %s; purge by %s", where, token)
}
