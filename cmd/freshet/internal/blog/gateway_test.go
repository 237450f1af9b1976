package blog

import (
	"bytes"
	"net/http/httptest"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/freshet-dev/freshet"
	"github.com/freshet-dev/freshet/gateway"
	"github.com/freshet-dev/freshet/memstore"
)

// behindGateway puts the demo without a cache behind a gateway, by the routes that
// the binary has for it.
func (d *demo) behindGateway(t *testing.T) {
	t.Helper()
	origin := httptest.NewServer(d.bare)
	t.Cleanup(origin.Close)
	routes, err := os.ReadFile("../../demo.yaml")
	if err != nil {
		t.Fatal(err)
	}
	config, err := gateway.Read("demo.yaml", bytes.Replace(routes, []byte("http://127.0.0.1:8000"), []byte(origin.URL), 1))
	if err != nil {
		t.Fatal(err)
	}
	g, err := gateway.New(config, d.cache, &gateway.Options{Logger: quiet()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(g.Close)
	d.cached = g
}

// An API that knows nothing of a cache is as fresh behind the gateway.
func TestFreshBehindGateway(t *testing.T) {
	for name, open := range map[string]func(*testing.T) freshet.Opener{
		"memory": func(*testing.T) freshet.Opener { return memstore.Open },
		"redis":  onRedis,
	} {
		for _, w := range writes {
			t.Run(name+"/"+w.name, func(t *testing.T) {
				d := newDemo(t, 0, open(t))
				d.behindGateway(t)
				changed, stale := d.after(t, d.cached, w.method, w.path, w.body, w.status)
				if diff := cmp.Diff(w.changes, changed); diff != "" {
					t.Errorf("changed (-want +got):\n%s", diff)
				}
				if stale != nil {
					t.Errorf("stale after the write: %q", stale)
				}
			})
		}
	}
}
