package freshet_test

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/freshet-dev/freshet"
)

// with answers "x" with one header field.
func with(name string, values ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header()[name] = values
		_, _ = io.WriteString(w, "x")
	}
}

func status(code int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(code)
		_, _ = io.WriteString(w, "x")
	}
}

// manyNames is a Vary by more fields than the cache keeps answers apart by.
var manyNames = func() string {
	var names []string
	for i := range 17 {
		names = append(names, fmt.Sprint("X-", i))
	}
	return strings.Join(names, ", ")
}()

// Each of these is sent as the handler made it, and never stored.
func TestNotStored(t *testing.T) {
	tests := []struct {
		name    string
		handler http.HandlerFunc
		detail  string
	}{
		{"set-cookie", with("Set-Cookie", "a=b"), "set-cookie"},
		{"private", with("Cache-Control", "private"), "private"},
		{"no-store", with("Cache-Control", "no-store"), "no-store"},
		{"no-cache", with("Cache-Control", "no-cache"), "stale"},
		{"among others", with("Cache-Control", "max-age=60 ,\tPrivate ,x"), "private"},
		{"second line", with("Cache-Control", "max-age=60", "NO-STORE"), "no-store"},
		{"with a value", with("Cache-Control", "no-store=1"), "no-store"},
		{"vary star", with("Vary", "*"), "vary"},
		{"set-cookie in lower case", with("set-cookie", "a=b"), "set-cookie"},
		{"private in lower case", with("cache-control", "private"), "private"},
		{"vary by too much", with("Vary", manyNames), "vary"},
		{"trailer", with("Trailer", "X-Sum"), "trailer"},
		{"trailer by prefix", func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, "x")
			w.Header().Set(http.TrailerPrefix+"X-Sum", "1")
		}, "trailer"},
		{"too long", text(strings.Repeat("x", 101)), "streamed"},
		{"declared too long", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "101")
			_, _ = io.WriteString(w, strings.Repeat("x", 101))
		}, "streamed"},
		{"flushed", func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, "x")
			w.(http.Flusher).Flush()
		}, "streamed"},
		{"handler says no", func(w http.ResponseWriter, r *http.Request) {
			freshet.FromContext(r.Context()).NoStore()
			_, _ = io.WriteString(w, "x")
		}, "no-store"},
		{"no TTL", func(w http.ResponseWriter, r *http.Request) {
			freshet.FromContext(r.Context()).SetTTL(0)
			_, _ = io.WriteString(w, "x")
		}, "no-store"},
		{"nameless tag", func(w http.ResponseWriter, r *http.Request) {
			freshet.FromContext(r.Context()).Tag("a", "")
			_, _ = io.WriteString(w, "x")
		}, "no-store"},
	}
	for _, code := range []int{201, 202, 205, 206, 302, 303, 307, 400, 401, 403, 404, 405, 410, 429, 500, 501, 502, 503, 504} {
		detail := "status"
		if code == http.StatusNotFound || code == http.StatusGone {
			detail = "lifetime" // there is no ErrorTTL
		}
		tests = append(tests, struct {
			name    string
			handler http.HandlerFunc
			detail  string
		}{fmt.Sprint("status ", code), status(code), detail})
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newSite(t)
			runs := 0
			s.mux.Handle("/bare", tt.handler)
			s.handle("GET /x", freshet.Rule{Key: "x", MaxBody: 100, VaryHeaders: []string{"Accept"}}, func(w http.ResponseWriter, r *http.Request) {
				runs++
				tt.handler(w, r)
			})
			bare := s.get("/bare")
			for n := 1; n <= 2; n++ {
				r := s.want(s.get("/x"), fmt.Sprintf("fwd=uri-miss; detail=%q", tt.detail))
				if r.Status != bare.Status || r.Body != bare.Body || runs != n {
					t.Errorf("request %d: status %d, %d bytes, %d runs; want %d, %d bytes", n, r.Status, len(r.Body), runs, bare.Status, len(bare.Body))
				}
			}
			if fills := s.store.filled(); len(fills) != 0 {
				t.Errorf("filled %v", fills)
			}
		})
	}
}

