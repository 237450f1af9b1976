package gateway

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/freshet-dev/freshet/gateway/internal/forwarded"
)

// Server is what the file says about the gateway's own side: where it listens and who
// may tell it what to do.
type Server struct {
	// TrustedProxies are the addresses and networks of the proxies that are believed in
	// what they say of their clients. Default: none.
	TrustedProxies []string `yaml:"trusted_proxies"`
	// Admin is what operators use.
	Admin Admin `yaml:"admin"`

	trust forwarded.Trust
}

// Admin is what operators use.
type Admin struct {
	// TokenFile and TokenEnv say where the token is that purges are made with: in a
	// file, or in a variable of the environment. Without either nobody can purge.
	TokenFile string `yaml:"token_file"`
	TokenEnv  string `yaml:"token_env"`

	token string
}

// complete fills in defaults, reads secrets and reports what is wrong.
func (s *Server) complete(report func(path string, err error)) {
	var err error
	if s.trust, err = forwarded.Parse(s.TrustedProxies); err != nil {
		report("trusted_proxies", err)
	}
	s.Admin.complete(report)
}

func (a *Admin) complete(report func(path string, err error)) {
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
		a.token = os.Getenv(a.TokenEnv)
	default:
		return
	}
	if len(a.token) < minToken {
		report(path, fmt.Errorf("the token there has fewer than %d characters: anybody could guess it", minToken))
	}
}

// minToken is the length of the shortest token.
const minToken = 16
