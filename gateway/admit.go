package gateway

import (
	"net/http"
	"net/textproto"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/freshet-dev/freshet/gateway/internal/target"
)

// protoField is how an upstream is told the scheme that the client has used. What a
// client itself says in it is gone by the time that anybody here reads it.
const protoField = "X-Forwarded-Proto"

// refusal is a request that is answered without asking anybody.
type refusal struct {
	status int
	why    string
}

// The refusals.
var (
	badHost   = &refusal{http.StatusBadRequest, "the host is not valid"}
	badTarget = &refusal{http.StatusBadRequest, "the request's target is not valid"}
	elsewhere = &refusal{http.StatusMisdirectedRequest, "this origin is not served here"}
	noTunnel  = &refusal{http.StatusNotImplemented, "the method is not supported"}
	lastHop   = &refusal{http.StatusOK, ""} // OPTIONS with Max-Forwards: 0
)

// write answers the request.
func (f *refusal) write(w http.ResponseWriter) {
	w.Header().Set("Cache-Control", "no-store")
	if f.status == http.StatusOK {
		w.Header().Set("Content-Length", "0")
		return
	}
	http.Error(w, f.why, f.status)
}

// admit brings r into the form in which it is routed, keyed and forwarded, or refuses
// it. The header is r's own and is changed.
func (t *table) admit(r *http.Request) (*http.Request, *refusal) {
	if r.Method == http.MethodConnect || r.Method == http.MethodTrace {
		// A tunnel cannot be cached, and TRACE shows what proxies add to a request.
		return nil, noTunnel
	}
	host, err := target.Host(r.Host, scheme(r))
	if err != nil || r.URL.User != nil {
		return nil, badHost
	}
	// An absolute target says how its client takes the connection (RFC 9110, section
	// 7.4): as https what came as http is for somebody else.
	if r.URL.Scheme != "" && r.URL.Scheme != scheme(r) {
		return nil, elsewhere
	}
	if len(t.config.Origins) > 0 && !slices.Contains(t.config.Origins, scheme(r)+"://"+host) {
		return nil, elsewhere
	}
	if r.Method == http.MethodOptions && !hop(r) {
		return nil, lastHop
	}
	r = r.WithContext(r.Context())
	r.Host = host
	clean(r)
	return r, t.path(r)
}

// path brings the path of r into form.
func (t *table) path(r *http.Request) *refusal {
	delete(r.Header, spelling)
	if r.URL.Path == "*" && r.Method == http.MethodOptions {
		return nil
	}
	raw := r.URL.RawPath
	if raw == "" {
		raw = r.URL.EscapedPath()
	}
	if raw == "" && r.URL.Host != "" {
		raw = "/" // http://host is http://host/ (RFC 9110, section 4.2.3)
	}
	p, err := target.ParsePath(raw)
	if err != nil || !target.ValidQuery(r.URL.RawQuery) {
		return badTarget
	}
	if p.Odd {
		r.Header[spelling] = []string{p.Exact}
	}
	if p.Routed == r.URL.EscapedPath() && r.URL.Host == "" {
		return nil
	}
	u := &url.URL{RawPath: p.Routed, RawQuery: r.URL.RawQuery, ForceQuery: r.URL.ForceQuery}
	if u.Path, err = url.PathUnescape(p.Routed); err != nil {
		return badTarget
	}
	r.URL = u
	return nil
}

// scheme returns how the client has sent r.
func scheme(r *http.Request) string {
	if lines := r.Header[protoField]; len(lines) == 1 {
		return lines[0]
	}
	if r.TLS != nil {
		return "https"
	}
	return "http"
}

// hop counts down Max-Forwards (RFC 9110, section 7.6.2) and reports whether r may be
// forwarded.
func hop(r *http.Request) bool {
	lines := r.Header["Max-Forwards"]
	if len(lines) != 1 {
		return true
	}
	n, err := strconv.ParseUint(lines[0], 10, 31)
	if err == nil && n > 0 {
		r.Header["Max-Forwards"] = []string{strconv.FormatUint(n-1, 10)}
	}
	return err != nil || n > 0
}

// unkeyed are fields that some servers take for the request's target, or its method,
// though they are in no key: with them one client could have another resource stored
// in everybody's name. The X-Forwarded- fields are replaced as a whole.
var unkeyed = [...]string{
	"X-Original-Url", "X-Original-Uri", "X-Rewrite-Url", "X-Original-Host", "X-Original-Method",
	"X-Host", "X-Http-Host-Override", "X-Url-Scheme", "X-Scheme", "X-Script-Name", "Front-End-Https", "Proxy",
}

// overriding are fields that make some servers run another method than the request's.
// On a read, which would then change something, or be answered as another method,
// they are taken out; a write is not stored, whatever it is.
var overriding = [...]string{"X-Http-Method-Override", "X-Http-Method", "X-Method-Override"}

// clean takes out of the header what may change an answer behind the key's back, and
// what would open a tunnel: in one of HTTP/2 (h2c), requests would reach the upstream
// that nobody here sees. To servers behind WSGI and CGI a field with _ in its name is the
// one with -, which is what is looked at here.
func clean(r *http.Request) {
	for name := range r.Header {
		if strings.Contains(name, "_") {
			delete(r.Header, name)
		}
	}
	// In HTTP/1.0 the wish has to be ignored (RFC 9110, section 7.8).
	if lines := r.Header["Upgrade"]; len(lines) != 1 || !strings.EqualFold(lines[0], "websocket") || !r.ProtoAtLeast(1, 1) {
		delete(r.Header, "Upgrade")
		delete(r.Header, "Http2-Settings")
	}
	for _, name := range unkeyed {
		delete(r.Header, name)
	}
	if safe(r.Method) {
		for _, name := range overriding {
			delete(r.Header, name)
		}
	}
}

// endToEnd takes out of the header what is said to be for this connection only (RFC
// 9110, section 7.6.1). Otherwise it would be in the key, and not reach the upstream: one
// client could have everybody who sends such a field get the answer to a request without
// it. What an upgrade needs is forwarded by intent, and the request's name is the
// gateway's: no client takes its request out of the logs.
func endToEnd(h http.Header) {
	for _, line := range h["Connection"] {
		for name := range strings.SplitSeq(line, ",") {
			name = textproto.CanonicalMIMEHeaderKey(strings.TrimSpace(name))
			if name != "Upgrade" && name != "Te" && name != "Connection" && name != idField {
				delete(h, name)
			}
		}
	}
}

// safe reports whether requests of a method only read (RFC 9110, section 9.2.1, and RFC
// 10008 for QUERY).
func safe(method string) bool {
	return method == http.MethodGet || method == http.MethodHead || method == http.MethodOptions || method == "QUERY"
}
