package gateway_test

import (
	"encoding/pem"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// proto answers with the protocol that it was asked in.
var proto = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "max-age=60")
	_, _ = io.WriteString(w, r.Proto)
})

// secure runs an upstream with TLS and returns its address and its certificate's file.
func secure(t *testing.T, h http.Handler, http2 bool) (address, ca string) {
	t.Helper()
	s := httptest.NewUnstartedServer(h)
	s.EnableHTTP2 = http2
	s.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, 0)
	s.StartTLS()
	t.Cleanup(func() {
		s.CloseClientConnections()
		s.Close()
	})
	return s.URL, secret(t, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})))
}

func TestUpstreamTLS(t *testing.T) {
	for _, tt := range []struct {
		tls    string
		http2  bool
		wanted string
	}{
		{"tls: {ca: CA}", true, "HTTP/2.0"},
		{"tls: {ca: CA}", false, "HTTP/1.1"},
		{"tls: {ca: CA}, http2: off", true, "HTTP/1.1"},
		{"tls: {ca: CA, server_name: example.com}", true, "HTTP/2.0"},
		{"tls: {ca: CA, server_name: other.example}", true, "502"},
		{"tls: {insecure: true}", true, "HTTP/2.0"},
		{"", true, "502"},
	} {
		t.Run(fmt.Sprint(tt.tls, tt.http2), func(t *testing.T) {
			address, ca := secure(t, proto, tt.http2)
			s := openOn(t, address, "upstreams: {api: {servers: [UPSTREAM], "+strings.ReplaceAll(tt.tls, "CA", fmt.Sprintf("%q", ca))+"}}")
			got := s.get("/")
			if got.body != tt.wanted && fmt.Sprint(got.StatusCode) != tt.wanted {
				t.Errorf("%s %q", got.Status, got.body)
			}
		})
	}
}

// TestUpstreamHTTP2 without TLS, to a server that speaks nothing else.
func TestUpstreamHTTP2(t *testing.T) {
	up := httptest.NewUnstartedServer(proto)
	up.Config.Protocols = new(http.Protocols)
	up.Config.Protocols.SetUnencryptedHTTP2(true)
	up.Start()
	t.Cleanup(up.Close)
	s := openOn(t, up.URL, "upstreams: {api: {servers: [UPSTREAM], http2: on}}")
	t.Cleanup(s.gateway.Close)
	if got := s.get("/"); got.body != "HTTP/2.0" || got.Header.Get("Via") != "2 freshet" {
		t.Errorf("%s %q %v", got.Status, got.body, got.Header)
	}
}

// TestHostOfAnUpstream: what is sent is the file's, and the client's host is told beside.
func TestHostOfAnUpstream(t *testing.T) {
	s := open(t, mirror(), "upstreams: {api: {servers: [UPSTREAM], host: inner.example}}")
	got := s.get("/", "Host: h.com")
	if !strings.HasPrefix(got.body, "GET inner.example /") || !strings.Contains(got.body, "X-Forwarded-Host: [h.com]") {
		t.Errorf("%s", got.body)
	}
}

// TestUpstreamDies: with the upstream gone, what is stored is served as the rule allows,
// and what is not gets 502.
func TestUpstreamDies(t *testing.T) {
	up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, "alive") }))
	s := openOn(t, up.URL, plain+`
routes:
  - {pattern: "GET /kept", key: kept, ttl: 1ms, stale_if_error: 1h}
  - {pattern: "GET /gone", key: gone, ttl: 1ms}
`)
	s.get("/kept")
	s.get("/gone")
	up.CloseClientConnections()
	up.Close()
	for limit := 0; s.get("/gone").StatusCode != http.StatusBadGateway; limit++ {
		if limit == 1000 {
			t.Fatal("/gone is still served, though its millisecond is over")
		}
	}
	for range 3 {
		if got := s.get("/kept"); got.StatusCode != http.StatusOK || got.body != "alive" {
			t.Errorf("/kept: %s %q %s", got.Status, got.body, got.Header.Get("Cache-Status"))
		}
	}
}

// TestQuery: the content is in the key (RFC 10008), and reaches the upstream.
func TestQuery(t *testing.T) {
	s := open(t, mirror(), plain)
	for _, body := range []string{"a", "b", "a", "b"} {
		first := s.do("QUERY", "/q", body, "Content-Type: text/plain")
		again := s.do("QUERY", "/q", body, "Content-Type: text/plain")
		for _, got := range []reply{first, again} {
			if !strings.Contains(got.body, "body: "+body+"\n") {
				t.Errorf("%s gets\n%s", body, got.body)
			}
		}
		if again.cached() != "hit" {
			t.Errorf("%s again: %s", body, again.cached())
		}
	}
	s.do("POST", "/q", "text")
	if got := s.do("QUERY", "/q", "a", "Content-Type: text/plain").cached(); got == "hit" {
		t.Error("a write leaves what queries have got")
	}
}
