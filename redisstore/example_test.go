package redisstore_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/redis/rueidis"

	"github.com/freshet-dev/freshet/internal/redistest"
	"github.com/freshet-dev/freshet/redisstore"
)

// The direct client, for what a cache does not do. A program would open the
// store by redisstore.FromEnv; here, it uses a server of its own.
func ExampleStore_Client() {
	server, err := redistest.Launch()
	if err != nil {
		log.Fatal(err)
	}
	defer server.Close()
	ctx := context.Background()
	store, err := redisstore.New(ctx, &redisstore.Options{URL: "redis://" + server.Addr})
	if err != nil {
		log.Fatal(err)
	}
	defer store.Close()

	client, err := store.Client()
	if err != nil {
		log.Fatal("no Redis: ", err)
	}

	// Set a custom entry, read it, delete it.
	set := client.B().Set().Key("custom_key").Value("custom_value").Ex(time.Hour).Build()
	if err := client.Do(ctx, set).Error(); err != nil {
		log.Fatal(err)
	}
	value, err := client.Do(ctx, client.B().Get().Key("custom_key").Build()).ToString()
	fmt.Println(value, err)
	deleted, err := client.Do(ctx, client.B().Del().Key("custom_key").Build()).AsInt64()
	fmt.Println(deleted, err)

	// Several commands in one go.
	pipeline := rueidis.Commands{
		client.B().Set().Key("key1").Value("value1").Build(),
		client.B().Set().Key("key2").Value("value2").Build(),
		client.B().Expire().Key("key1").Seconds(3600).Build(),
	}
	for _, result := range client.DoMulti(ctx, pipeline...) {
		fmt.Println(result.ToAny())
	}
	// Output:
	// custom_value <nil>
	// 1 <nil>
	// OK <nil>
	// OK <nil>
	// 1 <nil>
}
