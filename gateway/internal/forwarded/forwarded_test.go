package forwarded

import (
	"crypto/tls"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// proxies trusts 10.0.0.0/8 and one IPv6 address.
func proxies(t testing.TB) *Trust {
	t.Helper()
	trust, err := Parse([]string{"10.0.0.0/8", "2001:db8::1"})
	if err != nil {
		t.Fatal(err)
	}
	return &trust
}

func TestRewrite(t *testing.T) {
	// The four fields afterwards, and the request's Host.
	type result struct{ For, Proto, Host, Forwarded, Target string }
	direct := result{"192.0.2.7", "http", "api.example", "for=192.0.2.7;host=api.example;proto=http", "api.example"}
	lone := result{"10.0.0.9", "http", "api.example", "for=10.0.0.9;host=api.example;proto=http", "api.example"}
	tests := []struct {
		name   string
		remote string
		header http.Header
		want   result
	}{
		{"nobody says anything", "192.0.2.7:1234", nil, direct},
		{"a stranger's claims are replaced", "192.0.2.7:1234", http.Header{
			"X-Forwarded-For": {"1.1.1.1"}, "X-Forwarded-Proto": {"https"}, "X-Forwarded-Host": {"evil.example"},
			"Forwarded": {"for=1.1.1.1;host=evil.example;proto=https"},
		}, direct},
		{"a trusted proxy is believed", "10.0.0.9:1234", http.Header{
			"X-Forwarded-For": {"192.0.2.7"}, "X-Forwarded-Proto": {"HTTPS"}, "X-Forwarded-Host": {"www.example:8443"},
		}, result{"192.0.2.7, 10.0.0.9", "https", "www.example:8443",
			`for=192.0.2.7;host="www.example:8443";proto=https, for=10.0.0.9`, "www.example:8443"}},
		{"what stands before the client is its own claim", "10.0.0.9:1234", http.Header{
			"X-Forwarded-For": {"127.0.0.1, 8.8.8.8", "192.0.2.7, 10.1.1.1"},
		}, result{"192.0.2.7, 10.1.1.1, 10.0.0.9", "http", "api.example",
			"for=192.0.2.7;host=api.example;proto=http, for=10.1.1.1, for=10.0.0.9", "api.example"}},
		{"who is behind something unreadable is nobody", "10.0.0.9:1234", http.Header{
			"X-Forwarded-For": {"192.0.2.7, unknown, 10.1.1.1"},
		}, result{"10.1.1.1, 10.0.0.9", "http", "api.example", "for=10.1.1.1;host=api.example;proto=http, for=10.0.0.9", "api.example"}},
		{"IPv6", "[2001:db8::1]:1", http.Header{"X-Forwarded-For": {"[2001:db8::7]:99"}},
			result{"2001:db8::7, 2001:db8::1", "http", "api.example",
				`for="[2001:db8::7]";host=api.example;proto=http, for="[2001:db8::1]"`, "api.example"}},
		{"an address in the other family's clothes", "[::ffff:10.0.0.9]:1", http.Header{"X-Forwarded-For": {"::ffff:192.0.2.7"}},
			result{"192.0.2.7, 10.0.0.9", "http", "api.example", "for=192.0.2.7;host=api.example;proto=http, for=10.0.0.9", "api.example"}},
		{"Forwarded", "10.0.0.9:1", http.Header{"Forwarded": {`For="192.0.2.7:47011";Proto=https;host="www.example"`}},
			result{"192.0.2.7, 10.0.0.9", "https", "www.example", "for=192.0.2.7;host=www.example;proto=https, for=10.0.0.9", "www.example"}},
		{"both, and they agree", "10.0.0.9:1", http.Header{"X-Forwarded-For": {"192.0.2.7"}, "X-Forwarded-Proto": {"https"}, "Forwarded": {"for=192.0.2.7"}},
			result{"192.0.2.7, 10.0.0.9", "https", "api.example", "for=192.0.2.7;host=api.example;proto=https, for=10.0.0.9", "api.example"}},
		{"both, and one is a stranger's", "10.0.0.9:1", http.Header{"X-Forwarded-For": {"192.0.2.7"}, "Forwarded": {"for=8.8.8.8;host=evil.example"}}, lone},
		{"two hosts", "10.0.0.9:1", http.Header{"X-Forwarded-Host": {"a.example, b.example"}}, lone},
		{"two protocols", "10.0.0.9:1", http.Header{"X-Forwarded-Proto": {"https", "http"}}, lone},
		{"no protocol", "10.0.0.9:1", http.Header{"X-Forwarded-Proto": {"javascript"}}, lone},
		{"a host that is more than a host", "10.0.0.9:1", http.Header{"X-Forwarded-Host": {"a.example/path"}}, lone},
		{"damaged Forwarded", "10.0.0.9:1", http.Header{"Forwarded": {`for=192.0.2.7;host="evil.example`}}, lone},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := &http.Request{RemoteAddr: tt.remote, Host: "api.example", Header: tt.header.Clone()}
			if r.Header == nil {
				r.Header = http.Header{}
			}
			proxies(t).Rewrite(r)
			h := r.Header
			got := result{h.Get("X-Forwarded-For"), h.Get("X-Forwarded-Proto"), h.Get("X-Forwarded-Host"), h.Get("Forwarded"), r.Host}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("rewritten (-want +got):\n%s", diff)
			}
			for name, lines := range h {
				if len(lines) != 1 {
					t.Errorf("%s has %d lines", name, len(lines))
				}
			}
			if client, _, _ := strings.Cut(tt.want.For, ","); Client(r) != client {
				t.Errorf("client %q, want %q", Client(r), client)
			}
		})
	}
}

