package gateway_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/freshet-dev/freshet/gateway"
)

// kept is a file whose one route stores whatever does not object.
const kept = plain + `routes: [{pattern: "GET /p", key: p, ttl: 1m}]` + "\n"

// TestIllegibleAnswers are answers of which one reader makes something else than
// another. None of them is stored; what can be read in one way only is read in that.
func TestIllegibleAnswers(t *testing.T) {
	const ok = "Content-Length: 2\n\nok"
	tests := []struct {
		name, answer string
		status       string
		wanted       string // a field that the client gets
	}{
		{"space before the colon", "HTTP/1.1 200 OK\nCache-Control : no-store\n" + ok, "200", "\r\nCache-Control: no-store\r\n"},
		{"spaces before the colon", "HTTP/1.1 200 OK\nset-cookie  : id=1\n" + ok, "200", "\r\nSet-Cookie: id=1\r\n"},
		{"beside one without", "HTTP/1.1 200 OK\nCache-Control: max-age=9\nCache-Control : private\n" + ok, "200", "\r\nCache-Control: private\r\n"},
		{"length in disguise", "HTTP/1.1 200 OK\nContent-Length : 2\n\nok", "502", ""},
		{"coding in disguise", "HTTP/1.1 200 OK\nTransfer-Encoding : chunked\nContent-Length: 12\n\n2\nok\n0\n\n", "502", ""},
		{"two lengths", "HTTP/1.1 200 OK\nContent-Length: 3\n" + ok, "502", ""},
		{"unknown coding", "HTTP/1.1 200 OK\nTransfer-Encoding: gzip, chunked\n" + ok, "502", ""},
		{"length in a trailer", "HTTP/1.1 200 OK\nTransfer-Encoding: chunked\nTrailer: Content-Length\n\n2\nok\n0\nContent-Length: 1\n\n", "502", ""},
		{"NUL in a value", "HTTP/1.1 200 OK\nX-A: a\x00b\n" + ok, "502", ""},
		{"CR in a value", "HTTP/1.1 200 OK\nX-A: a\rX-B: b\n" + ok, "502", ""},
		{"no class", "HTTP/1.1 000 Odd\n" + ok, "502", ""},
		{"upgrade that nobody asked for", "HTTP/1.1 101 Switching Protocols\nConnection: Upgrade\nUpgrade: x\n\nok", "502", ""},
		{"upgrade to nothing", "HTTP/1.1 101 Switching Protocols\n\nok", "502", ""},
		{"part that nobody asked for", "HTTP/1.1 206 Partial Content\nCache-Control: max-age=60\nContent-Range: bytes 0-1/9\n" + ok, "206", ""},
		{"not modified since nothing", "HTTP/1.1 304 Not Modified\nCache-Control: max-age=60\nETag: \"a\"\n\n", "304", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := openOn(t, crude(t, func(_ *http.Request, conn net.Conn) {
				_, _ = io.WriteString(conn, strings.ReplaceAll(tt.answer, "\n", "\r\n"))
			}), kept)
			for range 2 {
				got := s.raw("GET /p HTTP/1.1\nHost: h.com\nConnection: close\n\n")
				if status(got) != tt.status || !strings.Contains(got, tt.wanted) {
					t.Errorf("wanted %s and %q, got:\n%s", tt.status, tt.wanted, got)
				}
				if strings.Contains(got, "; hit") || strings.Contains(got, "; stored") {
					t.Errorf("it is stored:\n%s", got)
				}
			}
		})
	}
}

// TestOldClients: who speaks HTTP/1.0 takes what comes first for the answer, and cannot
// change the protocol.
func TestOldClients(t *testing.T) {
	s := open(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusEarlyHints)
		fmt.Fprintf(w, "upgrade %q", r.Header["Upgrade"])
	}), plain)
	for _, method := range []string{"GET", "POST"} {
		got := s.raw(method + " / HTTP/1.0\nHost: h.com\nConnection: upgrade\nUpgrade: websocket\n\n")
		if status(got) != "200" || !strings.HasSuffix(got, "\r\n\r\nupgrade []") {
			t.Errorf("%s: %q", method, got)
		}
	}
}

// TestQueriesOfHTTP2: over HTTP/2 a query can have bytes that would end the target of a
// request in HTTP/1: the upstream would answer another one than the key says.
func TestQueriesOfHTTP2(t *testing.T) {
	up := crude(t, func(_ *http.Request, conn net.Conn) {
		_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
	})
	s := standOn(t, up, plain)
	protocols := new(http.Protocols)
	protocols.SetUnencryptedHTTP2(true)
	transport := &http.Transport{Protocols: protocols}
	t.Cleanup(transport.CloseIdleConnections)
	for query, wanted := range map[string]int{"a b": 400, "a HTTP/1.1": 400, "a%20b": 200, "a|\"b": 200} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.URL.RawQuery = query
		res, err := transport.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		if res.StatusCode != wanted {
			t.Errorf("%q: %s", query, res.Status)
		}
	}
}

// TestFileThatIsTooMuch has to be refused before anybody looks at what was not read of it.
func TestFileThatIsTooMuch(t *testing.T) {
	for name, text := range map[string]string{
		"routes":  plain + "routes: [" + strings.Repeat("{},", 100_000) + "]",
		"aliases": "upstreams: {a: &a {servers: [h]}, b: *a, c: *a}\nroutes: [" + strings.Repeat("{pattern: /a}, ", 60_000) + "]",
	} {
		_, err := gateway.Read("f", []byte(text))
		if err == nil || !strings.Contains(err.Error(), "more than 100000 values") {
			t.Errorf("%s: %.200v", name, err)
		}
	}
}
