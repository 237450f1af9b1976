package rfc9111

import (
	"crypto/tls"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestInvalidatesTarget is section 4.4: a non-error answer.
func TestInvalidatesTarget(t *testing.T) {
	for status, want := range map[int]bool{101: false, 200: true, 204: true, 299: true, 303: true, 399: true, 400: false, 404: false, 500: false} {
		if InvalidatesTarget(status) != want {
			t.Errorf("%d does not", status)
		}
	}
}

// TestRelated is section 4.4: Location and Content-Location, of the same origin only.
func TestRelated(t *testing.T) {
	tests := []struct {
		name   string
		target string // of the request; its Host is that of it
		tls    bool
		header []string
		want   []string
	}{
		{"none", "http://a.example/x/y", false, nil, nil},
		{"path", "http://a.example/x/y", false, []string{"Location: /z?q=1"}, []string{"http://a.example/z?q=1"}},
		{"relative", "http://a.example/x/y", false, []string{"Content-Location: z"}, []string{"http://a.example/x/z"}},
		{"both", "http://a.example/x", false, []string{"Location: /a", "Content-Location: /b"}, []string{"http://a.example/a", "http://a.example/b"}},
		{"absolute", "http://a.example/x", false, []string{"Location: http://a.example/z"}, []string{"http://a.example/z"}},
		{"host in upper case", "http://a.example/x", false, []string{"Location: http://A.EXAMPLE/z"}, []string{"http://A.EXAMPLE/z"}},
		{"port that is the default", "http://a.example/x", false, []string{"Location: http://a.example:80/z"}, []string{"http://a.example:80/z"}},
		{"port that is empty", "http://a.example/x", false, []string{"Location: http://a.example:/z"}, []string{"http://a.example:/z"}},
		{"port", "http://a.example:8080/x", false, []string{"Location: http://a.example:8080/z"}, []string{"http://a.example:8080/z"}},
		{"IPv6", "http://[::1]:8080/x", false, []string{"Location: http://[::1]:8080/z"}, []string{"http://[::1]:8080/z"}},
		{"TLS", "https://a.example/x", true, []string{"Location: https://a.example:443/z"}, []string{"https://a.example:443/z"}},
		{"TLS, relative", "https://a.example/x", true, []string{"Location: /z"}, []string{"https://a.example/z"}},
		{"TLS that ended before", "http://a.example/x", false, []string{"Location: https://a.example/z"}, []string{"https://a.example/z"}},

		{"another host", "http://a.example/x", false, []string{"Location: http://b.example/z"}, nil},
		{"a host above", "http://a.example/x", false, []string{"Location: http://example/z"}, nil},
		{"a host below", "http://example/x", false, []string{"Location: http://a.example/z"}, nil},
		{"another host without scheme", "http://a.example/x", false, []string{"Location: //b.example/z"}, nil},
		{"another port", "http://a.example/x", false, []string{"Location: http://a.example:8080/z"}, nil},
		{"the other scheme's port", "http://a.example/x", false, []string{"Location: http://a.example:443/z"}, nil},
		{"another scheme", "http://a.example/x", false, []string{"Location: ftp://a.example/z"}, nil},
		{"no scheme of the web", "http://a.example/x", false, []string{"Location: mailto:a@a.example"}, nil},
		{"less than TLS", "https://a.example/x", true, []string{"Location: http://a.example/z"}, nil},
		{"a user in front", "http://a.example/x", false, []string{"Location: http://a.example@b.example/z"}, nil},
		{"a user", "http://a.example/x", false, []string{"Location: http://u@a.example/z"}, nil},
		{"two lines", "http://a.example/x", false, []string{"Location: /a", "Location: /b"}, nil},
		{"no URI", "http://a.example/x", false, []string{"Location: http://a b/%zz"}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := httptest.NewRequest(http.MethodPost, tt.target, nil)
			if r.TLS = nil; tt.tls {
				r.TLS = new(tls.ConnectionState)
			}
			// As a server has it: the target is in the origin form.
			r.URL.Scheme, r.URL.Host = "", ""
			var got []string
			for _, u := range Related(r, header(tt.header...)) {
				got = append(got, u.String())
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
