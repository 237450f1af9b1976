package gateway_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/freshet-dev/freshet"
)

// TestForwardedFields: upstreams are told who asks, by everybody in the words that
// the gateway stands for, and a trusted proxy is believed.
func TestForwardedFields(t *testing.T) {
	up := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := r.Header
		_, _ = fmt.Fprintf(w, "%s|%s|%s|%s|%s", h.Get("X-Forwarded-For"), h.Get("X-Forwarded-Proto"), h.Get("X-Forwarded-Host"), h.Get("Forwarded"), r.Host)
	})
	claims := []string{"Host: api.example", "X-Forwarded-For: 192.0.2.7", "X-Forwarded-Proto: https", "X-Forwarded-Host: www.example"}
	s := stand(t, up, plain)
	want := "127.0.0.1|http|api.example|for=127.0.0.1;host=api.example;proto=http|api.example"
	if got := s.get("/", claims...).body; got != want {
		t.Errorf("a stranger:\n%s, want\n%s", got, want)
	}
	s = stand(t, up, plain+"trusted_proxies: [127.0.0.0/8]\n")
	want = "192.0.2.7, 127.0.0.1|https|www.example|for=192.0.2.7;host=www.example;proto=https, for=127.0.0.1|www.example"
	if got := s.get("/", claims...).body; got != want {
		t.Errorf("a trusted proxy:\n%s, want\n%s", got, want)
	}
}

// TestRequestID: a harmless name is kept, others are replaced, and upstreams get it.
func TestRequestID(t *testing.T) {
	up := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = fmt.Fprint(w, strings.Join(r.Header["X-Request-Id"], "|"))
	})
	s := stand(t, up, plain)
	if got := s.get("/1", "X-Request-Id: abc-1.2_3:4").body; got != "abc-1.2_3:4" {
		t.Errorf("%q", got)
	}
	own := regexp.MustCompile("^[0-9a-f]{32}$")
	for i, fields := range [][]string{nil, {"Connection: X-Request-Id"}, {"X-Request-Id: a\tb"}, {"X-Request-Id: " + strings.Repeat("a", 129)}, {"X-Request-Id: <script>"}, {"X-Request-Id: a", "X-Request-Id: b"}} {
		if got := s.get(fmt.Sprintf("/%d", i+2), fields...).body; !own.MatchString(got) {
			t.Errorf("%v became %q", fields, got)
		}
	}
}

// TestAccessLog: what is written of each kind of answer.
func TestAccessLog(t *testing.T) {
	up := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/broken" {
			w.Header().Set("Content-Length", "10")
			_, _ = w.Write([]byte("12345"))
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		}
		w.Header().Set("Cache-Control", "max-age=60")
		_, _ = w.Write([]byte("hello"))
	})
	path := filepath.Join(t.TempDir(), "access.log")
	s := stand(t, up, plain+"log: {access: json, file: "+path+"}\nlimits: {body: 10}\n")
	s.get("/a%20b?token=secret", "X-Request-Id: id-1", "User-Agent: me \"quoted\"", "X-Forwarded-For: 8.8.8.8")
	s.get("/a%20b?token=secret", "X-Request-Id: id-2")
	s.do("POST", "/p", "too much for the limit", "X-Request-Id: id-3", "X-Forwarded-For: 8.8.8.8")
	s.get("/.freshet/live", "X-Request-Id: id-4", "X-Forwarded-For: 8.8.8.8")
	s.raw("GET /broken HTTP/1.1\nHost: h\nX-Request-Id: id-5\nConnection: close\n\n")
	s.raw("GET //evil HTTP/1.0\nX-Request-Id: id-6\n\n")
	s.stop()
	if err := s.end(); err != nil {
		t.Fatal(err)
	}
	lines := logged(t, path)
	for i, want := range []map[string]any{
		{"method": "GET", "path": "/a%20b", "status": 200.0, "bytes": 5.0, "cache": "miss", "client": "127.0.0.1", "user_agent": "me \"quoted\"", "proto": "HTTP/1.1", "scheme": "http", "host": s.addr},
		{"path": "/a%20b", "status": 200.0, "bytes": 5.0, "cache": "hit", "upstream": nil},
		{"method": "POST", "status": 413.0, "cache": nil, "client": "127.0.0.1"},
		{"path": "/.freshet/live", "status": 200.0, "cache": nil, "client": "127.0.0.1"},
		{"path": "/broken", "aborted": true},
		{"path": "//evil", "proto": "HTTP/1.0"},
	} {
		line := lines[fmt.Sprintf("id-%d", i+1)]
		if line == nil {
			t.Errorf("request %d has no line", i+1)
			continue
		}
		for name, value := range want {
			if line[name] != value {
				t.Errorf("request %d: %s is %v, want %v", i+1, name, line[name], value)
			}
		}
	}
	if first := lines["id-1"]; first["upstream"] == nil || first["duration_ms"] == nil || first["time"] == nil {
		t.Errorf("the first line is not complete: %v", first)
	}
}