// What the handler says counts, though middleware in front has said the same.
func TestVaryAsInFront(t *testing.T) {
	s := newSite(t)
	s.handle("GET /x", freshet.Rule{Key: "x"}, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Vary", "Accept-Language")
		_, _ = io.WriteString(w, r.Header.Get("Accept-Language"))
	})
	s.serve(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Vary", "Accept-Language")
		s.mux.ServeHTTP(w, r)
	}))
	for _, tt := range [][2]string{{"de", stored}, {"fr", "fwd=vary-miss; stored"}, {"de", hit}, {"fr", hit}} {
		s.wantBody(s.get("/x", "Accept-Language", tt[0]), tt[1], tt[0])
	}
}

// What looks like one of the above and is not is stored.
func TestStoredAllTheSame(t *testing.T) {
	for name, h := range map[string]http.HandlerFunc{
		"directive in a value": with("Cache-Control", `max-age=60, x="no-store"`),
		"directive's name":     with("Cache-Control", "not-private, must-revalidate"),
		"vary covered":         with("Vary", "ACCEPT", "accept,"),
		"as long as it may be": text(strings.Repeat("x", 100)),
		"trailer of nothing":   with("X-Trailer", "a"),
		"tags and TTL": func(_ http.ResponseWriter, r *http.Request) {
			freshet.FromContext(r.Context()).SetTTL(freshet.MaxTTL * 2)
		},
		"length that is no more": with("Content-Length", "1"),
	} {
		s := newSite(t)
		s.handle("GET /x", freshet.Rule{Key: "x", MaxBody: 100, VaryHeaders: []string{"Accept"}}, h)
		s.want(s.get("/x"), stored)
		s.want(s.get("/x"), hit)
		if fills := s.store.filled(); fills[0].TTL > freshet.MaxTTL {
			t.Errorf("%s: TTL %v", name, fills[0].TTL)
		}
	}
}

func TestRequestsThatBypass(t *testing.T) {
	for _, tt := range []struct{ header, value, detail string }{
		{"If-Match", `"a"`, "precondition"},
		{"If-Unmodified-Since", "Tue, 15 Nov 1994 12:45:26 GMT", "precondition"},
		{"Upgrade", "x", "upgrade"},
	} {
		s := newSite(t)
		s.handle("GET /x", freshet.Rule{Key: "x"}, text("hello"))
		s.want(s.get("/x"), stored)
		s.want(s.get("/x", tt.header, tt.value), fmt.Sprintf("fwd=bypass; detail=%q", tt.detail))
	}
	s := newSite(t)
	s.handle("GET /x", freshet.Rule{Key: "x"}, func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(w, r.Body) })
	for _, body := range []string{"a", "b"} {
		r, err := http.NewRequest("GET", s.server.URL+"/x", struct{ io.Reader }{strings.NewReader(body)})
		if err != nil {
			t.Fatal(err)
		}
		response, err := s.server.Client().Do(r)
		if err != nil {
			t.Fatal(err)
		}
		got, _ := io.ReadAll(response.Body)
		response.Body.Close()
		if string(got) != body {
			t.Errorf("%q, want %q", got, body)
		}
	}
}

