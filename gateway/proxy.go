package gateway

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/freshet-dev/freshet"
	"github.com/freshet-dev/freshet/gateway/internal/pace"
	"github.com/freshet-dev/freshet/gateway/internal/upstream"
	"github.com/freshet-dev/freshet/internal/resolve"
	"github.com/freshet-dev/freshet/internal/rfc9111"
)

// pool is an upstream's servers with the proxy in front of them.
type pool struct {
	*upstream.Pool
	config *Upstream
	byURI  resolve.Plan
	proxy  httputil.ReverseProxy
	log    *slog.Logger
	told   atomic.Int64 // when a failure was last logged, in seconds
}

// via is how the gateway calls itself (RFC 9110, section 7.6.3).
const via = "freshet"

func newPool(name string, u *Upstream, log *slog.Logger) *pool {
	p := &pool{config: u, byURI: uriPlan(), log: log.With("upstream", name)}
	settings := u.settings()
	settings.Changed = p.changed
	p.Pool = upstream.New(settings)
	p.proxy = httputil.ReverseProxy{
		Rewrite:        p.rewrite,
		Transport:      p.Pool,
		ModifyResponse: p.arrived,
		ErrorHandler:   p.failed,
		ErrorLog:       slog.NewLogLogger(p.log.Handler(), slog.LevelDebug),
		BufferPool:     copyBuffers,
	}
	return p
}

func (p *pool) changed(server string, up bool, why error) {
	if up {
		p.log.Info("freshet: the server works again", "server", server)
		return
	}
	p.log.Warn("freshet: the server fails and is left alone", "server", server, "error", why)
}

// ServeHTTP forwards an admitted request.
func (p *pool) ServeHTTP(w http.ResponseWriter, r *http.Request) { p.forward(w, r, false) }

// forward forwards an admitted request; plain if its answer is wanted in no coding.
func (p *pool) forward(w http.ResponseWriter, r *http.Request, plain bool) {
	a := &answer{w: w, r: r, header: make(http.Header), reads: safe(r.Method), plain: plain}
	ctx := context.WithValue(r.Context(), answerKey{}, a)
	if ctx.Value(http.ServerContextKey) == nil {
		// Only where there is a server does ReverseProxy panic when an answer breaks off
		// in the middle; elsewhere it would pass for whole.
		ctx = context.WithValue(ctx, http.ServerContextKey, new(http.Server))
	}
	p.proxy.ServeHTTP(a, r.WithContext(ctx))
}

// rewrite makes the request to the upstream.
func (p *pool) rewrite(pr *httputil.ProxyRequest) {
	in, out := pr.In, pr.Out
	exact := in.URL.EscapedPath()
	if lines := in.Header[spelling]; lines != nil {
		exact = lines[0]
		delete(out.Header, spelling)
	}
	// The query byte for byte as it is in the key, whatever net/url can read of it.
	out.URL = &url.URL{RawQuery: in.URL.RawQuery, ForceQuery: in.URL.ForceQuery}
	if in.URL.Path == "*" {
		out.URL.Opaque = "*"
	} else {
		out.URL.RawPath = exact
		out.URL.Path, _ = url.PathUnescape(exact) // admitted
	}
	out.Host = in.Host
	if p.config.Host != "" {
		out.Host = p.config.Host
	}
	for _, name := range [...]string{"Forwarded", "X-Forwarded-For", "X-Forwarded-Host", protoField, idField} {
		if lines := in.Header[name]; lines != nil {
			out.Header[name] = lines
		}
	}
	if a, ok := in.Context().Value(answerKey{}).(*answer); ok && a.plain {
		out.Header["Accept-Encoding"] = []string{"identity"}
	}
	out.Header.Add("Via", protocol(in.ProtoMajor, in.ProtoMinor)+" "+via)
}

// protocol is the received-protocol of Via.
func protocol(major, minor int) string {
	if major >= 2 {
		return string('0' + rune(major))
	}
	return string('0'+rune(major)) + "." + string('0'+rune(minor))
}