// TestNobodysFieldsAreGone: fields that no key holds do not reach upstreams, not even
// from a proxy that is trusted: it may pass on what a client has sent.
func TestNobodysFieldsAreGone(t *testing.T) {
	for _, remote := range []string{"192.0.2.7:1", "10.0.0.9:1"} {
		r := &http.Request{RemoteAddr: remote, Host: "h", Header: http.Header{
			"X-Forwarded-Port": {"1"}, "X-Forwarded-Prefix": {"/admin"}, "X-Forwarded-Scheme": {"nothttps"},
			"X-Forwarded-Server": {"s"}, "X-Real-Ip": {"1.1.1.1"},
			"X_forwarded_for": {"1.1.1.1"}, "X_real_ip": {"1.1.1.1"}, "X-Forwarded_host": {"evil.example"}, "X": {"short"}, "Accept": {"*/*"},
		}}
		proxies(t).Rewrite(r)
		want := []string{"Accept", "X", "Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto"}
		for name := range r.Header {
			found := false
			for _, w := range want {
				found = found || name == w
			}
			if !found {
				t.Errorf("from %s: %s is still there", remote, name)
			}
		}
	}
}

func TestSchemeOfTLS(t *testing.T) {
	r := &http.Request{RemoteAddr: "192.0.2.7:1", Host: "h", Header: http.Header{"X-Forwarded-Proto": {"http"}}, TLS: &tls.ConnectionState{}}
	new(Trust).Rewrite(r)
	if got := r.Header.Get("X-Forwarded-Proto"); got != "https" {
		t.Errorf("X-Forwarded-Proto %q", got)
	}
}

