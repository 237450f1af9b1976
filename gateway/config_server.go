package gateway

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"time"

	"github.com/freshet-dev/freshet/gateway/internal/access"
	"github.com/freshet-dev/freshet/gateway/internal/certs"
	"github.com/freshet-dev/freshet/gateway/internal/forwarded"
)

// Server is what the file says about the gateway's own side: where it listens, what
// it allows its clients, and who may tell it what to do.
type Server struct {
	// Listen is the address of the gateway, such as ":8080" or "127.0.0.1:8080"; port 0
	// is any free one. Default: 127.0.0.1:8080. Needs a new start to change.
	Listen string `yaml:"listen"`
	// TLS has the gateway speak HTTPS. Default: HTTP. The files are read again when
	// they change.
	TLS *TLS `yaml:"tls"`
	// Limits are how much a client may send and hold.
	Limits Limits `yaml:"limits"`
	// Timeouts are how long a client may take.
	Timeouts ServerTimeouts `yaml:"timeouts"`
	// TrustedProxies are the addresses and networks of the proxies that are believed in
	// what they say of their clients. Default: none.
	TrustedProxies []string `yaml:"trusted_proxies"`
	// Log is the access log.
	Log Log `yaml:"log"`
	// Admin is what operators use.
	Admin Admin `yaml:"admin"`

	trust forwarded.Trust
}

// TLS is a certificate and its key, in PEM form. TLS 1.2 and 1.3 are spoken.
type TLS struct {
	Cert string `yaml:"cert"` // the file of the certificate, and those up to the root. Required
	Key  string `yaml:"key"`  // the file of its key. Required
}

// Limits bound what clients can make the gateway hold.
type Limits struct {
	// Connections is how many may be open at once. Who comes beyond is refused with
	// 503. Default: 16384.
	Connections int `yaml:"connections"`
	// Header is the size of the largest header of a request; a larger one is refused
	// with 431. Default: 64KiB. Needs a new start to change.
	Header Size `yaml:"header"`
	// HeaderFields is how many lines it may have; more are refused with 431. Default:
	// 128.
	HeaderFields int `yaml:"header_fields"`
	// Body is the size of the largest body of a request; a larger one is refused with
	// 413. Default: 0, which is no limit: bodies pass through and are not held.
	Body Size `yaml:"body"`
}

// ServerTimeouts bound how long clients may take.
type ServerTimeouts struct {
	// Header is how long a client may take to send a request's header, and for the
	// TLS handshake. Default: 10s. Needs a new start to change.
	Header time.Duration `yaml:"header"`
	// Body is how long the gateway waits for more of a request's body. Each byte
	// that comes gives back two milliseconds of it, so that on average 500 bytes a
	// second are asked for. Default: 30s.
	Body time.Duration `yaml:"body"`
	// Write is how long a client may take for each 16 KiB of an answer. An answer that
	// moves is never cut off, whatever its size. Default: 30s.
	Write time.Duration `yaml:"write"`
	// Idle is how long a connection stays open without a request. Default: 2m. Needs
	// a new start to change.
	Idle time.Duration `yaml:"idle"`
	// Drain is how long the gateway goes on when it is told to stop, answering as
	// before but no longer ready: for load balancers that have to notice. Default: 0s.
	Drain time.Duration `yaml:"drain"`
	// Stop is how long requests that are under way then have to finish, and the
	// connections of WebSockets to close. Default: 30s.
	Stop time.Duration `yaml:"stop"`
}

// Log says what is written of each answer.
type Log struct {
	// Access is the form of the lines: json, common, combined, or off. Default: off.
	Access AccessFormat `yaml:"access"`
	// File is what they are appended to; it is opened anew at SIGHUP. Default: the
	// standard output.
	File string `yaml:"file"`
	// Query keeps the query of URIs, in which there may be secrets. Default: off.
	Query Switch `yaml:"query"`
}

// AccessFormat is the form of the access log's lines: json, common, combined or off.
// The zero value is off.
type AccessFormat string

// UnmarshalText reads one of the four words.
func (f *AccessFormat) UnmarshalText(text []byte) error {
	switch word := string(text); word {
	case "json", "common", "combined":
		*f = AccessFormat(word)
	case "off":
		*f = ""
	default:
		return fmt.Errorf("%q is none of json, common, combined, off", text)
	}
	return nil
}

// Admin is what operators use.
type Admin struct {
	// Addr is an address of its own for everything below Prefix, which is then not
	// reserved on the gateway's own. Default: none. Needs a new start to change.
	Addr string `yaml:"addr"`
	// Prefix is the path below which the gateway answers itself: live and ready, and
	// purge. Default: /.freshet.
	Prefix string `yaml:"prefix"`
	// TokenFile and TokenEnv say where the token is that purges are made with: in a
	// file, or in a variable of the environment. Without either nobody can purge.
	TokenFile string `yaml:"token_file"`
	TokenEnv  string `yaml:"token_env"`

	token string
}