// logged returns the lines of an access log by the request's name. None holds what
// only queries have held.
func logged(t *testing.T, path string) map[string]map[string]any {
	t.Helper()
	all, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(all), "secret") {
		t.Error("a query is in the log")
	}
	lines := make(map[string]map[string]any)
	for line := range strings.Lines(string(all)) {
		var fields map[string]any
		if err := json.Unmarshal([]byte(line), &fields); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		lines[fields["request_id"].(string)] = fields
	}
	return lines
}

// TestHealth: an upstream that fails makes the gateway unready, a store that fails does
// not; who asks from outside learns no more than that.
func TestHealth(t *testing.T) {
	dead := server(t, text(""))
	for _, admin := range []string{"", "admin: {addr: 127.0.0.1:0}\n"} {
		s := standOn(t, dead, "upstreams: {api: {servers: [UPSTREAM], health: {path: /health, every: 20ms}, fails: 1}}\n"+admin)
		base := s.url
		if admin != "" {
			base = "http://" + s.front.AdminAddr().String()
			if got := statusOf(t, s, s.url+"/.freshet/ready"); got != http.StatusOK {
				t.Errorf("with an address of its own, the gateway's is all the upstream's, not %d", got)
			}
		}
		s.store.Observe(freshet.Event{Kind: freshet.EventStore, Err: errors.New("down")})
		s.store.Observe(freshet.Event{Kind: freshet.EventHit})
		status, body := health(t, s, base)
		if status != http.StatusOK || body["store"] != "fails" || body["ready"] != true {
			t.Errorf("without a store: %d, %v", status, body)
		}
		if _, told := body["upstreams"]; told != (admin != "") {
			t.Errorf("upstreams: %v", body)
		}
		s.store.Observe(freshet.Event{Kind: freshet.EventStore})
		if _, body := health(t, s, base); body["store"] != "works" {
			t.Errorf("with a store: %v", body)
		}
	}
}

// TestUnready: no server of an upstream works.
func TestUnready(t *testing.T) {
	up := new(sick)
	s := stand(t, up, "upstreams: {api: {servers: [UPSTREAM], health: {path: /health, every: 20ms}, fails: 1}}\n")
	for _, well := range []bool{false, true} {
		up.well.Store(well)
		s.until(fmt.Sprint("ready: ", well), func() bool {
			status, body := health(t, s, s.url)
			return (status == http.StatusOK) == well && body["ready"] == well
		})
	}
}

func health(t *testing.T, s *front, base string) (status int, body map[string]any) {
	t.Helper()
	res, err := s.client.Get(base + "/.freshet/ready")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if err := json.NewDecoder(res.Body).Decode(&body); err != nil {
		t.Fatal(err)
	}
	if res.Header.Get("Cache-Control") != "no-store" {
		t.Error("health may be cached")
	}
	return res.StatusCode, body
}

// TestReservedPaths never reach the upstream, in whatever spelling.
func TestReservedPaths(t *testing.T) {
	s := stand(t, text("upstream"), plain)
	for path, want := range map[string]int{
		"/.freshet": 404, "/.freshet/": 404, "/.freshet/other": 404, "/%2efreshet/live": 200, "/.freshet/live": 200, "/.freshet/purge": 403,
	} {
		if got := s.get(path); got.StatusCode != want || got.body == "upstream" {
			t.Errorf("%s: %d %s", path, got.StatusCode, got.body)
		}
	}
	if got := s.get("/.freshets"); got.body != "upstream" {
		t.Errorf("/.freshets: %d", got.StatusCode)
	}
	if got := s.do("POST", "/.freshet/live", ""); got.StatusCode != http.StatusMethodNotAllowed || got.Header.Get("Allow") != "GET, HEAD" {
		t.Errorf("POST: %d", got.StatusCode)
	}
}
