package redisstore_test

import (
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/freshet-dev/freshet"
	"github.com/freshet-dev/freshet/internal/redistest"
	"github.com/freshet-dev/freshet/redisstore"
)

// documented returns the line ACL SETUSER of docs/operations.md for the deployment,
// which is the word in the comment above it.
func (d *deployment) documented(t *testing.T) []string {
	t.Helper()
	text, err := os.ReadFile("../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile(`(?m)^# ` + d.name + `\n(ACL SETUSER .*)$`).FindStringSubmatch(string(text))
	if m == nil {
		t.Fatalf("docs/operations.md has no line for %s", d.name)
	}
	return strings.Fields(m[1])
}

// deployment is a Redis with a user of the fewest rights.
type deployment struct {
	name             string
	servers, masters []*redistest.Server
	options          func(*redisstore.Options)
}

func single(t *testing.T) *deployment {
	options, servers := standalone(t)
	return &deployment{"standalone", servers, servers, options}
}

func withSentinel(t *testing.T) *deployment {
	group := redistest.StartSentinel(t)
	options := func(o *redisstore.Options) { o.Sentinel = group.Name + "@" + group.Addr }
	return &deployment{"sentinel", group.Nodes, group.Nodes[:1], options}
}

func inCluster(t *testing.T) *deployment {
	c := redistest.StartReplicatedCluster(t, 3, 1)
	options := func(o *redisstore.Options) { o.Cluster = strings.Join(c.Addrs, ",") }
	return &deployment{"cluster", c.Nodes, c.Nodes[:3], options}
}

// allow gives the user the rights of a line, and no others.
func (d *deployment) allow(t testing.TB, line []string) {
	t.Helper()
	for _, server := range d.servers {
		_, _ = server.Do("ACL", "DELUSER", "freshet") // and its connections
		do(t, server, line...)
	}
}

func (d *deployment) asUser(o *redisstore.Options) {
	d.options(o)
	o.Username, o.Password, o.Namespace = "freshet", "secret", "shop"
}

// TestFewestRights looks for each right that the documentation gives whether it is
// needed. That they are enough is shown by TestConformance.
func TestFewestRights(t *testing.T) {
	t.Parallel()
	for _, start := range []func(*testing.T) *deployment{single, withSentinel, inCluster} {
		d := start(t)
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			testNeeded(t, d, d.documented(t))
		})
	}
}

// testNeeded takes away each right in turn. New has to name it, and the commands
// have to be such as the store calls, beside those with which it asks.
func testNeeded(t *testing.T, d *deployment, line []string) {
	t.Helper()
	for _, right := range line {
		name, isCommand := strings.CutPrefix(right, "+")
		isPattern := strings.HasPrefix(right, "~") || strings.HasPrefix(right, "&")
		if !isCommand && !isPattern || name == "subscribe" {
			continue
		}
		d.allow(t, slices.DeleteFunc(slices.Clone(line), func(r string) bool {
			// Which one the client takes depends on the server's version.
			return r == right || strings.HasPrefix(r, "+cluster|") && strings.HasPrefix(right, "+cluster|")
		}))
		o := &redisstore.Options{Logger: discard}
		d.asUser(o)
		s, err := redisstore.New(t.Context(), o)
		if err == nil {
			s.Close()
			t.Errorf("without %s: New reports nothing", right)
			continue
		}
		if !strings.Contains(err.Error(), "REDIS_CACHE_USERNAME") || isCommand && !strings.Contains(err.Error(), "'"+name+"'") &&
			!strings.Contains(err.Error(), "'cluster|") {
			t.Errorf("without %s: %v", right, err)
		}
	}
}

// TestRightsAreUsed compares the line for a single server with the commands that
// the sources name.
func TestRightsAreUsed(t *testing.T) {
	named := regexp.MustCompile(`call\('([A-Z]+)'|B\(\)\.([A-Z][a-z]+)\(`)
	elsewhere := []string{"role", "wait"} // of a Cluster, and of a setting
	used := make(map[string]bool)
	for _, glob := range []string{"lua/*.lua", "*.go"} {
		files, err := filepath.Glob(glob)
		if err != nil || len(files) == 0 {
			t.Fatal(files, err)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range named.FindAllStringSubmatch(string(text), -1) {
				name := strings.ToLower(m[1] + m[2])
				if !strings.HasSuffix(file, "_test.go") && !slices.Contains(elsewhere, name) && name != "arbitrary" {
					used["+"+name] = true
				}
			}
		}
	}
	var given []string
	for _, right := range (&deployment{name: "standalone"}).documented(t) {
		if strings.HasPrefix(right, "+") {
			given = append(given, right)
		}
	}
	if diff := cmp.Diff(slices.Sorted(maps.Keys(used)), sorted(given)); diff != "" {
		t.Errorf("rights that the sources need, and that are documented (-want +got):\n%s", diff)
	}
}

// TestRightTakenAway: what is denied later is an error, and not taken for a loss.
func TestRightTakenAway(t *testing.T) {
	d := single(t)
	d.allow(t, d.documented(t))
	s := openWith(t, d.asUser)
	fill(t, s, key("k"), time.Hour, "body")
	stamp := lookup(t, s, key("other")).Stamp
	do(t, d.servers[0], "ACL", "SETUSER", "freshet", "-zscore")
	if _, err := s.Fill(t.Context(), key("other"), stamp, &freshet.Entry{Loaded: time.Now(), TTL: time.Hour}); err == nil {
		t.Error("a fill without a right that it needs: no error")
	}
	wantHit(t, s, key("k"), "body")
}

// TestNoSubscription: without the right to subscribe, waiting for other processes
// takes until their leases end. The log says so, once.
func TestNoSubscription(t *testing.T) {
	t.Parallel()
	d := single(t)
	line := d.documented(t)
	d.allow(t, slices.DeleteFunc(slices.Clone(line), func(right string) bool { return right == "+subscribe" }))
	log := new(journal)
	s := openWith(t, d.asUser, func(o *redisstore.Options) { o.Logger = slog.New(slog.NewTextHandler(log, nil)) })
	stamp := lookup(t, s, key("k")).Stamp
	held, err := s.Lease(t.Context(), key("k"), nil, stamp)
	if err != nil {
		t.Fatal(err)
	}
	waiting, err := s.Lease(t.Context(), key("k"), nil, stamp)
	if err != nil {
		t.Fatal(err)
	}
	released := make(chan error)
	go func() { _, err := waiting.Wait(t.Context()); released <- err }()
	await(t, "the log", func() bool { return strings.Contains(log.String(), "'subscribe'") })
	held.Release(t.Context(), true)
	if err := <-released; err != nil {
		t.Error(err)
	}
	if text := log.String(); strings.Count(text, "'subscribe'") != 1 {
		t.Errorf("the log has not exactly one line that names the right:\n%s", text)
	}
}

// journal is a log that may be written to while it is read.
type journal struct {
	mu   sync.Mutex
	text strings.Builder
}

func (j *journal) Write(b []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(b)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.String()
}
