package freshet_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/freshet-dev/freshet"
)

const (
	writeDone    = `fwd=method; detail="invalidated"`
	writeRefused = "fwd=method"
)

func TestWhatInvalidates(t *testing.T) {
	tests := []struct {
		name    string
		handler http.HandlerFunc
		drops   bool
	}{
		{"nothing written", func(http.ResponseWriter, *http.Request) {}, true},
		{"200", text("x"), true},
		{"201", status(201), true},
		{"204", status(204), true},
		{"301", status(301), true},
		{"303", status(303), true},
		{"399", status(399), true},
		{"400", status(400), false},
		{"404", status(404), false},
		{"409", status(409), false},
		{"499", status(499), false},
		{"500", status(500), true},
		{"503", status(503), true},
		{"599", status(599), true},
		{"panic", func(http.ResponseWriter, *http.Request) { panic("x") }, true},
		{"abort", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, true},
		{"400 flushed", func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(400)
			w.(http.Flusher).Flush()
		}, false},
		{"interim answer and 400", func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusProcessing)
			w.WriteHeader(400)
		}, false},
		{"length is a lie", with("Content-Length", "10"), true},
	}
	for _, tt := range tests {
		for _, method := range []string{"PUT", "POST", "PATCH", "DELETE", "PURGE"} {
			t.Run(tt.name+" "+method, func(t *testing.T) {
				s := newSite(t)
				s.handle("GET /x", freshet.Rule{Key: "x"}, uri)
				s.handle(method+" /x", freshet.Rule{Key: "x"}, tt.handler)
				s.want(s.get("/x"), stored)
				r := s.do(method, "/x")
				if state := s.get("/x").state(); (state != hit) != tt.drops {
					t.Errorf("the read after it: %s", state)
				}
				if want := map[bool]string{true: writeDone, false: writeRefused}[tt.drops]; r.Err == nil && r.state() != want {
					t.Errorf("Cache-Status %q, want %q", r.state(), want)
				}
			})
		}
	}
}

// OPTIONS and TRACE reach the handler as they are and invalidate nothing.
func TestPassingMethods(t *testing.T) {
	s := newSite(t)
	s.handle("/x", freshet.Rule{Key: "x"}, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == "OPTIONS" {
			w.Header().Set("Allow", "GET")
		}
		uri(w, r)
	})
	s.want(s.get("/x"), stored)
	for _, method := range []string{"OPTIONS", "TRACE"} {
		s.wantBody(s.do(method, "/x"), "none", method+" /x")
		s.want(s.get("/x"), hit)
	}
	if targets := s.store.invalidated(); len(targets) != 0 {
		t.Errorf("invalidated %v", targets)
	}
}

// The first byte of a write's answer comes after the invalidation, whatever
// makes it go out.
func TestInvalidatedBeforeTheFirstByte(t *testing.T) {
	for name, h := range map[string]http.HandlerFunc{
		"small": text("x"),
		"empty": func(http.ResponseWriter, *http.Request) {},
		"held":  text(strings.Repeat("x", 50_000)),
		"large": text(strings.Repeat("x", 200_000)),
		"flush": func(w http.ResponseWriter, _ *http.Request) { w.(http.Flusher).Flush() },
		"hijack": func(w http.ResponseWriter, _ *http.Request) {
			conn, _, err := http.NewResponseController(w).Hijack()
			if err != nil {
				panic(err)
			}
			_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\n\r\n")
			conn.Close()
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t)
			reached, goOn := make(chan struct{}, 2), make(chan struct{})
			s.store.onInvalidate = func() {
				reached <- struct{}{}
				<-goOn
			}
			s.handle("PUT /x", freshet.Rule{Key: "x", MaxBody: 100_000}, h)
			conn, err := net.Dial("tcp", s.server.Listener.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			if _, err = io.WriteString(conn, "PUT /x HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n"); err != nil {
				t.Fatal(err)
			}
			<-reached
			// The store is in the middle of it: not a byte may be there. What
			// the limit catches is a byte that was sent before.
			_ = conn.SetReadDeadline(time.Now().Add(20 * time.Millisecond))
			one := make([]byte, 1)
			if n, err := conn.Read(one); n != 0 || !errors.Is(err, context.DeadlineExceeded) && !isTimeout(err) {
				t.Errorf("%d bytes before the invalidation (%v)", n, err)
			}
			close(goOn)
			_ = conn.SetReadDeadline(time.Time{})
			if _, err := io.ReadFull(conn, one); err != nil {
				t.Errorf("no answer: %v", err)
			}
		})
	}
}

func isTimeout(err error) bool {
	var n net.Error
	return errors.As(err, &n) && n.Timeout()
}