// complete fills in defaults, reads secrets and reports what is wrong.
func (s *Server) complete(report func(path string, err error)) {
	orElse(&s.Listen, "127.0.0.1:8080")
	checkAddress("listen", s.Listen, report)
	if s.TLS != nil {
		if _, err := certs.Load(s.TLS.Cert, s.TLS.Key); err != nil {
			report("tls", err)
		}
	}
	s.Limits.complete(report)
	s.Timeouts.complete(report)
	var err error
	if s.trust, err = forwarded.Parse(s.TrustedProxies); err != nil {
		report("trusted_proxies", err)
	}
	if s.Log.File != "" && s.Log.Access == "" {
		report("log.file", errors.New("there is nothing to write to it: set access to json, common or combined"))
	}
	s.Admin.complete(report)
}

// checkAddress reports an address that has no port, or whose port is no number: what
// can be told without listening on it.
func checkAddress(path, address string, report func(string, error)) {
	_, port, err := net.SplitHostPort(address)
	if err == nil {
		_, err = net.LookupPort("tcp", port)
	}
	if err != nil {
		report(path, fmt.Errorf(`%q is no address to listen on: write host and port, such as 127.0.0.1:8080, or :8080 for all hosts`, address))
	}
}

func (l *Limits) complete(report func(string, error)) {
	orElse(&l.Connections, 16384)
	orElse(&l.Header, 64<<10)
	orElse(&l.HeaderFields, 128)
	if l.Connections < 1 {
		report("limits.connections", errors.New("it has to be 1 at least"))
	}
	if l.Header < 1<<10 || l.Header > 16<<20 {
		report("limits.header", errors.New("use 1KiB to 16MiB"))
	}
	if l.HeaderFields < 1 {
		report("limits.header_fields", errors.New("it has to be 1 at least"))
	}
}

func (t *ServerTimeouts) complete(report func(string, error)) {
	for _, f := range []struct {
		name      string
		value     *time.Duration
		byDefault time.Duration
		least     time.Duration
	}{
		{"header", &t.Header, 10 * time.Second, time.Millisecond},
		{"body", &t.Body, 30 * time.Second, time.Millisecond},
		{"write", &t.Write, 30 * time.Second, time.Millisecond},
		{"idle", &t.Idle, 2 * time.Minute, time.Millisecond},
		{"drain", &t.Drain, 0, 0},
		{"stop", &t.Stop, 30 * time.Second, time.Millisecond},
	} {
		orElse(f.value, f.byDefault)
		if *f.value < f.least {
			report("timeouts."+f.name, fmt.Errorf("%v is too short: use %v at least", *f.value, f.least))
		}
	}
}

func (a *Admin) complete(report func(path string, err error)) {
	orElse(&a.Prefix, "/.freshet")
	if a.Addr != "" {
		checkAddress("admin.addr", a.Addr, report)
	}
	if !strings.HasPrefix(a.Prefix, "/") || strings.HasSuffix(a.Prefix, "/") || strings.ContainsAny(a.Prefix, " {}%?#") {
		report("admin.prefix", fmt.Errorf("%q is no prefix: write a path that begins with a slash and does not end in one, such as /.freshet", a.Prefix))
	}
	path := "admin.token_env"
	switch {
	case a.TokenFile != "" && a.TokenEnv != "":
		report("admin", errors.New("give token_file or token_env, not both"))
		return
	case a.TokenFile != "":
		path = "admin.token_file"
		text, err := os.ReadFile(a.TokenFile)
		if err != nil {
			report(path, err)
			return
		}
		a.token = strings.TrimSpace(string(text))
	case a.TokenEnv != "":
		if a.token = os.Getenv(a.TokenEnv); a.token == "" {
			report(path, fmt.Errorf("the variable %s is not set", a.TokenEnv))
			return
		}
	default:
		return
	}
	if len(a.token) < minToken {
		report(path, fmt.Errorf("the token there has fewer than %d characters: anybody could guess it", minToken))
	}
}

// minToken is the length of the shortest token.
const minToken = 16

// files returns the files that c names, whose contents are part of it.
func (c *Config) files() (paths []string) {
	if c.TLS != nil {
		paths = append(paths, c.TLS.Cert, c.TLS.Key)
	}
	if c.Admin.TokenFile != "" {
		paths = append(paths, c.Admin.TokenFile)
	}
	for _, u := range c.Upstreams {
		if u.TLS != nil && u.TLS.CA != "" {
			paths = append(paths, u.TLS.CA)
		}
	}
	return paths
}

// accessLog returns the settings of the access log.
func (c *Config) accessLog() access.Options {
	return access.Options{Format: access.Format(c.Log.Access), Path: c.Log.File, Query: c.Log.Query.On(false)}
}

// fixed are the settings that only a new start can change, by their names in the file.
func (c *Config) fixed() map[string]any {
	return map[string]any{
		"listen": c.Listen, "tls": c.TLS != nil, "admin.addr": c.Admin.Addr, "limits.header": c.Limits.Header,
		"compress": c.Compress.On(true), "timeouts.header": c.Timeouts.Header, "timeouts.idle": c.Timeouts.Idle,
	}
}
