package gateway_test

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"

	"github.com/freshet-dev/freshet"
	"github.com/freshet-dev/freshet/gateway"
	"github.com/freshet-dev/freshet/memstore"
)

func TestSmoke(t *testing.T) {
	var n atomic.Int32
	up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n.Add(1)
		w.Header().Set("Cache-Control", "max-age=60")
		w.Write([]byte(r.RequestURI))
		w.(http.Flusher).Flush()
	}))
	defer up.Close()
	c, err := gateway.To(up.URL)
	if err != nil {
		t.Fatal(err)
	}
	store, err := memstore.Open(t.Context(), slog.Default())
	if err != nil {
		t.Fatal(err)
	}
	cache, err := freshet.New(store, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer cache.Close(t.Context())
	g, err := gateway.New(c, cache, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	front := httptest.NewServer(g)
	defer front.Close()
	for range 2 {
		res, err := http.Get(front.URL + "/a//b%2fc?x=1;y")
		if err != nil {
			t.Fatal(err)
		}
		b, _ := io.ReadAll(res.Body)
		t.Log(res.Header, string(b))
		res, err = http.Get(front.URL + "/a/b?x=1")
		if err != nil {
			t.Fatal(err)
		}
		b, _ = io.ReadAll(res.Body)
		t.Log(res.Header, string(b))
	}
}
