package gateway

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/freshet-dev/freshet/gateway/internal/target"
)

// Route says what happens to the requests that match a pattern.
type Route struct {
	// Pattern is as http.ServeMux has it: "GET /posts/{post_id}". Required.
	Pattern string `yaml:"pattern"`
	// Name stands for the route in logs. Default: the pattern.
	Name string `yaml:"name"`
	// Upstream is where requests go. Default: the only one.
	Upstream string `yaml:"upstream"`
	// Key is the template of the key. Default: the request's URI.
	Key string `yaml:"key"`
	// Invalidate, InvalidateMatch and InvalidateTags are templates of what a write
	// drops, besides the route's own key and the request's URI.
	Invalidate      []string `yaml:"invalidate"`
	InvalidateMatch []string `yaml:"invalidate_match"`
	InvalidateTags  []string `yaml:"invalidate_tags"`

	Handling `yaml:",inline"`
}

// Default says what happens to the requests that no route matches.
type Default struct {
	// Upstream is where they go. Default: the only one.
	Upstream string `yaml:"upstream"`

	Handling `yaml:",inline"`
}

// Handling is what routes and the default can say alike: the fields of
// [freshet.Rule], which documents them.
type Handling struct {
	// Cache off sends requests straight to the upstream: nothing is stored, and
	// nothing is invalidated.
	Cache                Switch        `yaml:"cache"`
	TTL                  time.Duration `yaml:"ttl"`
	ErrorTTL             time.Duration `yaml:"error_ttl"`
	Lifetime             Lifetime      `yaml:"lifetime"`
	Jitter               float64       `yaml:"jitter"`
	StaleWhileRevalidate time.Duration `yaml:"stale_while_revalidate"`
	StaleIfError         time.Duration `yaml:"stale_if_error"`
	SoftTimeout          time.Duration `yaml:"soft_timeout"`
	HardTimeout          time.Duration `yaml:"hard_timeout"`
	EarlyRefresh         bool          `yaml:"early_refresh"`
	RefreshAhead         time.Duration `yaml:"refresh_ahead"`
	IgnoreClient         bool          `yaml:"ignore_client"`
	Tags                 []string      `yaml:"tags"`
	FenceFor             time.Duration `yaml:"fence_for"`
	NoIntent             bool          `yaml:"no_intent"`
	Query                []string      `yaml:"query"`
	IgnoreQuery          []string      `yaml:"ignore_query"`
	VaryHeaders          []string      `yaml:"vary_headers"`
	Caller               *Caller       `yaml:"caller"`
	Shared               bool          `yaml:"shared"`
	MaxBody              Size          `yaml:"max_body"`
}

// complete reports what is wrong at path.
func (h *Handling) complete(path string, report func(string, error)) {
	if h.Caller != nil {
		if err := h.Caller.check(); err != nil {
			report(path+".caller", err)
		}
		if h.Shared {
			report(path+".shared", errors.New("answers are either the same for everybody or told apart by caller: take one of them back"))
		}
	}
}

// route checks what only routes have.
func (c *Config) route(path string, r *Route) {
	switch {
	case r.Pattern == "":
		c.file.Report(path+".pattern", errors.New(`it is missing: write it as in "GET /posts/{post_id}"`))
	case strings.TrimSpace(r.Pattern) == "/":
		c.file.Report(path+".pattern", errors.New("/ is everything: use the section default for it"))
	}
	c.patternHost(path, r.Pattern)
	for _, name := range [...]string{schemeName, hostName, pathName, queryName} {
		if strings.Contains(r.Pattern, "{"+name) {
			c.file.Report(path+".pattern", fmt.Errorf("{%s} is a part of the request's URI: give the wildcard another name", name))
		}
	}
	if r.TTL == 0 && r.Key == "" && r.Lifetime == "" {
		r.Lifetime = "answer"
	}
}

// patternHost reports a host that no request has by the time that it is routed.
func (c *Config) patternHost(path, pattern string) {
	_, rest, stated := strings.Cut(pattern, " ")
	if !stated {
		rest = pattern
	}
	host, _, _ := strings.Cut(strings.TrimSpace(rest), "/")
	if form, err := target.Host(host, ""); err != nil || form != host || strings.Contains(host, ":") {
		c.file.Report(path+".pattern", fmt.Errorf("no request has the host %q: write it in lower case, without a port or a dot at its end", host))
	}
}