// A write that streams goes on changing things after its first byte.
func TestStreamingWriteInvalidatesTwice(t *testing.T) {
	s := newSite(t)
	begun, read := make(chan struct{}), make(chan struct{})
	s.handle("GET /x", freshet.Rule{Key: "x"}, uri)
	s.handle("PUT /x", freshet.Rule{Key: "x"}, func(w http.ResponseWriter, r *http.Request) {
		w.(http.Flusher).Flush()
		close(begun)
		<-read
		_ = freshet.FromContext(r.Context()).Invalidate(freshet.Key("y"))
	})
	done := make(chan reply)
	go func() { done <- s.do("PUT", "/x") }()
	<-begun
	s.get("/x") // stored between the flush and the end of the handler
	s.want(s.get("/x"), hit)
	close(read)
	s.want(<-done, writeDone)
	if state := s.get("/x").state(); state == hit {
		t.Error("what was loaded during the write is still served")
	}
	want := [][]freshet.Target{{freshet.Key("x")}, {freshet.Key("x"), freshet.Key("y")}}
	if diff := cmp.Diff(want, s.store.invalidated()); diff != "" {
		t.Errorf("targets (-want +got):\n%s", diff)
	}
}

// All that a write drops, the handler's own included, goes in one call.
func TestOneCall(t *testing.T) {
	s := newSite(t)
	s.handle("PUT /posts/{id}", freshet.Rule{
		Key: "post:{id}", Invalidate: []string{"list", "post:{id}"}, InvalidateMatch: []string{"search_*"}, InvalidateTags: []string{"t:{id}"},
	}, func(_ http.ResponseWriter, r *http.Request) {
		control := freshet.FromContext(r.Context())
		if err := control.Invalidate(freshet.Tag("author:7"), freshet.Key("stats:7"), freshet.Key("list")); err != nil {
			t.Error(err)
		}
		if err := control.Invalidate(freshet.Key(""), freshet.Match("[x"), freshet.Match("z*")); !errors.Is(err, freshet.ErrTarget) {
			t.Errorf("error %v, want ErrTarget", err)
		}
	})
	s.want(s.do("PUT", "/posts/1"), writeDone)
	want := [][]freshet.Target{{
		freshet.Key("post:1"), freshet.Key("list"), freshet.Match("search_*"), freshet.Tag("t:1"),
		freshet.Tag("author:7"), freshet.Key("stats:7"), freshet.Match("z*"),
	}}
	if diff := cmp.Diff(want, s.store.invalidated()); diff != "" {
		t.Errorf("targets (-want +got):\n%s", diff)
	}
}

func TestTargetsThatLackAValue(t *testing.T) {
	rule := freshet.Rule{
		Key: "u:{user_id:int}:p:{page:int=1}", Query: []string{"user_id"},
		Invalidate: []string{"list:{user_id}"}, InvalidateMatch: []string{"*_{user_id}_*"},
	}
	tests := []struct {
		name, query string
		want        []freshet.Target
	}{
		{"all there", "?user_id=7", []freshet.Target{freshet.Key("u:7:p:1"), freshet.Key("list:7"), freshet.Match("*_7_*")}},
		{"absent", "", []freshet.Target{freshet.Match("u:*:p:1"), freshet.Match("list:*"), freshet.Match("*_*_*")}},
		{"unfit", "?user_id=x&page=y", []freshet.Target{freshet.Match("u:*:p:*"), freshet.Match("list:*"), freshet.Match("*_*_*")}},
		{"malformed", "?user_id=7&page=%zz", []freshet.Target{freshet.Key("u:7:p:1"), freshet.Key("list:7"), freshet.Match("*_7_*")}},
		{"star", "?user_id=*", []freshet.Target{freshet.Match("u:*:p:1"), freshet.Match("list:*"), freshet.Match("*_*_*")}},
		{"repeated", "?user_id=7&page=2&user_id=8", []freshet.Target{
			freshet.Key("u:7:p:2"), freshet.Key("list:7"), freshet.Match("*_7_*"),
			freshet.Key("u:8:p:2"), freshet.Key("list:8"), freshet.Match("*_8_*"),
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newSite(t)
			s.handle("POST /x", rule, uri)
			s.want(s.do("POST", "/x"+tt.query), writeDone)
			if diff := cmp.Diff([][]freshet.Target{tt.want}, s.store.invalidated()); diff != "" {
				t.Errorf("targets (-want +got):\n%s", diff)
			}
		})
	}
	t.Run("tag", func(t *testing.T) {
		s := newSite(t)
		s.handle("POST /x", freshet.Rule{InvalidateTags: []string{"of:{q}"}, Query: []string{"q"}}, uri)
		s.do("POST", "/x")
		if diff := cmp.Diff([][]freshet.Target{{freshet.All()}}, s.store.invalidated()); diff != "" {
			t.Errorf("targets (-want +got):\n%s", diff)
		}
	})
}

// A user called * drops nobody else's entries.
func TestStarInvalidatesItself(t *testing.T) {
	s := newSite(t)
	s.handle("GET /users/{username}", freshet.Rule{Key: "{username}_posts:1"}, uri)
	s.handle("PUT /users/{username}", freshet.Rule{InvalidateMatch: []string{"{username}_*"}}, uri)
	names := []string{"*", "ann", "%3F", "%5Bab%5D", "a%5C"}
	for _, name := range names {
		s.want(s.get("/users/"+name), stored)
	}
	for _, name := range names {
		s.do("PUT", "/users/"+name)
		for _, other := range names {
			if state := s.get("/users/" + other).state(); (state == hit) == (other == name) {
				t.Errorf("after a write of %q, %q: %s", name, other, state)
			}
		}
	}
}

