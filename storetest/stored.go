package storetest

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/freshet-dev/freshet"
)

func storedChecks() []check {
	list := []check{
		{"stored/absent", checkAbsent},
		{"stored/keys apart", checkKeysApart},
		{"stored/variants apart", checkVariantsApart},
		{"stored/replaced", checkReplaced},
		{"stored/crowded", checkCrowded},
		{"stored/ttl", checkTTL},
		{"stored/least ttl", checkLeastTTL},
	}
	for name, e := range samples() {
		list = append(list, check{"stored/" + name, func(t testing.TB, h Harness) { checkRoundTrip(t, h, e) }})
	}
	return list
}

// samples returns entries that exercise each field, without Loaded and TTL. Their
// times are whole microseconds.
func samples() map[string]freshet.Entry {
	var many []freshet.Field
	for i := range 40 {
		many = append(many, freshet.Field{Name: fmt.Sprintf("X-Header-%02d", i), Value: strings.Repeat("v", i)})
	}
	identity := freshet.Identity{0: 0xff, 1: 0, 15: '\n', 31: 0x80}
	return map[string]freshet.Entry{
		"all fields": {
			Identity: identity, Tags: []string{"org:1", "user:5"}, Status: 404, Body: `{"id":123}`,
			Fresh: time.Minute + time.Microsecond, Age: 2 * time.Second, Took: 3 * time.Millisecond,
			Header: []freshet.Field{{Name: "Content-Type", Value: "application/json"}, {Name: "Etag", Value: `"x"`}},
		},
		"empty body": {Status: 204},
		"stale":      {Status: 200, Fresh: time.Second, Age: time.Minute},
		"for ever":   {Status: 200, Fresh: 1 << 31 * time.Second},
		"no status":  {Body: "a value of Load", Identity: identity},
		"binary body": {
			Status: 200, Body: "\x00\xff\xfe\r\n\x80" + strings.Repeat("\x00", 300) + "\xc3\x28",
			Header: []freshet.Field{{Name: "X-Latin", Value: "caf\xe9"}}, Tags: []string{"caf\xc3\xa9", "t\x01"},
		},
		"large body":   {Status: 200, Body: strings.Repeat("0123456789abcdef", 1<<16)},
		"many headers": {Status: 200, Body: "b", Header: many},
		"repeated header": {Status: 200, Header: []freshet.Field{
			{Name: "Link", Value: "<a>"}, {Name: "Link", Value: "<b>"}, {Name: "Link", Value: "<a>"}, {Name: "Vary", Value: ""},
		}},
	}
}

// checkRoundTrip: what is found is what was filled, field by field, in the
// process that filled it and in another.
func checkRoundTrip(t testing.TB, h Harness, sample freshet.Entry) {
	l := newLab(t, h)
	for _, ref := range []freshet.Ref{ref("post_cache:123"), variant("post_cache:123", "0a")} {
		e := sample
		e.Loaded, e.TTL = time.Now(), 90*time.Minute
		want := e
		want.Stamp = l.fill(l.a, ref, &e)
		for _, s := range []freshet.Store{l.a, l.b} {
			found := l.lookup(s, ref)
			if found.Entry == nil {
				l.Fatalf("Lookup of %s: a miss, %v; want a hit", show(ref), found.Reason)
			}
			if got := plain(*found.Entry); !reflect.DeepEqual(got, plain(want)) {
				l.Errorf("Lookup of %s:\n got %.500s\nwant %.500s", show(ref),
					fmt.Sprintf("%+v", got), fmt.Sprintf("%+v", plain(want)))
			}
			if found.Stamp.Incarnation != want.Stamp.Incarnation || found.Stamp.Version < want.Stamp.Version {
				l.Errorf("the stamp of a hit is %v, older than that of its fill, %v", found.Stamp, want.Stamp)
			}
		}
	}
}

// plain returns e in the form in which entries are compared: stores may keep
// times in microseconds, and no list as an empty one.
func plain(e freshet.Entry) freshet.Entry {
	e.Loaded = time.UnixMicro(e.Loaded.UnixMicro())
	e.Tags = append([]string{}, e.Tags...)
	e.Header = append([]freshet.Field{}, e.Header...)
	return e
}

// checkAbsent: what was never stored is absent, however near its name is to that
// of something stored, and the stamp that comes with the miss can be filled under.
func checkAbsent(t testing.TB, h Harness) {
	l := newLab(t, h)
	l.fill(l.a, ref("post_cache:123"), entry("other"))
	l.fill(l.a, variant("post_cache:125", "0a"), entry("other"))
	for _, r := range []freshet.Ref{
		ref("post_cache:12"), ref("post_cache:1234"), ref("POST_CACHE:123"), ref("post_cache:125"),
		variant("post_cache:123", "0a"), variant("post_cache:125", "0b"),
	} {
		l.wantMiss(r)
		if got, want := l.lookup(l.a, r).Stamp, l.lookup(l.b, r).Stamp; got.Incarnation != want.Incarnation {
			l.Errorf("two processes disagree on the incarnation: %v and %v", got, want)
		}
		l.fill(l.a, r, entry("mine"))
		l.wantHit(r, "mine")
	}
}