// TestForwardedGrammar: what RFC 7239 allows is read, and nothing else.
func TestForwardedGrammar(t *testing.T) {
	good := []string{
		"for=192.0.2.43", `For="[2001:db8:cafe::17]:4711"`, "for=192.0.2.60;proto=http;by=203.0.113.43",
		"for=192.0.2.43, for=198.51.100.17", "for=_hidden, for=_SEVKISEK", `for=unknown;ext="a\"b"`, ";;for=192.0.2.1;", "for=192.0.2.1;, ,for=192.0.2.2", "",
	}
	bad := []string{
		"for", "for=", "for=192.0.2.1:80", "for=[::1]", `for="x`, "for=1;for=2", "For=1;fOR=2", "for =1", "for= 1", "=1", "for=1 for=2",
		`for="a"b`, "for=1;host=a;host=b", "host=a, host=b", "proto=ftp", `host="a b"`, `host=""`, `for=""`, "for=1\x00", "for=\"\x01\"", "for=1;=2", "for=é",
	}
	for _, text := range good {
		if _, ok := parse([]string{text}); !ok {
			t.Errorf("refused: %q", text)
		}
	}
	for _, text := range bad {
		if _, ok := parse([]string{text}); ok {
			t.Errorf("accepted: %q", text)
		}
	}
}

// TestOwnForwardedIsRead: what is written is in the grammar, whatever Host a client
// has sent, and names the same client.
func TestOwnForwardedIsRead(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		trust := proxiesFor(t)
		h := http.Header{}
		for _, name := range []string{"X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "Forwarded"} {
			if rapid.Bool().Draw(t, "has "+name) {
				h[name] = rapid.SliceOfN(rapid.OneOf(
					rapid.SampledFrom([]string{"10.1.1.1", "192.0.2.7", "https", "a.example", "for=192.0.2.7", "for=10.1.1.1;proto=https", `for="[2001:db8::1]:1"`}),
					rapid.StringMatching(`[ -~]{0,20}`)), 1, 3).Draw(t, name)
			}
		}
		r := &http.Request{
			RemoteAddr: rapid.SampledFrom([]string{"10.0.0.9:1", "192.0.2.7:1", "[2001:db8::1]:1", "@"}).Draw(t, "remote"),
			Host:       rapid.OneOf(rapid.Just("api.example:80"), rapid.StringMatching(`[ -~]{0,12}`)).Draw(t, "host"), Header: h,
		}
		trust.Rewrite(r)
		first := r.Header.Get("X-Forwarded-For")
		if r.Host != "" && !validHost(r.Host) {
			return // such a request is refused before it is passed on
		}
		c, ok := parse(r.Header["Forwarded"])
		if !ok {
			t.Fatalf("not in the grammar: %q", r.Header["Forwarded"])
		}
		if len(c.chain) != len(list([]string{first})) || c.proto != r.Header.Get("X-Forwarded-Proto") || c.host != r.Host {
			t.Fatalf("Forwarded %q differs from %v", r.Header["Forwarded"], r.Header)
		}
	})
}

func proxiesFor(t *rapid.T) *Trust {
	trust, err := Parse([]string{"10.0.0.0/8", "2001:db8::1"})
	if err != nil {
		t.Fatal(err)
	}
	return &trust
}

func TestParseNamesWhatIsWrong(t *testing.T) {
	_, err := Parse([]string{"10.0.0.0/8", "10.0.0.0/33", "loopback", "::1"})
	if err == nil || !strings.Contains(err.Error(), `"10.0.0.0/33", "loopback": write an address`) {
		t.Errorf("error %v", err)
	}
}

func TestValidHost(t *testing.T) {
	for host, want := range map[string]bool{
		"a": true, "a.example:80": true, "[::1]": true, "[::1]:80": true, "127.0.0.1:8080": true, "a_b.example": true, "a:": true,
		"": false, "a b": false, "a/b": false, "a@b": false, "a:b": false, "::1": false, "[a]": false, "[::1": false, "a]": false, "[::1]x": false,
		":80": false, "[]": false, "[1.2.3.4]": false, "a:80:90": false, "a,b": false, "é": false,
	} {
		if got := validHost(host); got != want {
			t.Errorf("validHost(%q) = %v", host, got)
		}
	}
}

func BenchmarkRewrite(b *testing.B) {
	trust := proxies(b)
	for b.Loop() {
		trust.Rewrite(&http.Request{RemoteAddr: "192.0.2.7:1234", Host: "api.example", Header: http.Header{"Accept": {"*/*"}}})
	}
}
