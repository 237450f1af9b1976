package gateway_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// mirror is an upstream that trusts everybody: it puts whatever field it is sent, the
// host and the method that is asked of it, into an answer for all.
func mirror() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "public, max-age=60")
		fmt.Fprintf(w, "%s %s %s\n", r.Method, r.Host, r.RequestURI)
		names := make([]string, 0, len(r.Header))
		for name := range r.Header {
			names = append(names, name)
		}
		slices.Sort(names)
		for _, name := range names {
			fmt.Fprintf(w, "%s: %s\n", name, r.Header[name])
		}
		body, _ := io.ReadAll(r.Body)
		fmt.Fprintf(w, "body: %s\n", body)
	})
}

// TestPoisoning: an attacker is the first to ask, with a field that is not in the key;
// what everybody gets after him holds nothing of it.
func TestPoisoning(t *testing.T) {
	const evil = "evil.example"
	files := map[string]string{
		"by URI":  plain,
		"by rule": plain + `routes: [{pattern: "GET /p/{id}", key: "p:{id}", ttl: 1m}]`,
		"one origin": plain + `routes: [{pattern: "GET /p/{id}", key: "p:{id}", ttl: 1m}]
origins: ["http://h.com"]`,
	}
	for name, file := range files {
		for _, field := range []string{
			"X-Forwarded-Host", "X-Forwarded-Proto", "X-Forwarded-Scheme", "X-Forwarded-Server", "X-Forwarded-Prefix",
			"X-Forwarded-For", "X-Real-IP", "Forwarded", "X-Original-URL", "X-Rewrite-URL", "X-Original-Host", "X-Host",
			"X-HTTP-Host-Override", "X-Script-Name", "X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override", "Proxy",
			"Freshet-Path", "Freshet-path", "X_Forwarded_Host", "X_Original_URL", "Accept_Language",
		} {
			t.Run(name+"/"+field, func(t *testing.T) {
				s := open(t, mirror(), file)
				first := s.get("/p/7", "Host: h.com", field+": "+evil)
				second := s.get("/p/7", "Host: h.com")
				if second.cached() != "hit" {
					t.Errorf("the second is no hit: %s", second.cached())
				}
				if strings.Contains(first.body+second.body, evil) {
					t.Errorf("the attacker's value is in the answer:\n%s\n%s", first.body, second.body)
				}
			})
		}
	}
}

// TestHiddenFields: a field that is said to be for the connection only does not reach the
// upstream. If it were in the key all the same, the answer without it would be that of
// all who send it.
func TestHiddenFields(t *testing.T) {
	up := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "max-age=60")
		w.Header().Set("Vary", "Accept-Language")
		_, _ = io.WriteString(w, "for "+r.Header.Get("Accept-Language"))
	})
	for name, file := range map[string]string{
		"by the answer": plain,
		"by the rule":   plain + `routes: [{pattern: "GET /p", key: p, ttl: 1m, vary_headers: [Accept-Language]}]`,
	} {
		s := open(t, up, file)
		s.raw("GET /p HTTP/1.1\nHost: " + s.addr + "\nAccept-Language: de\nConnection: close, accept-language\n\n")
		if got := s.get("/p", "Accept-Language: de"); got.body != "for de" {
			t.Errorf("%s: %q", name, got.body)
		}
	}
}

// TestTunnels: what would be asked for within an upgraded connection would pass by rules
// and invalidations.
func TestTunnels(t *testing.T) {
	for _, upgrade := range []string{"h2c", "H2C", "websocket, h2c"} {
		s := open(t, mirror(), plain)
		answer := s.raw("GET / HTTP/1.1\nHost: h.com\nConnection: close, Upgrade, HTTP2-Settings\nUpgrade: " + upgrade + "\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\n\n")
		if status(answer) != "200" || strings.Contains(answer, "Upgrade:") || strings.Contains(answer, "Settings:") {
			t.Errorf("%s:\n%s", upgrade, answer)
		}
	}
}

// TestHostIsInTheKey: the host reaches the upstream, so it tells answers apart, by rules
// whose key does not name it too; with one origin there is no other.
func TestHostIsInTheKey(t *testing.T) {
	s := open(t, mirror(), plain+`routes: [{pattern: "GET /p/{id}", key: "p:{id}", ttl: 1m}]`)
	for _, path := range []string{"/p/7", "/q"} {
		s.get(path, "Host: evil.example")
		if got := s.get(path, "Host: h.com"); strings.Contains(got.body, "evil") {
			t.Errorf("%s for h.com:\n%s", path, got.body)
		}
	}
}

// TestFatGet: what is in the body of a GET is not in the key.
func TestFatGet(t *testing.T) {
	s := open(t, mirror(), plain)
	if got := s.do("GET", "/p", "evil"); got.cached() == "stored" {
		t.Errorf("an answer to a GET with a body is stored: %s", got.cached())
	}
	if got := s.get("/p"); strings.Contains(got.body, "evil") {
		t.Errorf("it is served without the body:\n%s", got.body)
	}
	if got := s.do("GET", "/p", "evil"); !strings.Contains(got.body, "evil") {
		t.Errorf("a GET with a body is answered without it:\n%s", got.body)
	}
}

// TestParameterCloaking: to some servers ; stands between parameters, to others it does
// not. Neither reading may get the other's answer.
func TestParameterCloaking(t *testing.T) {
	s := open(t, mirror(), plain+`routes: [{pattern: "GET /s", key: "s:{q}", query: [q], ignore_query: [utm], ttl: 1m}]`)
	for _, pair := range [][2]string{
		{"/s?q=a&utm=1;q=evil", "/s?q=a&utm=1"}, {"/s?q=a;q=evil", "/s?q=a"}, {"/s?q=a&q=evil", "/s?q=a"},
		{"/t?q=a;q=evil", "/t?q=a"}, {"/t?q=a&q=evil", "/t?q=a"},
	} {
		s.get(pair[0])
		if line, _, _ := strings.Cut(s.get(pair[1]).body, "\n"); strings.ContainsAny(line, ";") || strings.Contains(line, "evil") {
			t.Errorf("%s after %s: %s", pair[1], pair[0], line)
		}
	}
}

