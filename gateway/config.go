package gateway

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"slices"

	"github.com/freshet-dev/freshet/gateway/internal/strict"
	"github.com/freshet-dev/freshet/gateway/internal/target"
)

// Config is what the gateway's file says. docs/gateway.md is its reference. It is made
// by [Load], [Read] or [To], complete and without mistakes, and must not be changed.
type Config struct {
	Server `yaml:",inline"`

	// Origins are the origins that the gateway answers for, as in
	// "https://api.example.com". Requests to others get 421. Default: all, and what
	// is kept is then kept for each host and scheme.
	Origins []string `yaml:"origins"`
	// Upstreams are the pools of servers that requests go to, by name.
	Upstreams map[string]*Upstream `yaml:"upstreams"`
	// Routes are the rules, in any order: the most specific pattern counts.
	Routes []*Route `yaml:"routes"`
	// Default is for everything that no route matches.
	Default Default `yaml:"default"`
	// Compress codes stored answers for clients that accept it (zstd, br, gzip), see
	// Codings. Default: on. Needs a new start to change.
	Compress Switch `yaml:"compress"`
	// PurgeMethod takes requests with the method PURGE on the main address, with the
	// admin token, as invalidations of their URI. Default: off.
	PurgeMethod Switch `yaml:"purge_method"`

	file *strict.File // for the places of problems
}

// Load is [Read] of the file at path.
func Load(path string) (*Config, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("freshet: the gateway's file: %w", err)
	}
	return Read(path, text)
}

// Read reads text, the contents of the file called name, which is only used in
// errors. The error holds every problem, each in a line of its own that begins with
// name, line and column, names the field and says what to do. Secrets and
// certificates that the file names are read too.
func Read(name string, text []byte) (*Config, error) {
	c := new(Config)
	c.file = strict.Decode(name, text, c)
	if !c.file.Unread() {
		c.complete()
	}
	if err := c.file.Err(); err != nil {
		return nil, err
	}
	return c, nil
}

// To returns the configuration without a file: everything goes to the server at
// address, such as "http://127.0.0.1:8000", by HTTP's own rules.
func To(address string) (*Config, error) {
	c := &Config{Upstreams: map[string]*Upstream{"to": {Servers: []string{address}}}}
	c.file = strict.Decode("freshet", nil, c)
	c.complete()
	if err := c.file.Err(); err != nil {
		return nil, err
	}
	return c, nil
}

// complete fills in defaults and reports what is wrong.
func (c *Config) complete() {
	c.Server.complete(c.file.Report)
	c.origins()
	if len(c.Upstreams) == 0 {
		c.file.Report("upstreams", errors.New(`there is none: name one, as in "api: {servers: [http://127.0.0.1:8000]}"`))
	}
	for name, u := range c.Upstreams {
		u.complete("upstreams."+name, c.file.Report)
	}
	c.Default.Upstream = c.upstream("default", c.Default.Upstream)
	c.Default.Handling.complete("default", c.file.Report)
	for i, r := range c.Routes {
		path := fmt.Sprintf("routes[%d]", i)
		r.Upstream = c.upstream(path, r.Upstream)
		r.Handling.complete(path, c.file.Report)
		c.route(path, r)
	}
	c.patterns()
}

func (c *Config) origins() {
	for i, text := range c.Origins {
		u, err := url.Parse(text)
		if err == nil && (u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.Path != "" && u.Path != "/" || u.RawQuery != "" || u.User != nil) {
			err = target.ErrHost
		}
		var host string
		if err == nil {
			host, err = target.Host(u.Host, u.Scheme)
		}
		if err != nil {
			c.file.Report(fmt.Sprintf("origins[%d]", i), fmt.Errorf("%q is no origin: write a scheme and a host, such as https://api.example.com", text))
			continue
		}
		c.Origins[i] = u.Scheme + "://" + host
	}
}

// upstream returns the upstream that is meant where the file says name, which may be
// left out where there is no choice.
func (c *Config) upstream(path, name string) string {
	names := make([]string, 0, len(c.Upstreams))
	for known := range c.Upstreams {
		names = append(names, known)
	}
	slices.Sort(names)
	switch {
	case name == "" && len(names) == 1:
		return names[0]
	case name == "" && len(names) > 1:
		c.file.Report(path, fmt.Errorf("it needs an upstream, one of %v", names))
	case name != "" && c.Upstreams[name] == nil:
		c.file.Report(path+".upstream", fmt.Errorf("there is no upstream %q, only %v", name, names))
	}
	return name
}