// arrived completes the header of an upstream's answer.
func (p *pool) arrived(res *http.Response) error {
	if err := legible(res); err != nil {
		return err
	}
	res.Header.Add("Via", protocol(res.ProtoMajor, res.ProtoMinor)+" "+via)
	if res.Header["Date"] == nil {
		// RFC 9110, section 6.6.1: who has a clock adds it.
		res.Header.Set("Date", time.Now().UTC().Format(http.TimeFormat))
	}
	if res.Header["Content-Encoding"] != nil && !slices.Contains(res.Header["Vary"], "Accept-Encoding") {
		// Some servers code answers, and do not say that it depends on the request.
		res.Header.Add("Vary", "Accept-Encoding")
	}
	ctx := res.Request.Context()
	if res.ContentLength < 0 && res.ProtoMajor == 1 && len(res.TransferEncoding) == 0 {
		// Its end is that of the connection (RFC 9112, section 8): nobody can tell
		// whether it is whole.
		freshet.FromContext(ctx).NoStore()
	}
	if t, ok := ctx.Value(trailKey{}).(*trail); ok {
		t.server.Store(&res.Request.URL.Host)
	}
	if a, ok := ctx.Value(answerKey{}).(*answer); ok {
		a.streams = streaming(res.Header.Get("Content-Type"))
		p.related(ctx, a.r, res)
	}
	return nil
}

// errIllegible says that an upstream's answer can be read in more than one way.
var errIllegible = errors.New("the answer's status or its framing is not legible")

// legible takes away the white space between a field's name and its colon, which
// net/http reads as part of the name (RFC 9112, section 5.1): "Cache-Control : no-store"
// would be no Cache-Control. Where the body's end depends on it, it has been read the
// wrong way already. So is a status that has no class an error.
func legible(res *http.Response) error {
	if res.StatusCode < 100 {
		return errIllegible
	}
	for name, lines := range res.Header {
		if !strings.HasSuffix(name, " ") {
			continue
		}
		plain := http.CanonicalHeaderKey(strings.TrimRight(name, " "))
		if plain == "Content-Length" || plain == "Transfer-Encoding" || plain == "Connection" {
			return errIllegible
		}
		delete(res.Header, name)
		res.Header[plain] = append(res.Header[plain], lines...)
	}
	return nil
}

// related invalidates what is kept by its URI of the resources that the answer to a
// write names (RFC 9111, section 4.4). The cache itself finds what the rules keep by
// keys of their own, but knows of no rule without a pattern.
func (p *pool) related(ctx context.Context, r *http.Request, res *http.Response) {
	if safe(r.Method) || !rfc9111.InvalidatesTarget(res.StatusCode) {
		return
	}
	for _, u := range rfc9111.Related(r, res.Header) {
		p.byURI.Stored(resolve.Reading(r, u), func(kind resolve.Kind, text string) {
			// A failure is the cache's, which retries and tells.
			_ = freshet.FromContext(ctx).Invalidate(freshet.Target{Kind: freshet.TargetKind(kind), Value: text})
		})
	}
}

// trail is what is to be known of a request's way once it has been answered, for
// those in front of the gateway who have put one into its context.
type trail struct {
	server atomic.Pointer[string] // the address of the server that answered, if one was asked
}

// trailKey is the key of the [trail] in its request's context.
type trailKey struct{}

// streaming reports whether answers of a type come bit by bit, for somebody who waits
// for each.
func streaming(contentType string) bool {
	kind, _, _ := strings.Cut(contentType, ";")
	switch kind = strings.ToLower(strings.TrimSpace(kind)); kind {
	case "text/event-stream", "application/x-ndjson", "application/stream+json", "multipart/x-mixed-replace":
		return true
	}
	return strings.HasPrefix(kind, "application/grpc")
}

// failed answers for an upstream that did not. What exactly went wrong is for the log
// alone.
func (p *pool) failed(w http.ResponseWriter, r *http.Request, err error) {
	status, text := http.StatusBadGateway, "the upstream did not answer"
	var timeout net.Error
	var tooLarge *http.MaxBytesError
	var body *upstream.BodyError
	switch {
	case errors.As(err, &tooLarge):
		status, text = http.StatusRequestEntityTooLarge, "the request's body is too large"
	case errors.Is(err, pace.ErrSlow):
		status, text = http.StatusRequestTimeout, "the request's body came too slowly"
	case errors.As(err, &body):
		status, text = http.StatusBadRequest, "the request's body is broken"
	case errors.As(err, &timeout) && timeout.Timeout():
		status, text = http.StatusGatewayTimeout, "the upstream did not answer in time"
	}
	if now := time.Now().Unix(); r.Context().Err() == nil && status >= 500 && p.told.Swap(now) != now {
		// One a second says enough; the access log has them all.
		p.log.Warn("freshet: "+text, "method", r.Method, "path", r.URL.Path, "error", err)
	}
	w.Header().Set("Cache-Control", "no-store")
	http.Error(w, text, status)
}
