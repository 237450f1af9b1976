package gateway

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/freshet-dev/freshet"
	"github.com/freshet-dev/freshet/gateway/internal/target"
	"github.com/freshet-dev/freshet/internal/resolve"
)

// Order is what the purge endpoint is asked for, as JSON.
type Order struct {
	Keys  []string `json:"keys"`
	Tags  []string `json:"tags"`
	Match []string `json:"match"` // globs of keys
	// Groups are those that answers name in Cache-Groups (RFC 9875), those of Origin
	// where the gateway answers for several.
	Groups []string `json:"groups"`
	Origin string   `json:"origin"`
	// URLs are absolute. What is kept of them by any rule goes.
	URLs []string `json:"urls"`
	All  bool     `json:"all"`
	// Soft makes all that stale, instead of unservable.
	Soft bool `json:"soft"`
}

// maxOrder is the size of the largest order, in bytes.
const maxOrder = 1 << 20

// Purge returns the purge endpoint: POST of an [Order] with the admin token, as
// "Authorization: Bearer <token>". The answer is {"version": "..."} once everything
// that is named can no longer be served, by any process on the same store; 400 for an
// order that cannot be carried out, of which nothing has been; 401 without the token,
// 403 if there is none in the configuration; 502 if the store has not taken it yet: it
// is being retried, and what it names is not served by this process meanwhile.
func (g *Gateway) Purge() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		t := g.current.Load()
		w.Header().Set("Cache-Control", "no-store")
		switch {
		case !t.config.Admin.permits(w, r):
		case r.Method != http.MethodPost:
			w.Header().Set("Allow", http.MethodPost)
			http.Error(w, "purge by POST", http.StatusMethodNotAllowed)
		default:
			targets, err := t.targets(http.MaxBytesReader(w, r.Body, maxOrder))
			g.purge(w, r, targets, err)
		}
	})
}

// methodPurge is what caches have long been told to forget something by.
const methodPurge = "PURGE"

// purgeURI answers a request with the method PURGE: what is kept of its URI goes. With
// "Freshet-Purge: soft" it becomes stale.
func (g *Gateway) purgeURI(t *table, w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	if !t.config.Admin.permits(w, r) {
		return
	}
	soft, err := false, error(nil)
	switch kind := r.Header.Get("Freshet-Purge"); kind {
	case "", "hard":
	case "soft":
		soft = true
	default:
		err = fmt.Errorf("Freshet-Purge is %q: it can be soft or hard", kind)
	}
	g.purge(w, r, softly(t.stored(resolve.Reading(r, r.URL)), soft), err)
}

// purge invalidates targets, unless err says that they are not what was meant.
func (g *Gateway) purge(w http.ResponseWriter, r *http.Request, targets []freshet.Target, err error) {
	if err == nil && len(targets) == 0 {
		err = errors.New("it names nothing: give keys, tags, groups, match, urls or all")
	}
	if err != nil {
		http.Error(w, "freshet: the order cannot be carried out: "+err.Error(), http.StatusBadRequest)
		return
	}
	version, err := g.cache.Invalidate(r.Context(), targets...)
	switch {
	case errors.Is(err, freshet.ErrTarget):
		http.Error(w, err.Error(), http.StatusBadRequest)
	case err != nil:
		http.Error(w, "freshet: the store has not taken it yet; it is being retried", http.StatusBadGateway)
	default:
		g.log.Info("freshet: purged", "targets", len(targets), "version", uint64(version))
		w.Header().Set("Content-Type", "application/json")
		// In quotes: numbers of this size are not exact in every JSON reader.
		_, _ = fmt.Fprintf(w, "{\"version\":\"%d\"}\n", version)
	}
}

// permits reports whether r has the token, and refuses it if not.
func (a *Admin) permits(w http.ResponseWriter, r *http.Request) bool {
	if a.token == "" {
		http.Error(w, "freshet: there is no token in the configuration (admin.token_file, admin.token_env), so nobody may do this", http.StatusForbidden)
		return false
	}
	scheme, given, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	// Digests, so that the time says nothing about the length either.
	want, got := sha256.Sum256([]byte(a.token)), sha256.Sum256([]byte(strings.TrimSpace(given)))
	if !strings.EqualFold(scheme, "Bearer") || subtle.ConstantTimeCompare(want[:], got[:]) != 1 {
		w.Header().Set("WWW-Authenticate", `Bearer realm="freshet"`)
		http.Error(w, "freshet: the token is not right", http.StatusUnauthorized)
		return false
	}
	return true
}

// targets returns what an order names. It is taken whole or not at all.
func (t *table) targets(body io.Reader) ([]freshet.Target, error) {
	var o Order
	d := json.NewDecoder(body)
	d.DisallowUnknownFields()
	// Nothing at all names nothing, which is told below.
	if err := d.Decode(&o); err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("there is something behind the order")
	}
	var all []freshet.Target
	for _, key := range o.Keys {
		all = append(all, freshet.Key(key))
	}
	for _, glob := range o.Match {
		all = append(all, freshet.Match(glob))
	}
	for _, tag := range o.Tags {
		all = append(all, freshet.Tag(tag))
	}
	prefix, err := t.groupPrefix(&o)
	if err != nil {
		return nil, err
	}
	for _, group := range o.Groups {
		all = append(all, freshet.Tag(prefix+group))
	}
	for _, text := range o.URLs {
		r, err := t.reading(text)
		if err != nil {
			return nil, err
		}
		all = append(all, t.stored(r)...)
	}
	if o.All {
		all = append(all, freshet.All())
	}
	return softly(all, o.Soft), nil
}

func softly(targets []freshet.Target, soft bool) []freshet.Target {
	if soft {
		for i := range targets {
			targets[i] = targets[i].Softly()
		}
	}
	return targets
}

// groupPrefix returns what stands before the names of an order's groups in tags.
func (t *table) groupPrefix(o *Order) (string, error) {
	if len(o.Groups) == 0 || len(t.config.Origins) == 1 {
		return "", nil
	}
	u, err := url.Parse(o.Origin)
	if err != nil || u.Host == "" {
		return "", errors.New("groups are those of one origin: name it, such as https://api.example.com")
	}
	host, err := target.Host(u.Host, u.Scheme)
	return u.Scheme + "://" + freshet.Escape(host) + "|", err
}

// reading returns a read of an absolute URL, admitted as a client's would be.
func (t *table) reading(text string) (*http.Request, error) {
	r, err := http.NewRequest(http.MethodGet, text, nil)
	if err != nil || r.URL.Host == "" || r.URL.Scheme != "http" && r.URL.Scheme != "https" {
		return nil, fmt.Errorf("%q is no absolute URL", text)
	}
	r.Header[protoField] = []string{r.URL.Scheme}
	admitted, refused := t.admit(r)
	if refused != nil {
		return nil, fmt.Errorf("%q: %s", text, refused.why)
	}
	return admitted, nil
}

// stored returns what may be kept of the URI that r reads.
func (t *table) stored(r *http.Request) (targets []freshet.Target) {
	t.uris.Related(r, &t.byURI, func(kind resolve.Kind, text string) {
		targets = append(targets, freshet.Target{Kind: freshet.TargetKind(kind), Value: text})
	})
	return targets
}
