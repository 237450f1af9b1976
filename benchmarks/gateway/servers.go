package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/freshet-dev/freshet/benchmarks/internal/measure"
	"github.com/freshet-dev/freshet/internal/redistest"
)

// server is one of those that are compared.
type server struct {
	name string
	// start starts it on addr, before the origin; dir is its own.
	start func(b *bench, addr, dir string) (*exec.Cmd, error)
}

const (
	constantName = "constant handler"
	embedded     = "freshet, embedded"
	onRedis      = "freshet, Redis"
	nginxName    = "nginx proxy_cache"
	varnishName  = "Varnish"
)

var servers = []server{
	{constantName, nil}, // the origin itself
	{embedded, func(b *bench, addr, _ string) (*exec.Cmd, error) {
		return b.freshet(addr, "REDIS_CACHE_ENABLED=true"), nil
	}},
	{onRedis, func(b *bench, addr, _ string) (*exec.Cmd, error) {
		return b.freshet(addr, "REDIS_CACHE_URL=redis://"+b.redis.Addr), nil
	}},
	{nginxName, nginx},
	{varnishName, varnish},
}

// bench is what the servers of one comparison share.
type bench struct {
	dir    string
	binary string // freshet's
	redis  *redistest.Server
	origin string // its address
}

func (b *bench) freshet(addr, variable string) *exec.Cmd {
	cmd := exec.Command(b.binary, "serve", "--to", "http://"+b.origin, "--addr", addr)
	// Otherwise a look-up on a busy machine may be given up, and be a miss.
	cmd.Env = append(environ(), variable, "REDIS_CACHE_LOOKUP_TIMEOUT=5s")
	return cmd
}

// environ returns the environment without settings of a Redis that is not ours.
func environ() (kept []string) {
	for _, line := range os.Environ() {
		if !strings.HasPrefix(line, "REDIS_CACHE_") {
			kept = append(kept, line)
		}
	}
	return kept
}

// build makes the binary that is measured, of the code as it stands here.
func build(dir string) (string, error) {
	binary := filepath.Join(dir, "freshet")
	out, err := exec.Command("go", "build", "-o", binary, "github.com/freshet-dev/freshet/cmd/freshet").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("building freshet: %w\n%s", err, out)
	}
	return binary, nil
}

// nginxConfig caches in files on disk, as nginx does, with two workers, and logs
// nothing. The order is: directory, origin, address.
const nginxConfig = `worker_processes 2;
daemon off;
pid %[1]s/pid;
error_log %[1]s/error.log;
events { worker_connections 4096; }
http {
	access_log off;
	client_body_temp_path %[1]s/body; proxy_temp_path %[1]s/proxy; fastcgi_temp_path %[1]s/fastcgi; uwsgi_temp_path %[1]s/uwsgi; scgi_temp_path %[1]s/scgi;
	keepalive_requests 100000000;
	sendfile on;
	tcp_nopush on;
	proxy_cache_path %[1]s/cache keys_zone=one:10m;
	server {
		listen %[3]s;
		location / {
			proxy_pass http://%[2]s;
			proxy_cache one;
			add_header Cache-Status "nginx; $upstream_cache_status";
		}
	}
}
`

func nginx(b *bench, addr, dir string) (*exec.Cmd, error) {
	path, err := find("nginx")
	if err != nil {
		return nil, err
	}
	config := filepath.Join(dir, "nginx.conf")
	if err := os.WriteFile(config, fmt.Appendf(nil, nginxConfig, dir, b.origin, addr), 0o600); err != nil {
		return nil, err
	}
	return exec.Command(path, "-e", filepath.Join(dir, "error.log"), "-p", dir, "-c", config), nil
}

// varnish keeps everything in memory.
func varnish(b *bench, addr, dir string) (*exec.Cmd, error) {
	path, err := find("varnishd")
	if err != nil {
		return nil, err
	}
	return exec.Command(path, "-F", "-n", filepath.Join(dir, "varnish"), "-a", addr, "-b", b.origin, "-s", "malloc,64m",
		// Between two windows the others have theirs.
		"-p", "timeout_idle=3600"), nil
}

// errMissing says that a server is not installed.
var errMissing = errors.New("is not installed")

// find looks where root's programs are, too, which is not in everybody's PATH.
func find(name string) (string, error) {
	for _, candidate := range []string{name, "/usr/sbin/" + name, "/usr/local/sbin/" + name} {
		if path, err := exec.LookPath(candidate); err == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("%s %w", name, errMissing)
}

// startOrigin starts the origin for bodies of a size.
func startOrigin(size int) (c *measure.Child, addr string, err error) {
	return measure.Start(roleOrigin, fmt.Sprint(size))
}
