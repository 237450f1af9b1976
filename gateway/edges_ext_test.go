package gateway_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
)

// TestConnectionOptionsAreNotKeyed: what Connection names does not reach the upstream,
// so it must not be what the answer is kept by (RFC 9110, section 7.6.1): one client
// could have everybody get the answer to a request without it.
func TestConnectionOptionsAreNotKeyed(t *testing.T) {
	polyglot := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "public, max-age=60")
		w.Header().Set("Vary", "Accept-Language")
		fmt.Fprintf(w, "in %q", r.Header.Get("Accept-Language"))
	})
	for name, file := range map[string]string{
		"by Vary": plain,
		"by rule": plain + `routes: [{pattern: "GET /p/{id}", key: "p:{id}", ttl: 1m, vary_headers: [Accept-Language]}]`,
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t, polyglot, file)
			s.get("/p/7") // so that what it depends on is known
			s.get("/p/7", "Accept-Language: de", "Connection: keep-alive, accept-language")
			if got := s.get("/p/7", "Accept-Language: de"); got.body != `in "de"` {
				t.Errorf("%s: %s", got.cached(), got.body)
			}
		})
	}
}

// TestOtherUpgrades: only WebSockets get through. In a tunnel of HTTP/2 requests would
// reach the upstream that nobody here sees.
func TestOtherUpgrades(t *testing.T) {
	up := crude(t, func(r *http.Request, conn net.Conn) {
		if r.Header.Get("Upgrade") == "" && r.Header.Get("Http2-Settings") == "" {
			_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
			return
		}
		_, _ = io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: "+r.Header.Get("Upgrade")+"\r\n\r\ntunnel")
	})
	for _, upgrade := range []string{"h2c", "H2C", "h2c, websocket", "websocket, h2c", "TLS/1.0", "websocket\r\nUpgrade: h2c"} {
		s := openOn(t, up, plain)
		conn := s.dial()
		_, _ = io.WriteString(conn, "GET /p HTTP/1.1\r\nHost: h.com\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\nUpgrade: "+upgrade+"\r\n\r\n")
		res, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil || res.StatusCode != http.StatusOK {
			t.Errorf("%q: %v %v", upgrade, res, err)
		}
		conn.Close()
	}
}

// TestUnderscores: to servers behind WSGI and CGI X_Host is X-Host. A field that is
// spelt so is not forwarded.
func TestUnderscores(t *testing.T) {
	for _, field := range []string{"X_Original_URL", "X-Original_Url", "X_HTTP_Method_Override", "X_Host", "X_Api_Key", "Freshet_Path", "Accept_Language"} {
		s := open(t, mirror(), plain+`routes: [{pattern: "GET /p/{id}", key: "p:{id}", ttl: 1m, caller: {header: X-Api-Key}}]`)
		if first := s.get("/p/7", field+": evil"); strings.Contains(first.body, "evil") {
			t.Errorf("%s reaches the upstream, and everybody: %s\n%s", field, first.cached(), first.body)
		}
	}
}

// TestClaimsStay: a client cannot take out what the gateway says of it.
func TestClaimsStay(t *testing.T) {
	s := open(t, mirror(), plain)
	got := s.get("/p/7", "Connection: X-Forwarded-For, X-Forwarded-Proto, X-Forwarded-Host, Forwarded, Via, Freshet-Path")
	for _, field := range []string{"X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host", "Forwarded", "Via"} {
		if !strings.Contains(got.body, field+": [") {
			t.Errorf("no %s:\n%s", field, got.body)
		}
	}
}
