package freshet_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/freshet-dev/freshet"
	"github.com/freshet-dev/freshet/memstore"
)

// newCache returns a cache in process, as freshet.Open does without Redis.
func newCache() *freshet.Cache {
	store, err := memstore.New(nil)
	if err != nil {
		panic(err)
	}
	cache, err := freshet.New(store, nil)
	if err != nil {
		panic(err)
	}
	return cache
}

// request sends a request to h and prints the answer.
func request(h http.Handler, method, path string) {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(method, path, nil))
	fmt.Println(method, path, "->", w.Body)
}

// A read is answered from the cache until a write to the same key.
func ExampleCache_Handle() {
	cache := newCache()
	defer cache.Close(context.Background())

	title := "Hello"
	read := func(w http.ResponseWriter, r *http.Request) {
		fmt.Println("the handler reads the post")
		fmt.Fprint(w, title)
	}
	write := func(w http.ResponseWriter, r *http.Request) {
		title = r.FormValue("title")
		fmt.Fprint(w, "saved")
	}
	mux := http.NewServeMux()
	if err := errors.Join(
		cache.Handle(mux, "GET /posts/{post_id}", freshet.Rule{Key: "post_cache:{}", TTL: time.Hour}, http.HandlerFunc(read)),
		cache.Handle(mux, "PUT /posts/{post_id}", freshet.Rule{Key: "post_cache:{}"}, http.HandlerFunc(write)),
	); err != nil {
		panic(err)
	}

	request(mux, "GET", "/posts/7")
	request(mux, "GET", "/posts/7")
	request(mux, "PUT", "/posts/7?title=Goodbye")
	request(mux, "GET", "/posts/7")
	// Output:
	// the handler reads the post
	// GET /posts/7 -> Hello
	// GET /posts/7 -> Hello
	// PUT /posts/7?title=Goodbye -> saved
	// the handler reads the post
	// GET /posts/7 -> Goodbye
}

// A job that changes data says what it has changed, after its commit.
func ExampleCache_Invalidate() {
	cache := newCache()
	defer cache.Close(context.Background())

	importPosts := func(ctx context.Context, user string) error {
		// ... commit, then:
		_, err := cache.Invalidate(ctx,
			freshet.Key("user_stats:"+user),
			freshet.Tag("org:1"),
			freshet.Match("search_results_*"))
		return err
	}
	fmt.Println(importPosts(context.Background(), freshet.Escape("7")))
	// Output: <nil>
}

// A job puts what it is going to change on record first, so that its invalidation is
// not lost even if the process is killed right after the commit.
func ExampleCache_Update() {
	cache := newCache()
	defer cache.Close(context.Background())

	publish := func(ctx context.Context) error {
		// ... in a transaction, before its commit, what only the data can tell:
		if err := freshet.FromContext(ctx).Invalidate(freshet.Tag("author:5")); err != nil {
			return err // and roll back
		}
		// ... commit
		return nil
	}
	_, err := cache.Update(context.Background(), publish, freshet.Key("post_cache:7"), freshet.Match("search_results_*"))
	fmt.Println(err)
	// Output: <nil>
}

// Reads go to a replica of the database that lags behind by up to a few seconds.
func ExampleTarget_FenceFor() {
	cache := newCache()
	defer cache.Close(context.Background())

	replica := "Hello"
	mux := http.NewServeMux()
	if err := cache.Handle(mux, "GET /posts/{post_id}", freshet.Rule{Key: "post_cache:{}"},
		http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, replica) })); err != nil {
		panic(err)
	}

	// The primary has "Goodbye" now. Without the fence, the next request would keep
	// "Hello" for an hour.
	if _, err := cache.Invalidate(context.Background(), freshet.Key("post_cache:7").FenceFor(10*time.Second)); err != nil {
		panic(err)
	}
	request(mux, "GET", "/posts/7")
	replica = "Goodbye" // it has caught up
	request(mux, "GET", "/posts/7")
	// Output:
	// GET /posts/7 -> Hello
	// GET /posts/7 -> Goodbye
}