// TestSmuggling sends what two parsers could take for different requests. Each is
// refused, or forwarded as exactly one request with one meaning.
func TestSmuggling(t *testing.T) {
	tests := []struct {
		name, text string
		wanted     string // status; "" if the request is fine, and all that counts is that it is one
	}{
		{"two lengths", "POST / HTTP/1.1\nHost: h.com\nContent-Length: 5\nContent-Length: 6\n\nabcdef", "400"},
		{"two lengths in one field", "POST / HTTP/1.1\nHost: h.com\nContent-Length: 5, 6\n\nabcdef", "400"},
		{"signed length", "POST / HTTP/1.1\nHost: h.com\nContent-Length: +5\n\nabcde", "400"},
		{"negative length", "POST / HTTP/1.1\nHost: h.com\nContent-Length: -1\n\n", "400"},
		{"length in hexadecimal", "POST / HTTP/1.1\nHost: h.com\nContent-Length: 0x5\n\nabcde", "400"},
		{"unknown coding", "POST / HTTP/1.1\nHost: h.com\nTransfer-Encoding: xchunked\n\n0\n\n", "501"},
		{"coding in disguise", "POST / HTTP/1.1\nHost: h.com\nTransfer-Encoding: \x0bchunked\n\n0\n\n", "400"},
		{"coding twice", "POST / HTTP/1.1\nHost: h.com\nTransfer-Encoding: chunked\nTransfer-Encoding: identity\n\n0\n\n", "501"},
		{"white space before the colon", "POST / HTTP/1.1\nHost: h.com\nTransfer-Encoding : chunked\n\n0\n\n", "400"},
		{"bad chunk size", "POST / HTTP/1.1\nHost: h.com\nConnection: close\nTransfer-Encoding: chunked\n\nzz\nabc\n0\n\n", "400"},
		{"broken chunk", "POST / HTTP/1.1\nHost: h.com\nConnection: close\nTransfer-Encoding: chunked\n\n3\nabcdef\n0\n\n", "400"},
		{"folded field", "GET / HTTP/1.1\nHost: h.com\nX-A: b\n evil: c\nConnection: close\n\n", ""},
		{"two hosts", "GET / HTTP/1.1\nHost: h.com\nHost: x.com\n\n", "400"},
		{"no host", "GET / HTTP/1.1\n\n", "400"},
		{"space in a name", "GET / HTTP/1.1\nHost: h.com\nX A: b\n\n", "400"},
		{"NUL in a value", "GET / HTTP/1.1\nHost: h.com\nX-A: b\x00c\n\n", "400"},
		{"space in the target", "GET /a b HTTP/1.1\nHost: h.com\n\n", "400"},
		{"another protocol", "GET / HTTP/3.7\nHost: h.com\n\n", "505"},
		{"bad method", "G@T / HTTP/1.1\nHost: h.com\n\n", "400"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var seen journal
			s := open(t, echo(&seen), plain)
			answer := s.raw(tt.text)
			if got := status(answer); tt.wanted != "" && got != tt.wanted {
				t.Errorf("%s, wanted %s:\n%s", got, tt.wanted, answer)
			}
			if n := strings.Count(answer, "HTTP/1.1 "); n != 1 {
				t.Errorf("%d answers:\n%s", n, answer)
			}
			if got := seen.all(); len(got) > 1 {
				t.Errorf("the upstream saw %q", got)
			}
		})
	}
}

// TestLengthBesideChunks: Transfer-Encoding goes before Content-Length (RFC 9112, section
// 6.3), and only one of them is forwarded.
func TestLengthBesideChunks(t *testing.T) {
	requests := make(chan string, 4)
	up := crude(t, func(r *http.Request, conn net.Conn) {
		body, _ := io.ReadAll(r.Body)
		requests <- fmt.Sprintf("%s %q %d %v %s", r.Method, r.RequestURI, r.ContentLength, r.TransferEncoding, body)
		_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
	})
	s := openOn(t, up, plain)
	const smuggled = "GET /admin HTTP/1.1\nHost: h.com\n\n"
	s.raw("POST / HTTP/1.1\nHost: h.com\nConnection: close\nContent-Length: 6\nTransfer-Encoding: chunked\n\n0\n\n" + smuggled)
	if got := <-requests; got != `POST "/" -1 [chunked] ` && got != `POST "/" 0 [] ` {
		t.Errorf("the upstream saw %s", got)
	}
	select {
	case got := <-requests:
		t.Errorf("and then %s", got)
	default:
	}
}

// TestSplitting: line ends that clients hide in escapes stay there.
func TestSplitting(t *testing.T) {
	var seen journal
	s := open(t, echo(&seen), plain)
	for _, target := range []string{"/a%0d%0aX-Evil:%201", "/a?b=%0d%0aX-Evil:%201", "/%0aHTTP/1.1%20200"} {
		got := s.get(target)
		if got.StatusCode != http.StatusOK || got.Header.Get("X-Evil") != "" {
			t.Errorf("%s: %s %v", target, got.Status, got.Header)
		}
		if last := seen.all()[len(seen.all())-1]; !strings.Contains(strings.ToLower(last), "%0a") {
			t.Errorf("%s reached the upstream as %q", target, last)
		}
	}
}
