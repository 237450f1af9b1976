package resolve

import (
	"cmp"
	"net/http"
	"net/url"
	"slices"
)

// Reading returns a read of u, which is of the origin that r is for. It stands for the
// reads of anybody, at any time: it has r's header, context and connection because
// Plan.Params may look for a value there.
func Reading(r *http.Request, u *url.URL) *http.Request {
	path := &url.URL{Path: cmp.Or(u.Path, "/"), RawPath: u.RawPath, RawQuery: u.RawQuery, ForceQuery: u.ForceQuery}
	read := &http.Request{
		Method: http.MethodGet, URL: path, RequestURI: path.RequestURI(), Host: r.Host, Header: r.Header, Body: http.NoBody,
		Proto: r.Proto, ProtoMajor: r.ProtoMajor, ProtoMinor: r.ProtoMinor, TLS: r.TLS, RemoteAddr: r.RemoteAddr,
	}
	return read.WithContext(r.Context())
}

// Stored calls yield with what reads of r's URI are answered from, whoever makes them:
// a key, or a glob of the keys of all callers; not at all where such reads bypass the
// cache. r is of [Reading].
func (p *Plan) Stored(r *http.Request, yield func(kind Kind, text string)) {
	s, readable := p.takeURI(r)
	defer s.free()
	if !readable {
		return
	}
	text, _, err := p.Key.Append(s.key, s.ident, s)
	switch {
	case err == nil && !s.repeated:
		yield(Key, string(text))
	case err != nil && (p.Params != nil || p.Caller != nil && slices.Contains(p.Named, CallerName)):
		// What is not known of this read may be known of others.
		yield(Match, string(p.Key.Widen(s.key, s)))
	}
}