// Where no change may be made that others might not hear of, every write has to be
// on record: a rule cannot do without.
func ExampleOptions_refuseWrites() {
	store, err := memstore.New(nil) // redisstore.New, where others share it
	if err != nil {
		panic(err)
	}
	cache, err := freshet.New(store, &freshet.Options{RefuseWrites: true})
	if err != nil {
		panic(err)
	}
	defer cache.Close(context.Background())

	counted := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "counted") })
	mux := http.NewServeMux()
	fmt.Println(cache.Handle(mux, "POST /posts/{id}/views", freshet.Rule{Key: "views:{}", NoIntent: true}, counted))
	fmt.Println(cache.Handle(mux, "POST /posts/{id}/likes", freshet.Rule{Key: "likes:{}"}, counted))

	// A job makes its change, or leaves it for later.
	_, err = cache.Update(context.Background(), func(context.Context) error { return nil }, freshet.Key("likes:7"))
	if errors.Is(err, freshet.ErrUnrecorded) {
		fmt.Println("later:", err)
	}
	// Output:
	// freshet: rule "POST /posts/{id}/views": NoIntent: Options.RefuseWrites asks for every write to be on record: take one of them back
	// <nil>
}

// Load keeps the result of any function.
func ExampleLoad() {
	cache := newCache()
	defer cache.Close(context.Background())
	ctx := context.Background()

	type stats struct{ Posts int }
	compute := func(context.Context) (stats, error) {
		fmt.Println("computing")
		return stats{Posts: 42}, nil
	}
	for range 2 {
		s, err := freshet.Load(ctx, cache, "user_stats:7", time.Minute, compute)
		fmt.Println(s.Posts, err)
	}
	// Output:
	// computing
	// 42 <nil>
	// 42 <nil>
}

// A handler decides about its own answer by what it finds.
func ExampleFromContext() {
	cache := newCache()
	defer cache.Close(context.Background())

	mux := http.NewServeMux()
	err := cache.Handle(mux, "GET /posts/{post_id}", freshet.Rule{Key: "post_cache:{}"},
		http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			fmt.Println("the handler reads the post")
			control := freshet.FromContext(r.Context())
			control.Tag("author:5")         // only the post tells whose it is
			control.SetTTL(5 * time.Minute) // it is new, and often edited
			fmt.Fprint(w, "Hello")
		}))
	if err != nil {
		panic(err)
	}

	request(mux, "GET", "/posts/7")
	request(mux, "GET", "/posts/7")
	if _, err := cache.Invalidate(context.Background(), freshet.Tag("author:5")); err != nil {
		panic(err)
	}
	request(mux, "GET", "/posts/7")
	// Output:
	// the handler reads the post
	// GET /posts/7 -> Hello
	// GET /posts/7 -> Hello
	// the handler reads the post
	// GET /posts/7 -> Hello
}

// An auditor finds the write that forgets its invalidation.
func ExampleAudit() {
	store, err := memstore.New(nil)
	if err != nil {
		panic(err)
	}
	found := make(chan freshet.Violation)
	cache, err := freshet.New(store, &freshet.Options{Audit: freshet.Audit{
		Fraction: 1,                // every hit; 0.001 is plenty where there are many
		Grace:    time.Millisecond, // nothing is invalidated late here
		Report:   func(v freshet.Violation) { found <- v },
	}})
	if err != nil {
		panic(err)
	}
	defer cache.Close(context.Background())

	title := "Hello"
	mux := http.NewServeMux()
	if err := cache.Handle(mux, "GET /posts/{post_id}", freshet.Rule{Key: "post_cache:{}"},
		http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, title) })); err != nil {
		panic(err)
	}

	request(mux, "GET", "/posts/7")
	title = "Goodbye" // and nobody tells the cache
	request(mux, "GET", "/posts/7")
	v := <-found
	fmt.Println("violation:", v.Ref.Key, v.Differs, v.History.Bans)
	// Output:
	// GET /posts/7 -> Hello
	// GET /posts/7 -> Hello
	// violation: post_cache:7 [Content-Length Etag body] []
}
