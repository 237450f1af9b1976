package main

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/redis/rueidis"

	"github.com/freshet-dev/freshet"
	"github.com/freshet-dev/freshet/memstore"
	"github.com/freshet-dev/freshet/redisstore"
)

// The variants: two ways of answering through freshet, and for each the least
// that a handler could do instead.
const (
	constant = "constant" // writes constant bytes
	embedded = "embedded" // a hit of freshet on the embedded store
	bare     = "mget"     // one bare MGET of the same bytes
	redis    = "redis"    // a hit of freshet on Redis
)

// variants is the order in which they are measured.
var variants = []string{constant, embedded, bare, redis}

// build returns the handler of a variant, and what ends it.
func build(variant string, o *origin, addr string) (http.Handler, func(), error) {
	switch variant {
	case constant:
		return o, func() {}, nil
	case embedded:
		store, err := memstore.New(nil)
		if err != nil {
			return nil, nil, err
		}
		return wrap(o, store)
	case bare:
		return bareMGET(o, addr)
	case redis:
		store, err := redisstore.New(context.Background(), &redisstore.Options{URL: "redis://" + addr + "/0"})
		if err != nil {
			return nil, nil, err
		}
		return wrap(o, store)
	default:
		return nil, nil, fmt.Errorf("there is no variant %q", variant)
	}
}

// wrap puts o behind a rule such as the README's.
func wrap(o *origin, store freshet.Store) (http.Handler, func(), error) {
	cache, err := freshet.New(store, nil)
	if err != nil {
		return nil, nil, err
	}
	rule := freshet.Rule{Key: "post_cache:{post_id:int}", TTL: time.Hour}
	return cache.Handler(rule, o), func() { cache.Close(context.Background()) }, nil
}

// bareMGET reads what freshet reads, the answer and forty bytes of control, and
// does nothing else with it than writing the answer.
func bareMGET(o *origin, addr string) (http.Handler, func(), error) {
	client, err := rueidis.NewClient(rueidis.ClientOption{InitAddress: []string{addr}, DisableCache: true})
	if err != nil {
		return nil, nil, err
	}
	set := client.B().Mset().KeyValue().
		KeyValue("bare:"+key, string(o.body)).
		KeyValue("bare:control", strings.Repeat("c", 40)).Build()
	if err := client.Do(context.Background(), set).Error(); err != nil {
		client.Close()
		return nil, nil, err
	}
	o.runs.Add(1)
	handler := func(w http.ResponseWriter, r *http.Request) {
		values, err := client.Do(r.Context(), client.B().Mget().Key("bare:"+key, "bare:control").Build()).ToArray()
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
			return
		}
		body, err := values[0].AsBytes()
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
			return
		}
		describe(w, len(body))
		w.Write(body)
	}
	return http.HandlerFunc(handler), client.Close, nil
}
