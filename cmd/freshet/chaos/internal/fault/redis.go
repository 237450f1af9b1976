package fault

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/freshet-dev/freshet/internal/redistest"
)

// Redis is the deployment that is attacked: real servers on loopback.
type Redis struct {
	// Topology is "standalone", "sentinel" or "cluster".
	Topology string
	// Env are the variables that lead an API process to it.
	Env []string

	servers  []*redistest.Server // all that hold data
	proxy    *redistest.Proxy    // standalone: what the processes connect to
	sentinel *redistest.Sentinel
	cluster  *redistest.Cluster
}

// Launch starts a deployment. The caller closes it.
func Launch(topology string) (*Redis, error) {
	r := &Redis{Topology: topology}
	var err error
	switch topology {
	case "standalone":
		err = r.launchStandalone()
	case "sentinel":
		err = r.launchSentinel()
	case "cluster":
		err = r.launchCluster()
	default:
		err = fmt.Errorf("unknown topology %q", topology)
	}
	if err != nil {
		r.Close()
		return nil, err
	}
	return r, nil
}

func (r *Redis) launchStandalone() error {
	server, err := redistest.Launch()
	if err != nil {
		return err
	}
	r.servers = []*redistest.Server{server}
	if r.proxy, err = redistest.LaunchProxy(server.Addr); err != nil {
		return err
	}
	r.Env = []string{"REDIS_CACHE_URL=redis://" + r.proxy.Addr + "/0"}
	return nil
}

// Sentinels and Clusters tell the addresses of their servers to their clients, so
// there is no proxy in between.

func (r *Redis) launchSentinel() (err error) {
	// As Redis is by default: a master that is replaced while it works goes on
	// taking invalidations until the sentinels demote it.
	r.sentinel, err = redistest.LaunchSentinel(2, 3)
	if err != nil {
		return err
	}
	r.servers = r.sentinel.Nodes
	r.Env = []string{"REDIS_CACHE_SENTINEL=" + r.sentinel.Name + "@" + r.sentinel.Addrs}
	return nil
}

func (r *Redis) launchCluster() (err error) {
	r.cluster, err = redistest.LaunchCluster(3, 1, "--cluster-node-timeout", "1500", "--cluster-require-full-coverage", "no")
	if err != nil {
		return err
	}
	r.servers = r.cluster.Nodes
	r.Env = []string{"REDIS_CACHE_CLUSTER=" + strings.Join(r.cluster.Addrs, ",")}
	return nil
}

// Close ends all servers.
func (r *Redis) Close() {
	switch {
	case r.cluster != nil:
		r.cluster.Close()
	case r.sentinel != nil:
		r.sentinel.Close()
	default:
		for _, s := range r.servers {
			s.Close()
		}
	}
	if r.proxy != nil {
		r.proxy.Close()
	}
}

// masters returns the servers that take writes, as far as can be told.
func (r *Redis) masters() ([]*redistest.Server, error) {
	switch {
	case r.cluster != nil:
		return r.cluster.Masters()
	case r.sentinel != nil:
		master, err := r.sentinel.Current()
		return []*redistest.Server{master}, err
	}
	return r.servers, nil
}

// settle waits until all servers are in their places.
func (r *Redis) settle() error {
	switch {
	case r.cluster != nil:
		return r.cluster.Settle()
	case r.sentinel != nil:
		return r.sentinel.Settle()
	}
	return nil
}

var errSlow = errors.New("the server did not answer within 5 s")

// do runs a command, but does not wait for a server that another fault has
// frozen.
func do(s *redistest.Server, args ...string) (any, error) {
	type reply struct {
		value any
		err   error
	}
	got := make(chan reply, 1)
	go func() {
		v, err := s.Do(args...)
		got <- reply{v, err}
	}()
	select {
	case r := <-got:
		return r.value, r.err
	case <-time.After(5 * time.Second):
		return nil, errSlow
	}
}

// revive starts a stopped server. Its port may have been given to somebody else's
// connection meanwhile, which ends some time.
func revive(s *redistest.Server) (err error) {
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(100 * time.Millisecond) {
		if err = try(s.Start); err == nil || time.Now().After(deadline) {
			return err
		}
	}
}

// try turns the panic of a method that cannot fail otherwise into an error.
func try(f func()) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("%v", v)
		}
	}()
	f()
	return nil
}

// forget removes what a server has saved, so that it starts empty.
func forget(s *redistest.Server) { _ = os.Remove(s.Path("dump.rdb")) }

// info returns a field of INFO as a number, 0 when there is none.
func info(s *redistest.Server, section, field string) int64 {
	text, _ := do(s, "INFO", section)
	for line := range strings.Lines(fmt.Sprint(text)) {
		if value, ok := strings.CutPrefix(line, field+":"); ok {
			n, _ := strconv.ParseInt(strings.TrimSpace(value), 10, 64)
			return n
		}
	}
	return 0
}

// immortal is a script that returns the next cursor of a SCAN, and those keys of
// its page that have no TTL.
const immortal = `#!lua flags=no-writes,allow-cross-slot-keys
local page = redis.call('SCAN', ARGV[1], 'COUNT', 500)
local found = {page[1]}
for _, key in ipairs(page[2]) do
	if redis.call('PTTL', key) == -1 then table.insert(found, key) end
end
return found`

// Immortal returns the keys without a TTL on all masters, and how many of these
// could be asked.
func (r *Redis) Immortal() (keys []string, asked int, err error) {
	masters, err := r.masters()
	for _, s := range masters {
		cursor := "0"
		for {
			var reply any
			if reply, err = do(s, "EVAL", immortal, "0", cursor); err != nil {
				break
			}
			page, _ := reply.([]any)
			for _, key := range page[1:] {
				keys = append(keys, fmt.Sprint(key))
			}
			if cursor = fmt.Sprint(page[0]); cursor == "0" {
				asked++
				break
			}
		}
	}
	return keys, asked, err
}
