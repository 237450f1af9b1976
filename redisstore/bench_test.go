package redisstore_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"github.com/freshet-dev/freshet"
	"github.com/freshet-dev/freshet/internal/redistest"
	"github.com/freshet-dev/freshet/redisstore"
)

// answer4K is what the benchmarks keep: eight header fields, 4 KB of body.
func answer4K() *freshet.Entry {
	e := &freshet.Entry{Loaded: time.Now(), TTL: time.Hour, Status: 200, Tags: []string{"org:1", "user:7"}}
	for i := range 8 {
		e.Header = append(e.Header, freshet.Field{Name: fmt.Sprintf("X-Field-%d", i), Value: "some value of a header"})
	}
	var body strings.Builder
	for i := uint64(1); body.Len() < 4096; i++ {
		fmt.Fprintf(&body, "%x", i*0x9e3779b97f4a7c15) // does not compress
	}
	e.Body = body.String()[:4096]
	return e
}

func benchStore(b *testing.B) (*redisstore.Store, rueidis.Client) {
	server := redistest.Start(b)
	s := open(b, server)
	stamp := lookup(b, s, key("k")).Stamp
	if outcome, err := s.Fill(context.Background(), key("k"), stamp, answer4K()); outcome != freshet.Stored || err != nil {
		b.Fatal(outcome, err)
	}
	client, err := s.Client()
	if err != nil {
		b.Fatal(err)
	}
	return s, client
}

// callers runs f from 1 and from 64 goroutines at a time.
func callers(b *testing.B, name string, f func() error) {
	for _, n := range []int{1, 64} {
		b.Run(fmt.Sprintf("%s/callers=%d", name, n), func(b *testing.B) {
			b.ReportAllocs()
			if n == 1 {
				for b.Loop() {
					if err := f(); err != nil {
						b.Fatal(err)
					}
				}
				return
			}
			b.SetParallelism(n / 2) // times GOMAXPROCS
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if err := f(); err != nil {
						b.Error(err)
						return
					}
				}
			})
		})
	}
}

// BenchmarkHit compares a lookup with the bare command that it is made of.
func BenchmarkHit(b *testing.B) {
	s, client := benchStore(b)
	bounded, cancel := context.WithTimeout(context.Background(), time.Hour)
	defer cancel()
	request, end := context.WithCancel(context.Background())
	defer end()
	callers(b, "mget", func() error {
		values, err := client.Do(bounded, client.B().Mget().Key("k", "freshet#ctl").Build()).ToArray()
		if err == nil && len(values) != 2 {
			err = fmt.Errorf("%d values", len(values))
		}
		return err
	})
	callers(b, "lookup", func() error {
		found, err := s.Lookup(request, key("k"))
		if err == nil && found.Entry == nil {
			err = fmt.Errorf("a miss, %v", found.Reason)
		}
		return err
	})
}

func BenchmarkFill(b *testing.B) {
	s, _ := benchStore(b)
	stamp, e := lookup(b, s, key("k")).Stamp, answer4K()
	callers(b, "fill", func() error {
		again := *e
		_, err := s.Fill(context.Background(), key("k"), stamp, &again)
		return err
	})
}

func BenchmarkInvalidate(b *testing.B) {
	s, _ := benchStore(b)
	targets := []freshet.Target{freshet.Key("k"), freshet.Key("user_stats:7"), freshet.Tag("org:1")}
	callers(b, "key", func() error {
		_, err := s.Invalidate(context.Background(), targets[:1])
		return err
	})
	callers(b, "two keys and a tag", func() error {
		_, err := s.Invalidate(context.Background(), targets)
		return err
	})
}

// BenchmarkAfterFailover shows what the fence costs a hit: run it with -count.
func BenchmarkAfterFailover(b *testing.B) {
	server := redistest.Start(b)
	for _, setting := range []string{"trust", "flush", "replay"} {
		s := open(b, server, namespace(setting), func(o *redisstore.Options) { o.AfterFailover = setting })
		fill(b, s, key("k"), time.Hour, "body")
		callers(b, setting, func() error {
			found, err := s.Lookup(context.Background(), key("k"))
			if err == nil && found.Entry == nil {
				err = fmt.Errorf("a miss, %v", found.Reason)
			}
			return err
		})
	}
}

// BenchmarkWaitReplicas shows what waiting for a replica costs an invalidation.
func BenchmarkWaitReplicas(b *testing.B) {
	server := redistest.Start(b)
	redistest.Start(b, "--replicaof", strings.Replace(server.Addr, ":", " ", 1))
	for _, n := range []int{0, 1} {
		s := open(b, server, func(o *redisstore.Options) { o.WaitReplicas = n })
		targets := []freshet.Target{freshet.Key("k")}
		await(b, "the replica", func() bool { _, err := s.Invalidate(b.Context(), targets); return err == nil })
		callers(b, fmt.Sprintf("replicas=%d", n), func() error {
			_, err := s.Invalidate(b.Context(), targets)
			return err
		})
	}
}

// BenchmarkWrite compares a write's invalidation with and without an intent.
func BenchmarkWrite(b *testing.B) {
	s, _ := benchStore(b)
	ctx := context.Background()
	targets := []freshet.Target{freshet.Key("k"), freshet.Key("user_stats:7"), freshet.Tag("org:1")}
	callers(b, "invalidate", func() error {
		_, err := s.Invalidate(ctx, targets)
		return err
	})
	callers(b, "intend and invalidate", func() error {
		i, err := s.Intend(ctx, targets)
		if err == nil {
			_, err = i.Invalidate(ctx, targets)
		}
		return err
	})
}