// A client that leaves does not take the invalidation with it.
func TestClientLeavesDuringAWrite(t *testing.T) {
	s := newSite(t)
	at := make(chan struct{})
	done := make(chan struct{})
	s.handle("GET /x", freshet.Rule{Key: "x"}, uri)
	put := s.cache.Handler(freshet.Rule{Key: "x"}, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		close(at)
		<-r.Context().Done()
	}))
	s.mux.HandleFunc("PUT /x", func(w http.ResponseWriter, r *http.Request) {
		defer close(done)
		put.ServeHTTP(w, r)
	})
	s.want(s.get("/x"), stored)
	ctx, leave := context.WithCancel(context.Background())
	r, err := http.NewRequestWithContext(ctx, "PUT", s.server.URL+"/x", nil)
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		<-at
		leave()
	}()
	if _, err := s.server.Client().Do(r); !errors.Is(err, context.Canceled) {
		t.Fatalf("error %v", err)
	}
	<-done
	// Done at once: not owed and delivered some time later.
	s.want(s.get("/x"), stored)
}

// A write whose body ends early: its handler sees the error, and what it did
// before counts.
func TestBodyEndsEarly(t *testing.T) {
	s := newSite(t)
	seen := make(chan error, 1)
	s.handle("GET /x", freshet.Rule{Key: "x"}, uri)
	s.handle("PUT /x", freshet.Rule{Key: "x"}, func(w http.ResponseWriter, r *http.Request) {
		_, err := io.ReadAll(r.Body)
		http.Error(w, "bad body", http.StatusBadRequest)
		seen <- err
	})
	s.want(s.get("/x"), stored)
	conn, err := net.Dial("tcp", s.server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	_, _ = fmt.Fprint(conn, "PUT /x HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\nhalf")
	conn.Close()
	if err := <-seen; !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("the handler saw %v", err)
	}
	s.want(s.get("/x"), hit)
}

// A read can invalidate too, by its control.
func TestReadInvalidatesByControl(t *testing.T) {
	s := newSite(t)
	s.handle("GET /other", freshet.Rule{Key: "other"}, uri)
	s.handle("GET /x", freshet.Rule{Key: "x"}, func(_ http.ResponseWriter, r *http.Request) {
		_ = freshet.FromContext(r.Context()).Invalidate(freshet.Key("other"))
	})
	for _, header := range []string{"Cookie", "Accept"} {
		s.get("/other")
		s.want(s.get("/other"), hit)
		s.get("/x", header, "a")
		if state := s.get("/other").state(); state == hit {
			t.Errorf("with %s: still a hit", header)
		}
	}
}

// Tags and TTL that the handler sets are the entry's, beside the rule's.
func TestControlOfAnEntry(t *testing.T) {
	s := newSite(t)
	s.handle("GET /posts/{id}", freshet.Rule{Key: "post:{id}", Tags: []string{"posts", "post:{id}"}}, func(_ http.ResponseWriter, r *http.Request) {
		control := freshet.FromContext(r.Context())
		control.Tag("author:7", "posts")
		control.SetTTL(time.Minute)
	})
	s.want(s.get("/posts/1"), stored)
	f := s.store.filled()[0]
	if diff := cmp.Diff([]string{"author:7", "post:1", "posts"}, f.Tags); diff != "" || f.TTL != time.Minute {
		t.Errorf("TTL %v, tags (-want +got):\n%s", f.TTL, diff)
	}
	for _, target := range []freshet.Target{freshet.Tag("author:7"), freshet.Tag("posts"), freshet.Tag("post:1"), freshet.Match("post:*"), freshet.All()} {
		s.get("/posts/1")
		s.want(s.get("/posts/1"), hit)
		if _, err := s.cache.Invalidate(t.Context(), target); err != nil {
			t.Fatal(err)
		}
		if state := s.get("/posts/1").state(); state == hit {
			t.Errorf("a hit after %v", target)
		}
	}
}

// An answer whose tags are not known is not stored: nobody could drop it.
func TestTagsThatDoNotResolve(t *testing.T) {
	s := newSite(t)
	s.handle("GET /x", freshet.Rule{Key: "x", Tags: []string{"org:{org:int}"}, Query: []string{"org"}}, uri)
	s.want(s.get("/x"), `fwd=uri-miss; detail="{org} has no value"`)
	s.want(s.get("/x?org=a"), `fwd=uri-miss; detail="{org} does not fit the type int"`)
	s.want(s.get("/x?org=1&org=2"), `fwd=uri-miss; detail="repeated parameter"`)
	s.want(s.get("/x?org=01"), stored)
	if fills := s.store.filled(); len(fills) != 1 || fills[0].Tags[0] != "org:1" {
		t.Errorf("filled %v", fills)
	}
}
