package redisstore_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/freshet-dev/freshet"
	"github.com/freshet-dev/freshet/internal/redistest"
)

// golden are keys as the Python original wrote them.
var golden = map[string]time.Duration{
	"post_cache:123":                   time.Hour,
	"user_123_posts_page_2:789":        time.Hour,
	"johndoe_posts:page_1:456":         time.Hour,
	"john_post_cache:123":              time.Hour,
	"user_cache:johndoe":               time.Hour,
	"search:shoes":                     time.Hour,
	"org_1_dept_2_employees:2":         30 * time.Minute,
	"countries":                        24 * time.Hour,
	"latest_posts:global":              5 * time.Minute,
	"johndoe_posts:page_1:items:10:jd": 5 * time.Minute,
}

func TestGoldenKeys(t *testing.T) {
	server := redistest.Start(t)
	s := open(t, server)
	var want []string
	for name, ttl := range golden {
		fill(t, s, key(name), ttl, "body")
		want = append(want, name)
		left := do(t, server, "PTTL", name).(int64)
		if left <= 0 || left > ttl.Milliseconds() || left < ttl.Milliseconds()-patience.Milliseconds() {
			t.Errorf("%s: %d ms left of %v", name, left, ttl)
		}
	}
	if diff := cmp.Diff(sorted(want), userKeys(t, server)); diff != "" {
		t.Errorf("keys in Redis (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"freshet#ctl", "freshet#kb", "freshet#tb", "freshet#wi"}, keys(t, "freshet#*", server)); diff != "" {
		t.Errorf("control keys (-want +got):\n%s", diff)
	}
}

// TestEveryKeyHasTTL looks at everything that the store ever writes, and that
// the control keys outlive all entries.
func TestEveryKeyHasTTL(t *testing.T) {
	server := redistest.Start(t)
	s := open(t, server, namespace("shop"))
	fill(t, s, key("long"), 48*time.Hour, "body")
	fill(t, s, key("short"), time.Second, "body", "tag")
	fill(t, s, freshet.Ref{Key: "page", Variant: "ab"}, 72*time.Hour, "body")
	fill(t, s, freshet.Ref{Key: "page", Variant: "cd"}, time.Minute, "body")
	invalidate(t, s, freshet.Key("other"), freshet.Tag("other"), freshet.Match("x*"))
	l, err := s.Lease(t.Context(), key("leased"), nil, lookup(t, s, key("leased")).Stamp)
	if err != nil || !l.Held() {
		t.Fatal(l, err)
	}
	defer l.Release(t.Context(), true)
	var longest int64
	for _, name := range keys(t, "*", server) {
		left := do(t, server, "PTTL", name).(int64)
		if left == -1 {
			t.Errorf("%s has no TTL", name)
		}
		if !strings.Contains(name, "freshet#") {
			longest = max(longest, left)
		}
	}
	for _, name := range []string{"shop:freshet#ctl", "shop:freshet#tb", "shop:freshet#kb", "shop:freshet#wi", "shop:page#v"} {
		if left := do(t, server, "PTTL", name).(int64); left < longest-patience.Milliseconds() {
			t.Errorf("%s ends after %d ms, before an entry that ends after %d", name, left, longest)
		}
	}
}

func TestKeysInNamespaceAndCluster(t *testing.T) {
	server := redistest.Start(t)
	fill(t, open(t, server, namespace("shop")), freshet.Ref{Key: "post:1", Variant: "ab"}, time.Minute, "body")
	want := []string{"shop:freshet#ctl", "shop:freshet#kb", "shop:freshet#tb", "shop:freshet#wi", "shop:post:1#v", "shop:post:1#v:ab"}
	if diff := cmp.Diff(want, keys(t, "*", server)); diff != "" {
		t.Errorf("keys in a namespace (-want +got):\n%s", diff)
	}
}

// TestProfile is the write of the original that invalidates by pattern. There
// 999 of 1,000 matching keys survived.
func TestProfile(t *testing.T) {
	server := redistest.Start(t)
	s := open(t, server)
	for _, name := range []string{
		"user_profile:5", "user_5_posts_page_1:9", "x_user_5_y:1", "search_results_a:1", "user_55_posts:1",
		"friend_user_5_", "user_5_",
	} {
		fill(t, s, key(name), time.Hour, "body")
	}
	for i := range 1000 {
		fill(t, s, key(fmt.Sprintf("user_5_posts_page_%d:1", i)), time.Hour, "body")
	}
	invalidate(t, s, freshet.Key("user_profile:5"), freshet.Match("user_5_*"), freshet.Match("*_user_5_*"),
		freshet.Match("search_results_*"))
	// They are served no more at once, and gone from Redis some time later.
	wantMiss(t, s, key("user_profile:5"), freshet.Absent)
	wantHit(t, s, key("user_55_posts:1"), "body")
	await(t, "the sweep", func() bool { return cmp.Equal(userKeys(t, server), []string{"user_55_posts:1"}) })
}

func TestLongKeys(t *testing.T) {
	server := redistest.Start(t)
	s := open(t, server)
	long := func(end string) freshet.Ref { return key("list:" + strings.Repeat("x", 10_000) + end) }
	fill(t, s, long("a"), time.Hour, "a")
	fill(t, s, long("b"), time.Hour, "b")
	fill(t, s, key(strings.Repeat("y", 512)), time.Hour, "y")
	for _, name := range userKeys(t, server) {
		if len(name) > 512 {
			t.Errorf("a key of Redis has %d bytes", len(name))
		}
	}
	wantHit(t, s, long("a"), "a")
	wantHit(t, s, long("b"), "b")
	invalidate(t, s, freshet.Match("list:*a"))
	wantHit(t, s, long("b"), "b")
	if found := lookup(t, s, long("a")); found.Entry != nil {
		t.Error("a pattern for the end of a long key has not been seen")
	}
	before := lookup(t, s, long("b")).Stamp
	invalidate(t, s, freshet.Key(long("b").Key))
	wantMiss(t, s, long("b"), freshet.Absent)
	outcome, err := s.Fill(t.Context(), long("b"), before, &freshet.Entry{Loaded: time.Now(), TTL: time.Hour})
	if outcome != freshet.Fenced || err != nil {
		t.Errorf("late fill of a long key: %v, %v", outcome, err)
	}
}

// TestStrangers shares the database with others: with keys of every type, under
// names of ours and not, and with a cache of another namespace.
func TestStrangers(t *testing.T) {
	server := redistest.Start(t)
	s, other := open(t, server), open(t, server, namespace("other"))
	do(t, server, "SET", "session:1", "secret")
	do(t, server, "HSET", "user_5_hash", "f", "v")
	do(t, server, "LPUSH", "user_5_list", "v")
	do(t, server, "SET", "user_5_text", strings.Repeat("text", 1000))
	do(t, server, "SET", "user_5_#v", "text")
	fill(t, other, key("user_5_"), time.Hour, "other", "tag")
	fill(t, s, key("user_5_"), time.Hour, "body", "tag")
	before := keys(t, "*", server)
	invalidate(t, s, freshet.All(), freshet.Tag("tag"), freshet.Match("*user_5_*"))
	await(t, "the sweep", func() bool {
		v, err := server.Do("EXISTS", "user_5_", "freshet#sweep")
		return err == nil && v == int64(0)
	})
	var want []string
	for _, name := range before {
		if name != "user_5_" {
			want = append(want, name)
		}
	}
	if diff := cmp.Diff(want, keys(t, "*", server)); diff != "" {
		t.Errorf("keys after invalidating everything (-want +got):\n%s", diff)
	}
	wantHit(t, other, key("user_5_"), "other")
}