// Past the limit, and on Flush, bytes arrive while the handler is still at work.
func TestStreams(t *testing.T) {
	for name, first := range map[string]func(http.ResponseWriter){
		"flush": func(w http.ResponseWriter) {
			_, _ = io.WriteString(w, "begin\n")
			w.(http.Flusher).Flush()
		},
		"flush by controller": func(w http.ResponseWriter) {
			_, _ = io.WriteString(w, "begin\n")
			if err := http.NewResponseController(w).Flush(); err != nil {
				panic(err)
			}
		},
		"flush before anything": func(w http.ResponseWriter) {
			w.(http.Flusher).Flush()
			_, _ = io.WriteString(w, "begin\n")
			w.(http.Flusher).Flush()
		},
		"past the limit": func(w http.ResponseWriter) {
			_, _ = io.WriteString(w, "begin\n")
			_, _ = w.Write(make([]byte, 1<<16))
		},
		"announced past the limit": func(w http.ResponseWriter) {
			w.Header().Set("Content-Length", fmt.Sprint(1<<16+6+3))
			_, _ = io.WriteString(w, "begin\n")
			_, _ = w.Write(make([]byte, 1<<16))
		},
	} {
		for _, method := range []string{"GET", "POST"} {
			t.Run(name+" "+method, func(t *testing.T) {
				s := newSite(t)
				seen := make(chan struct{})
				s.handle("/x", freshet.Rule{Key: "x", MaxBody: 1000}, func(w http.ResponseWriter, r *http.Request) {
					w.Header().Set("X-A", "a")
					first(w)
					<-seen
					_, _ = io.WriteString(w, "end")
				})
				r, err := http.NewRequest(method, s.server.URL+"/x", nil)
				if err != nil {
					t.Fatal(err)
				}
				response, err := s.server.Client().Do(r)
				if err != nil {
					t.Fatal(err)
				}
				defer response.Body.Close()
				body := bufio.NewReader(response.Body)
				line, err := body.ReadString('\n')
				close(seen)
				rest, _ := io.ReadAll(body)
				if line != "begin\n" || err != nil || !strings.HasSuffix(string(rest), "end") || response.Header.Get("X-A") != "a" {
					t.Errorf("%q (%v) and then %d bytes", line, err, len(rest))
				}
			})
		}
	}
}

// Trailers reach the client, whichever way they are set.
func TestTrailers(t *testing.T) {
	for name, h := range map[string]http.HandlerFunc{
		"declared": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Trailer", "X-Sum")
			_, _ = io.WriteString(w, "x")
			w.Header().Set("X-Sum", "1")
		},
		"prefixed": func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, "x")
			w.Header().Set(http.TrailerPrefix+"X-Sum", "1")
			w.(http.Flusher).Flush()
		},
		"streamed, header kept": func(w http.ResponseWriter, _ *http.Request) {
			h := w.Header()
			h.Set("Trailer", "X-Sum")
			_, _ = io.WriteString(w, "x")
			w.(http.Flusher).Flush()
			h.Set("X-Sum", "1")
		},
		"streamed, header asked again": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Trailer", "X-Sum")
			w.(http.Flusher).Flush()
			_, _ = io.WriteString(w, "x")
			w.Header().Set("X-Sum", "1")
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t)
			s.mux.Handle("/bare", h)
			s.handle("/x", freshet.Rule{Key: "x"}, h)
			for _, path := range []string{"GET /bare", "GET /x", "PUT /x"} {
				method, path, _ := strings.Cut(path, " ")
				r, err := http.NewRequest(method, s.server.URL+path, nil)
				if err != nil {
					t.Fatal(err)
				}
				response, err := s.server.Client().Do(r)
				if err != nil {
					t.Fatal(err)
				}
				_, _ = io.ReadAll(response.Body)
				response.Body.Close()
				if response.Trailer.Get("X-Sum") != "1" {
					t.Errorf("%s %s: trailer %v", method, path, response.Trailer)
				}
			}
		})
	}
}

