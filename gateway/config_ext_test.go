package gateway_test

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/freshet-dev/freshet/gateway"
)

// TestMistakes holds files and all that is said of them.
func TestMistakes(t *testing.T) {
	const api = "upstreams: {api: {servers: [http://127.0.0.1:8000]}}\n"
	const two = "upstreams: {a: {servers: [http://h:1]}, b: {servers: [http://h:2]}}\n"
	tests := []struct{ name, text, wanted string }{
		{"empty", "", `f: upstreams: there is none: name one, as in "api: {servers: [http://127.0.0.1:8000]}"`},
		{"no servers", "upstreams: {api: {}}", "f:1:18: upstreams.api.servers: there is none: give at least one URL"},
		{"servers", "upstreams:\n  api:\n    servers: [h, 'http://u:p@h', 'http://h/?x', 'ftp://h']", `f:3:15: upstreams.api.servers[0]: "h" is no server: write a scheme and a host, such as http://127.0.0.1:8000
f:3:18: upstreams.api.servers[1]: a server has no user, query or fragment
f:3:34: upstreams.api.servers[2]: a server has no user, query or fragment
f:3:49: upstreams.api.servers[3]: "ftp://h" is no server: write a scheme and a host, such as http://127.0.0.1:8000`},
		{"misspelt", api + "rotues: []", "f:2:1: rotues: unknown field: did you mean routes?"},
		{"misspelt in a route", api + "routes:\n  - pattern: GET /a\n    tll: 1s", "f:4:5: routes[0].tll: unknown field: did you mean ttl?"},
		{"upstream not named", two + "default: {upstream: a}\nroutes: [{pattern: GET /}]", "f:3:10: routes[0]: it needs an upstream, one of [a b]"},
		{"upstream of the rest", two, "f:1:1: default: it needs an upstream, one of [a b]"},
		{"unknown upstream", api + "default: {upstream: apu}", `f:2:21: default.upstream: there is no upstream "apu", only [api]`},
		{"no pattern", api + "routes: [{key: a}]", `f:2:10: routes[0].pattern: it is missing: write it as in "GET /posts/{post_id}"`},
		{"everything", api + "routes: [{pattern: /}]", "f:2:20: routes[0].pattern: / is everything: use the section default for it"},
		{"bad pattern", api + "routes: [{pattern: 'GET /:id'}]\n", ""},
		{"other router's pattern", api + "routes: [{pattern: 'GET /{id'}]\n", `f:2:20: routes[0].pattern: parsing "GET /{id": at offset 5: bad wildcard segment (must end with '}')`},
		{"broken pattern of a write", api + "routes: [{pattern: 'PUT /{id'}]\n", `f:2:20: routes[0].pattern: parsing "PUT /{id": at offset 5: bad wildcard segment (must end with '}')`},
		{"conflict", api + "routes: [{pattern: 'GET /a/{x}'}, {pattern: 'GET /{y}/b'}]", `f:2:45: routes[1].pattern: pattern "GET /{y}/b" conflicts with pattern "GET /a/{x}": GET /{y}/b and GET /a/{x} both match some paths, like "/a/b". But neither is more specific than the other. GET /{y}/b matches "/y/b", but GET /a/{x} doesn't. GET /a/{x} matches "/a/x", but GET /{y}/b doesn't.`},
		{"reserved wildcard", api + "routes: [{pattern: 'GET /{uri_path...}'}]", "f:2:20: routes[0].pattern: {uri_path} is a part of the request's URI: give the wildcard another name"},
		{"placeholder", api + "routes: [{pattern: 'GET /{id}', key: 'a:{ib}'}]", `f:2:38: routes[0].key: {ib} in "a:{ib}": the pattern "GET /{id}" has no such wildcard: correct the name, or list the query parameter in query, or give it a default as in {ib=1}`},
		{"tag of a URI", api + "routes: [{pattern: 'GET /{id}', tags: ['a:{ib}']}]", `f:2:39: routes[0].tags: {ib} in "a:{ib}": the pattern "GET /{id}" has no such wildcard: correct the name, or list the query parameter in query, or give it a default as in {ib=1}`},
		{"tag of the rest", api + "default: {tags: ['a:{x}']}", ""},
		{"read that invalidates", api + "routes: [{pattern: GET /, invalidate: [a]}]", "f:2:39: routes[0].invalidate: a route that only reads cannot invalidate: put it on the route that writes"},
		{"ranges", api + "default: {max_body: 65MiB, ttl: 9000h}", `f:2:21: default.max_body: 68157440 is out of range: use 1 to 67108864 bytes, or 0 for the default of 1048576
f:2:33: default.ttl: 9000h0m0s is out of range: use a millisecond to 8760h0m0s, or 0 for the default`},
		{"values", api + "default: {max_body: 1MeB, lifetime: forever, cache: maybe, caller: {}, shared: yes}", `f:2:21: default.max_body: "1MeB" is not a size: write a whole number of bytes, or one with a unit such as 64KiB, 1MiB or 2GiB
f:2:37: default.lifetime: "forever" is none of shorter, answer, heuristic, rule
f:2:53: default.cache: "maybe" is neither on nor off
f:2:68: default.caller: it needs either a header or a cookie, by name
f:2:80: default.shared: "yes" is neither true nor false`},
		{"caller and shared", api + "default: {caller: {header: A}, shared: true}", "f:2:40: default.shared: answers are either the same for everybody or told apart by caller: take one of them back"},
		{"origins", api + "origins: [h.com, 'https://h.com/x', 'https://H.com:443']", `f:2:11: origins[0]: "h.com" is no origin: write a scheme and a host, such as https://api.example.com
f:2:18: origins[1]: "https://h.com/x" is no origin: write a scheme and a host, such as https://api.example.com`},
		{"upstream's limits", "upstreams: {a: {servers: [http://h], retries: -1, retry_on: [404], health: {}, timeouts: {stall: -1s}}}", `f:1:47: upstreams.a.retries: it is out of range
f:1:62: upstreams.a.retry_on[0]: 404 is none of 500, 502, 503, 504
f:1:76: upstreams.a.health.path: "" is no path: it begins with a slash
f:1:98: upstreams.a.timeouts.stall: -1s is too short: use a millisecond at least`},
		{"certificates", "upstreams: {a: {servers: [https://h], tls: {ca: /nowhere}}}", "f:1:49: upstreams.a.tls.ca: open /nowhere: no such file or directory"},
		{"callers that nobody is", api + "default: {caller: {header: X Y}}\nroutes: [{pattern: /a, caller: {cookie: a;b}}, {pattern: /b, caller: {header: host}}]", `f:2:19: default.caller: "X Y" is not the name of a header field or a cookie
f:3:32: routes[0].caller: "a;b" is not the name of a header field or a cookie
f:3:70: routes[1].caller: "host" is not the name of a header field or a cookie`},
		{"hosts that nobody asks for", api + "routes: [{pattern: GET A.com/x}, {pattern: 'a.com:80/x'}, {pattern: a.com./x}, {pattern: a.com/x}]", `f:2:20: routes[0].pattern: no request has the host "A.com": write it in lower case, without a port or a dot at its end
f:2:44: routes[1].pattern: no request has the host "a.com:80": write it in lower case, without a port or a dot at its end
f:2:69: routes[2].pattern: no request has the host "a.com.": write it in lower case, without a port or a dot at its end`},
		{"health", "upstreams: {a: {servers: [http://h], health: {path: /%zz}}}", `f:1:53: upstreams.a.health.path: "/%zz" is no path: it begins with a slash`},
		{"empty sections", api + "default:", "f:2:9: default: it needs fields, each \"name: value\" on a line of its own; leave the field out for its default"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := ""
			if _, err := gateway.Read("f", []byte(tt.text)); err != nil {
				got = err.Error()
			}
			if diff := cmp.Diff(tt.wanted, got); diff != "" {
				t.Errorf("said (-want +got):\n%s", diff)
			}
		})
	}
}

