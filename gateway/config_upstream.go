package gateway

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/freshet-dev/freshet/gateway/internal/target"
	"github.com/freshet-dev/freshet/gateway/internal/upstream"
)

// Upstream is a pool of servers that are as good as each other.
type Upstream struct {
	// Servers are their addresses, such as http://10.0.0.1:8000. A path is put in
	// front of every request's.
	Servers []string `yaml:"servers"`
	// Host is what is sent as Host. Default: what the client has asked for.
	Host string `yaml:"host"`
	// Timeouts limit how long the servers may take.
	Timeouts Timeouts `yaml:"timeouts"`
	// Retries is at how many other servers a request is tried that has not reached
	// the first, or that is idempotent and has no body. Default: 1.
	Retries *int `yaml:"retries"`
	// RetryOn are the statuses on which such a request is tried again: some of 500,
	// 502, 503 and 504. Default: none, only failed connections count.
	RetryOn []int `yaml:"retry_on"`
	// MaxIdle is how many connections to each server are kept open. Default: 128.
	MaxIdle int `yaml:"max_idle"`
	// Fails is after how many failures on end a server is left alone: until it answers
	// the health check, or else for Rest. Default: 3, and 10s.
	Fails int           `yaml:"fails"`
	Rest  time.Duration `yaml:"rest"`
	// Health is how the servers are asked whether they are well. Default: not at all.
	Health *Health `yaml:"health"`
	// HTTP2 is spoken to servers with https if they offer it, by default. On is for
	// servers with http that speak it without TLS, off is for never.
	HTTP2 Switch `yaml:"http2"`
	// TLS is for servers with https.
	TLS *UpstreamTLS `yaml:"tls"`

	urls  []*url.URL
	roots *x509.CertPool
}

// Timeouts limit how long a server may take.
type Timeouts struct {
	Connect time.Duration `yaml:"connect"` // for a connection. Default: 5s
	Answer  time.Duration `yaml:"answer"`  // to the answer's header. Default: 60s
	Stall   time.Duration `yaml:"stall"`   // between two parts of its body. Default: 60s
}

// Health is a check by GET that a server passes with a status below 400.
type Health struct {
	Path    string        `yaml:"path"`    // required
	Every   time.Duration `yaml:"every"`   // Default: 5s
	Timeout time.Duration `yaml:"timeout"` // Default: 2s
}

// UpstreamTLS says whom to trust behind https.
type UpstreamTLS struct {
	CA         string `yaml:"ca"`          // a file of PEM certificates. Default: the system's
	ServerName string `yaml:"server_name"` // that certificates are checked for. Default: the server's host
	Insecure   bool   `yaml:"insecure"`    // trusts anybody: for tests
}

// complete fills in defaults and reports what is wrong at path.
func (u *Upstream) complete(path string, report func(string, error)) {
	if len(u.Servers) == 0 {
		report(path+".servers", errors.New("there is none: give at least one URL"))
	}
	for i, text := range u.Servers {
		server, err := serverURL(text)
		if err != nil {
			report(fmt.Sprintf("%s.servers[%d]", path, i), err)
		}
		u.urls = append(u.urls, server)
	}
	if _, err := target.Host(u.Host, ""); err != nil {
		report(path+".host", err)
	}
	u.defaults()
	u.limits(path, report)
	if u.TLS != nil && u.TLS.CA != "" {
		if err := u.trust(); err != nil {
			report(path+".tls.ca", err)
		}
	}
}

func serverURL(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	switch {
	case err != nil, u.Scheme != "http" && u.Scheme != "https", u.Host == "":
		return nil, fmt.Errorf("%q is no server: write a scheme and a host, such as http://127.0.0.1:8000", text)
	case u.User != nil, u.RawQuery != "", u.ForceQuery, u.Fragment != "":
		return nil, errors.New("a server has no user, query or fragment")
	}
	return u, nil
}

func (u *Upstream) defaults() {
	t := &u.Timeouts
	orElse(&t.Connect, 5*time.Second)
	orElse(&t.Answer, time.Minute)
	orElse(&t.Stall, time.Minute)
	orElse(&u.MaxIdle, 128)
	orElse(&u.Fails, 3)
	orElse(&u.Rest, 10*time.Second)
	if u.Retries == nil {
		u.Retries = new(1)
	}
	if u.Health != nil {
		orElse(&u.Health.Every, 5*time.Second)
		orElse(&u.Health.Timeout, 2*time.Second)
	}
}

// orElse sets what is not set.
func orElse[T comparable](value *T, byDefault T) {
	var zero T
	if *value == zero {
		*value = byDefault
	}
}

func (u *Upstream) limits(path string, report func(string, error)) {
	for name, d := range map[string]time.Duration{
		"timeouts.connect": u.Timeouts.Connect, "timeouts.answer": u.Timeouts.Answer, "timeouts.stall": u.Timeouts.Stall, "rest": u.Rest,
	} {
		if d < time.Millisecond {
			report(path+"."+name, fmt.Errorf("%v is too short: use a millisecond at least", d))
		}
	}
	for name, n := range map[string]int{"retries": *u.Retries + 1, "max_idle": u.MaxIdle, "fails": u.Fails} {
		if n < 1 || n > 10_000 {
			report(path+"."+name, errors.New("it is out of range"))
		}
	}
	for i, status := range u.RetryOn {
		if status != 500 && status != 502 && status != 503 && status != 504 {
			report(fmt.Sprintf("%s.retry_on[%d]", path, i), fmt.Errorf("%d is none of 500, 502, 503, 504", status))
		}
	}
	if h := u.Health; h != nil {
		if _, err := url.ParseRequestURI(h.Path); err != nil || !strings.HasPrefix(h.Path, "/") {
			report(path+".health.path", fmt.Errorf("%q is no path: it begins with a slash", h.Path))
		}
		if h.Every < 10*time.Millisecond || h.Timeout < time.Millisecond {
			report(path+".health", errors.New("every has to be 10ms at least, timeout 1ms"))
		}
	}
}

// trust reads the certificates of those who are trusted.
func (u *Upstream) trust() error {
	text, err := os.ReadFile(u.TLS.CA)
	if err != nil {
		return err
	}
	u.roots = x509.NewCertPool()
	if !u.roots.AppendCertsFromPEM(text) {
		return fmt.Errorf("%s has no certificate in PEM form", u.TLS.CA)
	}
	return nil
}

// settings returns what a pool has to know of u.
func (u *Upstream) settings() upstream.Settings {
	s := upstream.Settings{
		Servers: u.urls,
		Connect: u.Timeouts.Connect, Answer: u.Timeouts.Answer, Stall: u.Timeouts.Stall,
		Retries: *u.Retries, RetryOn: u.RetryOn, MaxIdle: u.MaxIdle, Fails: u.Fails, Rest: u.Rest,
		Protocols: u.protocols(),
	}
	if u.TLS != nil {
		s.TLS = &tls.Config{RootCAs: u.roots, ServerName: u.TLS.ServerName, InsecureSkipVerify: u.TLS.Insecure}
	}
	if h := u.Health; h != nil {
		s.Check = upstream.Check{Path: h.Path, Host: u.Host, Every: h.Every, Timeout: h.Timeout}
	}
	return s
}

func (u *Upstream) protocols() *http.Protocols {
	p := new(http.Protocols)
	p.SetHTTP1(true)
	p.SetHTTP2(u.HTTP2 != Off)
	if u.HTTP2 == On {
		// Of a transport that may speak HTTP/1 too, http URLs would get that.
		p.SetHTTP1(false)
		p.SetUnencryptedHTTP2(true)
	}
	return p
}
