package resolve

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/iotest"
)

var errBroken = errors.New("the connection broke")

func query(body io.Reader) *http.Request { return httptest.NewRequest("QUERY", "/", body) }

// breaking reports once that it has broken, and that it has ended from then on.
type breaking struct {
	io.Reader
	told bool
}

func (b *breaking) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	if err == io.EOF && !b.told {
		b.told, err = true, errBroken
	}
	return n, err
}

func TestHold(t *testing.T) {
	trailer := query(strings.NewReader("abc"))
	trailer.Trailer = http.Header{"X": nil}
	none := query(nil)
	none.Body = nil
	tests := []struct {
		name string
		r    *http.Request
		body string
		err  error
		held bool
	}{
		{"empty", query(nil), "", nil, true},
		{"no body", none, "", nil, true},
		{"small", query(strings.NewReader("ab")), "ab", nil, true},
		{"as large as may be", query(strings.NewReader("abcd")), "abcd", nil, true},
		{"larger", query(strings.NewReader("abcde")), "abcde", nil, false},
		{"much larger", query(strings.NewReader(strings.Repeat("x", 1000))), strings.Repeat("x", 1000), nil, false},
		{"broken", query(&breaking{Reader: strings.NewReader("ab")}), "ab", errBroken, false},
		{"broken later", query(io.MultiReader(strings.NewReader("abcdef"), iotest.ErrReader(errBroken))), "abcdef", errBroken, false},
		{"trailer", trailer, "abc", nil, false},
	}
	for _, tt := range tests {
		r := Hold(tt.r, 4)
		if (r.GetBody != nil) != tt.held {
			t.Errorf("%s: held is %v", tt.name, r.GetBody != nil)
		}
		for range 2 {
			body, err := io.ReadAll(r.Body)
			if string(body) != tt.body || !errors.Is(err, tt.err) {
				t.Errorf("%s: body %q, error %v", tt.name, body, err)
			}
			if err := r.Body.Close(); err != nil {
				t.Errorf("%s: close: %v", tt.name, err)
			}
			if !tt.held {
				break
			}
			if r.Body, err = r.GetBody(); err != nil {
				t.Errorf("%s: again: %v", tt.name, err)
			}
		}
	}
}

// TestQueriesApart: RFC 10008, section 2.7: the content and what is said of it are part
// of what an answer depends on. A GET is another thing.
func TestQueriesApart(t *testing.T) {
	p := Plan{Key: parse(t, "x")}
	type input struct{ method, body, typ, encoding, language, length string }
	read := func(in input) Place {
		r := httptest.NewRequest(in.method, "/", strings.NewReader(in.body))
		if in.method == "GET" {
			r = httptest.NewRequest(in.method, "/", nil)
		}
		for name, value := range map[string]string{
			"Content-Type": in.typ, "Content-Encoding": in.encoding, "Content-Language": in.language, "Content-Length": in.length,
		} {
			if value != "" {
				r.Header.Set(name, value)
			}
		}
		at, why := p.Read(Hold(r, 100))
		if why != "" {
			t.Fatalf("%+v: %s", in, why)
		}
		return at
	}
	inputs := []input{
		{"GET", "", "", "", "", ""},
		{"QUERY", "", "", "", "", ""},
		{"QUERY", "a", "", "", "", ""},
		{"QUERY", "b", "", "", "", ""},
		{"QUERY", "a ", "", "", "", ""},
		{"QUERY", "a", "text/plain", "", "", ""},
		{"QUERY", "a", "text/plain; charset=utf-8", "", "", ""},
		{"QUERY", "a", "", "gzip", "", ""},
		{"QUERY", "a", "", "", "gzip", ""},
	}
	for i, x := range inputs {
		for j, y := range inputs {
			a, b := read(x), read(y)
			if (a.Variant == b.Variant) != (i == j) || (a.Identity == b.Identity) != (i == j) || a.Key != "x" {
				t.Errorf("%+v and %+v: %+v and %+v", x, y, a, b)
			}
		}
	}
	if read(input{"QUERY", "a", "", "", "", "1"}) != read(input{"QUERY", "a", "", "", "", ""}) {
		t.Error("how the content is framed tells two queries apart")
	}
}

// TestCredentialed: the place is the same with and without; what may be done there is
// not.
func TestCredentialed(t *testing.T) {
	tests := []struct {
		name, header string
		plan         Plan
		want         bool
	}{
		{"none", "Accept", Plan{}, false},
		{"authorization", "Authorization", Plan{}, true},
		{"cookie", "Cookie", Plan{}, true},
		{"shared", "Cookie", Plan{Shared: true}, false},
		{"caller", "Cookie", Plan{Caller: CallerByHeader("Cookie")}, false},
		{"another caller", "Cookie", Plan{Caller: CallerByHeader("Authorization")}, true},
	}
	for _, tt := range tests {
		tt.plan.Key = parse(t, "x")
		anonymous, _ := tt.plan.Read(request("/"))
		r := request("/")
		r.Header.Set(tt.header, "")
		at, why := tt.plan.Read(r)
		if at.Credentialed != tt.want || why != "" {
			t.Errorf("%s: %+v, %q", tt.name, at, why)
		}
		if at.Credentialed = false; tt.name != "caller" && at != anonymous {
			t.Errorf("%s: another place than that of an anonymous request", tt.name)
		}
	}
}