func TestLoad(t *testing.T) {
	if _, err := gateway.Load("/nowhere/gateway.yaml"); err == nil || !strings.HasPrefix(err.Error(), "freshet: ") {
		t.Errorf("%v", err)
	}
	if _, err := gateway.To("127.0.0.1:8000"); err == nil {
		t.Error("an address without a scheme is fine")
	}
	c, err := gateway.To("http://127.0.0.1:8000")
	if err != nil || c.Default.Upstream == "" {
		t.Errorf("%+v, %v", c, err)
	}
}

// TestExample reads the file that the reference shows, and checks what is said of it.
func TestExample(t *testing.T) {
	t.Setenv("FRESHET_TOKEN", token)
	text, err := os.ReadFile("testdata/example.yaml")
	if err != nil {
		t.Fatal(err)
	}
	c, err := gateway.Read("example.yaml", text)
	if err != nil {
		t.Fatal(err)
	}
	if c.Routes[0].TTL != time.Hour || c.Upstreams["api"].Timeouts.Connect != 5*time.Second {
		t.Errorf("%+v", c)
	}
	said := c.String()
	if strings.Contains(said, token) {
		t.Error("the token is told")
	}
	want, err := os.ReadFile("testdata/example.golden")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), said); diff != "" {
		t.Errorf("said (-want +got):\n%s", diff)
	}
	reference, err := os.ReadFile("../docs/gateway.md")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(reference), "```yaml\n"+string(text)+"```\n") {
		t.Error("the example in docs/gateway.md is not testdata/example.yaml")
	}
}