// A write is invalidated before its connection is handed out and when it returns.
func TestHijack(t *testing.T) {
	s := newSite(t)
	s.handle("/x", freshet.Rule{Key: "x"}, func(w http.ResponseWriter, _ *http.Request) {
		conn, rw, err := w.(http.Hijacker).Hijack()
		if err != nil {
			panic(err)
		}
		defer conn.Close()
		if _, err := w.Write([]byte("x")); err != http.ErrHijacked {
			panic(err)
		}
		_, _ = rw.WriteString("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nraw")
		_ = rw.Flush()
	})
	for _, method := range []string{"GET", "GET", "PUT"} {
		s.wantBody(s.do(method, "/x"), "none", "raw")
	}
	if len(s.store.filled()) != 0 || len(s.store.invalidated()) != 2 {
		t.Errorf("filled %v, invalidated %v", s.store.filled(), s.store.invalidated())
	}
}

func TestSwitchingProtocols(t *testing.T) {
	s := newSite(t)
	s.handle("GET /x", freshet.Rule{Key: "x"}, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Connection", "Upgrade")
		w.Header().Set("Upgrade", "x")
		w.WriteHeader(http.StatusSwitchingProtocols)
	})
	response, err := s.server.Client().Get(s.server.URL + "/x")
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close() // it is the connection, which has no end of its own
	if response.StatusCode != http.StatusSwitchingProtocols || len(s.store.filled()) != 0 {
		t.Errorf("status %d, filled %v", response.StatusCode, s.store.filled())
	}
}

// Handlers that fail: the client learns of it as without a cache, and nothing is
// stored, so that the next request is answered by the handler again.
func TestFailures(t *testing.T) {
	tests := []struct {
		name    string
		handler http.HandlerFunc
	}{
		{"panic", func(http.ResponseWriter, *http.Request) { panic("x") }},
		{"abort", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }},
		{"panic after the first byte", func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, "half")
			panic(http.ErrAbortHandler)
		}},
		{"panic after a flush", func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, "half")
			w.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		}},
		{"length too great", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "10")
			_, _ = io.WriteString(w, "half")
		}},
		{"length too small", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "4")
			for range 3 {
				// Its errors are ignored, as too many handlers do.
				_, _ = io.WriteString(w, "half")
			}
		}},
		{"length negative", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "-1")
			_, _ = io.WriteString(w, "half")
		}},
		{"impossible status", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(0) }},
		{"another impossible status", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(1000) }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newSite(t)
			var fine atomic.Bool
			s.mux.Handle("/bare", tt.handler)
			s.handle("/x", freshet.Rule{Key: "x"}, func(w http.ResponseWriter, r *http.Request) {
				if fine.Load() && r.Method == "GET" {
					text("whole")(w, r)
					return
				}
				tt.handler(w, r)
			})
			bare := s.get("/bare")
			first := s.get("/x")
			if (first.Err == nil) != (bare.Err == nil) || first.Status != bare.Status || first.Body != bare.Body {
				t.Errorf("%d %q (%v), without a cache %d %q (%v)", first.Status, first.Body, first.Err, bare.Status, bare.Body, bare.Err)
			}
			if len(s.store.filled()) != 0 {
				t.Errorf("filled %v", s.store.filled())
			}
			fine.Store(true)
			s.wantBody(s.get("/x"), stored, "whole")
			// Who knows what a write had changed before it failed.
			s.do("PUT", "/x")
			if s.get("/x").state() == hit {
				t.Error("a hit after a write that failed")
			}
		})
	}
}

// Middleware in front that recovers finds an answer that has not begun.
func TestRecoveryInFront(t *testing.T) {
	s := newSite(t)
	s.handle("/x", freshet.Rule{Key: "x"}, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Half", "1")
		_, _ = io.WriteString(w, "half")
		panic("x")
	})
	s.serve(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			if recover() != nil {
				http.Error(w, "sorry", http.StatusInternalServerError)
			}
		}()
		s.mux.ServeHTTP(w, r)
	}))
	for _, method := range []string{"GET", "PUT"} {
		r := s.do(method, "/x")
		if r.Status != http.StatusInternalServerError || r.Body != "sorry\n" || r.Header.Get("X-Half") != "" {
			t.Errorf("%s: %+v", method, r)
		}
	}
}