// goldenKeys are keys as rules make them.
var goldenKeys = []string{
	"post_cache:123", "user_data:123", "johndoe_posts:456", "user_123_posts_page_2:789", "johndoe_posts:page_1:456",
	"john_post_cache:123", "user_cache:johndoe", "search:shoes", "johndoe_posts:page_1:items_per_page_10:johndoe",
	"johndoe_posts:page_2:items_per_page_25:johndoe", "org_1_dept_2_employees:2", "countries", "user_posts:123",
	"latest_posts:global", "user_stats:123", "search_results_caf%C3%A9%20%2A:1", "a{b}c:1", "%7Btag%7D:x",
}

// checkKeysApart stores everything before it looks anything up, so that keys
// that meet in one place have overwritten each other by then.
func checkKeysApart(t testing.TB, h Harness) {
	l := newLab(t, h)
	long := strings.Repeat("x", 10_000)
	keys := append([]string{"long_" + long + "a", "long_" + long + "b", "long_" + long}, goldenKeys...)
	for _, key := range keys {
		l.fill(l.a, ref(key), entry("body of "+key))
	}
	for _, key := range keys {
		l.wantHit(ref(key), "body of "+key)
	}
}

// checkVariantsApart: the variants of a key, the key itself and the same variants
// of another key are all different answers.
func checkVariantsApart(t testing.TB, h Harness) {
	l := newLab(t, h)
	refs := []freshet.Ref{ref("search:shoes"), ref("search:boots")}
	for _, name := range []string{"0a", "0b", "0", "ff00ff00ff00ff00ff00ff00ff00ff00"} {
		refs = append(refs, variant("search:shoes", name), variant("search:boots", name))
	}
	for _, r := range refs {
		l.fill(l.a, r, entry("body of "+show(r)))
	}
	for _, r := range refs {
		l.wantHit(r, "body of "+show(r))
	}
}

// checkReplaced: a later fill takes the place of an earlier one, also where no
// invalidation lies between them and the stamps are equal.
func checkReplaced(t testing.TB, h Harness) {
	l := newLab(t, h)
	for _, r := range []freshet.Ref{ref("countries"), variant("countries", "0a")} {
		for _, body := range []string{"first", "second", "", "third"} {
			l.fill(l.a, r, entry(body))
			l.wantHit(r, body)
		}
	}
}

// checkTTL looks an entry up until it is gone. A Lookup that begins after the
// entry's time has passed since Fill returned must not find it; the allowance is
// for stores that count in milliseconds.
func checkTTL(t testing.TB, h Harness) {
	const ttl, allowance = 80 * time.Millisecond, 5 * time.Millisecond
	l := newLab(t, h)
	for _, r := range []freshet.Ref{ref("live_stats"), variant("live_stats", "0a")} {
		e := entry("short")
		e.TTL = ttl
		l.fill(l.a, r, e)
		end := time.Now().Add(ttl + allowance)
		l.fill(l.a, variant("live_stats", "0b"), entry("long"))
		l.eventually("the entry has expired", func() bool {
			late := time.Now().After(end)
			found := l.lookup(l.b, r)
			if late && found.Entry != nil {
				l.Fatalf("Lookup of %s finds an entry after its TTL of %v", show(r), ttl)
			}
			return late && found.Entry == nil
		})
		l.wantMiss(r)
		l.wantHit(variant("live_stats", "0b"), "long")
		l.fill(l.a, r, entry("again"))
		l.wantHit(r, "again")
	}
}

// checkCrowded: nobody can fill the store with variants of one key. How many it
// keeps is its own affair, as long as there is an end; those it has stay, can be
// replaced, and make room when the key is invalidated.
func checkCrowded(t testing.TB, h Harness) {
	const beyond = 10_000
	l := newLab(t, h)
	name := func(i int) freshet.Ref { return variant(subjectKey, fmt.Sprintf("%04x", i)) }
	count := 0
	for ; count < beyond; count++ {
		if got := l.fillUnder(l.a, name(count), l.lookup(l.a, name(count)).Stamp, subject("b")); got == freshet.Crowded {
			break
		} else if got != freshet.Stored {
			l.Fatalf("Fill of variant %d: %v, want %v or %v", count, got, freshet.Stored, freshet.Crowded)
		}
	}
	if count == beyond {
		l.Fatalf("a key has %d variants and no end", count)
	}
	l.wantMiss(name(count))
	l.wantHit(name(0), "b")
	l.fill(l.a, name(0), subject("c"))
	l.wantHit(name(0), "c")
	l.fill(l.a, ref(subjectKey), subject("base"))
	l.invalidate(l.b, freshet.Key(subjectKey))
	l.fill(l.a, name(count), subject("b"))
	l.wantHit(name(count), "b")
	l.wantMiss(name(0), freshet.BannedKey)
}

// checkLeastTTL: the shortest TTL is neither an error nor for ever, which is what
// a time of zero means to some.
func checkLeastTTL(t testing.TB, h Harness) {
	l := newLab(t, h)
	for _, ttl := range []time.Duration{time.Microsecond, time.Millisecond} {
		e := entry("shortest")
		e.TTL = ttl
		l.fill(l.a, ref("live_stats"), e)
		l.eventually("the entry has expired", func() bool { return l.lookup(l.a, ref("live_stats")).Entry == nil })
	}
}
