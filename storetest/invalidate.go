package storetest

import (
	"strings"
	"testing"

	"github.com/freshet-dev/freshet"
)

// The entry that targets are tried on.
const subjectKey = "user_5_posts_page_1:9"

func subjectTags() []string { return []string{"org:1", "user:5"} }

func subject(body string) *freshet.Entry { return entry(body, subjectTags()...) }

// aim is a target, and why a Lookup misses if it covers the subject.
type aim struct {
	name   string
	target freshet.Target
	reason freshet.Reason
}

// covering returns targets that cover the subject.
func covering() []aim {
	return []aim{
		{"key", freshet.Key(subjectKey), freshet.BannedKey},
		{"first tag", freshet.Tag("org:1"), freshet.BannedTag},
		{"last tag", freshet.Tag("user:5"), freshet.BannedTag},
		{"prefix", freshet.Match("user_5_*"), freshet.BannedMatch},
		{"suffix", freshet.Match("*:9"), freshet.BannedMatch},
		{"middle", freshet.Match("*_posts_*"), freshet.BannedMatch},
		{"class", freshet.Match("user_[3-5]_posts_page_?:[^12]"), freshet.BannedMatch},
		{"escape", freshet.Match(`user\_5\_*`), freshet.BannedMatch},
		{"no wildcard", freshet.Match(subjectKey), freshet.BannedMatch},
		{"star", freshet.Match("*"), freshet.BannedMatch},
		{"all", freshet.All(), freshet.BannedAll},
	}
}

// sparing returns targets that do not cover the subject, but nearly.
func sparing() []aim {
	return []aim{
		{name: "longer key", target: freshet.Key(subjectKey + "0")},
		{name: "shorter key", target: freshet.Key("user_5_posts_page_1")},
		{name: "glob as key", target: freshet.Key("user_5_*")},
		{name: "tag as key", target: freshet.Key("org:1")},
		{name: "longer tag", target: freshet.Tag("org:11")},
		{name: "shorter tag", target: freshet.Tag("org:")},
		{name: "glob as tag", target: freshet.Tag("org:*")},
		{name: "key as tag", target: freshet.Tag(subjectKey)},
		{name: "other number", target: freshet.Match("user_55_*")},
		{name: "other case", target: freshet.Match("USER_5_*")},
		{name: "not anchored at the end", target: freshet.Match("user_5_posts_page_1")},
		{name: "not anchored at the start", target: freshet.Match("5_posts_page_1:9")},
		{name: "tag as glob", target: freshet.Match("org:*")},
		{name: "escaped star", target: freshet.Match(`user_5_\*`)},
		{name: "encoded star", target: freshet.Match("user_" + freshet.Escape("*") + "_*")},
		{name: "negated class", target: freshet.Match("user_[^5]_*")},
	}
}

func invalidateChecks() []check {
	list := []check{
		{"invalidate/several targets", checkSeveralTargets},
		{"invalidate/variants", checkInvalidateVariants},
		{"invalidate/profile", checkProfile},
		{"invalidate/long key", checkLongKey},
		{"invalidate/encoded", checkEncoded},
		{"invalidate/repeated", checkRepeated},
		{"spared", checkSpared},
		{"valid", checkValid},
	}
	for _, aim := range covering() {
		list = append(list, check{"invalidate/" + aim.name, func(t testing.TB, h Harness) { checkInvalidate(t, h, aim) }})
	}
	return list
}

// checkInvalidate: one target, one process that fills and another that
// invalidates. The version is later than what it makes unservable and not later
// than the stamps after it; partitions have versions of their own.
func checkInvalidate(t testing.TB, h Harness, aim aim) {
	l := newLab(t, h)
	stamp := l.fill(l.a, ref(subjectKey), subject("old"))
	l.fill(l.a, ref("countries"), entry("bystander", "continent:1"))
	l.wantHit(ref(subjectKey), "old")

	version := l.invalidate(l.b, aim.target)
	l.wantMiss(ref(subjectKey), aim.reason)
	if aim.target.Kind != freshet.TargetAll && aim.target.Value != "*" {
		l.wantHit(ref("countries"), "bystander")
	}
	if version <= stamp.Version {
		l.Errorf("Invalidate returned version %d, which is not newer than the stamp %v before it", version, stamp)
	}
	if now := l.lookup(l.a, ref(subjectKey)).Stamp; !h.Partitioned && now.Version < version {
		l.Errorf("the stamp after an invalidation is %v, older than its version %d", now, version)
	}
	l.fill(l.a, ref(subjectKey), subject("new"))
	l.wantHit(ref(subjectKey), "new")
}

// checkSpared: an invalidation drops what it covers and nothing else. A cache
// that drops too much passes every other check.
func checkSpared(t testing.TB, h Harness) {
	l := newLab(t, h)
	refs := []freshet.Ref{ref(subjectKey), variant(subjectKey, "0a")}
	for _, r := range refs {
		l.fill(l.a, r, subject("stays"))
	}
	for _, aim := range sparing() {
		l.invalidate(l.b, aim.target)
		for _, r := range refs {
			l.wantHit(r, "stays")
		}
		if l.Failed() {
			l.Fatalf("after %v", aim.target)
		}
	}
}

// checkSeveralTargets: all kinds of target in one call, those that cover nothing
// among them.
func checkSeveralTargets(t testing.TB, h Harness) {
	l := newLab(t, h)
	keys := []string{"post_cache:1", "user_posts:1", "latest_posts:global", "search_results_a:1", "user_stats:7", "countries"}
	for _, key := range keys {
		l.fill(l.a, ref(key), entry(key, "of:"+key))
	}
	l.invalidate(l.b, freshet.Key("post_cache:1"), freshet.Key("user_posts:1"), freshet.Key("never_stored:1"),
		freshet.Match("search_results_*"), freshet.Tag("of:user_stats:7"), freshet.Tag("never used"))
	l.wantMiss(ref("post_cache:1"), freshet.BannedKey)
	l.wantMiss(ref("user_posts:1"), freshet.BannedKey)
	l.wantMiss(ref("search_results_a:1"), freshet.BannedMatch)
	l.wantMiss(ref("user_stats:7"), freshet.BannedTag)
	l.wantHit(ref("latest_posts:global"), "latest_posts:global")
	l.wantHit(ref("countries"), "countries")
}

// checkInvalidateVariants: an invalidation of a key drops its variants, which no
// list may have to be kept of, and their return brings none of the others back.
func checkInvalidateVariants(t testing.TB, h Harness) {
	l := newLab(t, h)
	refs := []freshet.Ref{ref(subjectKey), variant(subjectKey, "0a"), variant(subjectKey, "0b")}
	other := variant("countries", "0a")
	for _, aim := range covering() {
		for _, r := range refs {
			l.fill(l.a, r, subject("old"))
			l.wantHit(r, "old")
		}
		l.fill(l.a, other, entry("bystander"))
		l.invalidate(l.b, aim.target)
		for _, r := range refs {
			l.wantMiss(r, aim.reason)
		}
		if aim.target.Kind == freshet.TargetKey {
			l.wantHit(other, "bystander")
		}
		// One variant that comes back does not bring the others with it.
		l.fill(l.a, refs[1], subject("new"))
		l.wantHit(refs[1], "new")
		l.wantMiss(refs[0], aim.reason)
		l.wantMiss(refs[2], aim.reason)
		if l.Failed() {
			l.Fatalf("after %v", aim.target)
		}
	}
}

// checkProfile is the example of docs: a profile is changed, and of the keys that
// look alike only the other user's stays.
func checkProfile(t testing.TB, h Harness) {
	l := newLab(t, h)
	gone := []string{
		"user_profile:5", "user_5_posts_page_1:9", "x_user_5_y:1", "search_results_a:1", "friend_user_5_", "user_5_",
	}
	for _, key := range append([]string{"user_55_posts:1"}, gone...) {
		l.fill(l.a, ref(key), entry(key))
	}
	l.invalidate(l.b, freshet.Key("user_profile:5"),
		freshet.Match("user_5_*"), freshet.Match("*_user_5_*"), freshet.Match("search_results_*"))
	for _, key := range gone {
		l.wantMiss(ref(key), freshet.BannedKey, freshet.BannedMatch)
	}
	l.wantHit(ref("user_55_posts:1"), "user_55_posts:1")
}

// checkLongKey: patterns apply to the whole of a key, and keys that differ in
// the last byte only are two, however a store shortens them.
func checkLongKey(t testing.TB, h Harness) {
	l := newLab(t, h)
	middle := strings.Repeat("0123456789", 1000)
	a, b := "long_"+middle+"_a", "long_"+middle+"_b"
	for _, target := range []freshet.Target{freshet.Match("long_*_a"), freshet.Key(a), freshet.Match("*9_a")} {
		l.fill(l.a, ref(a), entry("a"))
		l.fill(l.a, ref(b), entry("b"))
		l.invalidate(l.b, target)
		l.wantMiss(ref(a), freshet.BannedKey, freshet.BannedMatch)
		l.wantHit(ref(b), "b")
	}
	l.invalidate(l.b, freshet.Match("long_*"))
	l.wantMiss(ref(b), freshet.BannedMatch)
}

// checkEncoded: a value that is glob syntax stands for itself. A user named *
// invalidates nobody else, in either direction.
func checkEncoded(t testing.TB, h Harness) {
	l := newLab(t, h)
	star, john := freshet.Escape("*")+"_posts:1", "john_posts:1"
	brace := freshet.Escape("{a}[b]?") + "_posts:1"
	keys := []string{star, john, brace}
	for i, name := range []string{"*", "{a}[b]?"} {
		for _, key := range keys {
			l.fill(l.a, ref(key), entry(key))
		}
		l.invalidate(l.b, freshet.Match(freshet.Escape(name)+"_*"))
		gone := []string{star, brace}[i]
		for _, key := range keys {
			if key == gone {
				l.wantMiss(ref(key), freshet.BannedMatch)
			} else {
				l.wantHit(ref(key), key)
			}
		}
	}
}

// checkRepeated: repeating an invalidation is harmless, as retries will, and
// versions rise.
func checkRepeated(t testing.TB, h Harness) {
	l := newLab(t, h)
	var last freshet.Version
	for i, aim := range append(covering(), covering()...) {
		l.fill(l.a, ref(subjectKey), subject("old"))
		for range 3 {
			version := l.invalidate(l.b, aim.target)
			if version <= last && !h.Partitioned {
				l.Errorf("Invalidate returned version %d after %d", version, last)
			}
			last = version
			l.wantMiss(ref(subjectKey), aim.reason)
		}
		if l.Failed() {
			l.Fatalf("in round %d, %v", i, aim.target)
		}
	}
}

// checkValid: Valid says of a load under way what Fill and Lookup would.
func checkValid(t testing.TB, h Harness) {
	l := newLab(t, h)
	for _, r := range []freshet.Ref{ref(subjectKey), variant(subjectKey, "0a")} {
		for _, aim := range covering() {
			stamp := l.lookup(l.a, r).Stamp
			wantValid(l, r, stamp, true)
			l.invalidate(l.b, aim.target)
			wantValid(l, r, stamp, false)
			wantValid(l, r, l.lookup(l.a, r).Stamp, true)
			if l.Failed() {
				l.Fatalf("with %v", aim.target)
			}
		}
		stamp := l.lookup(l.a, r).Stamp
		for _, aim := range sparing() {
			l.invalidate(l.b, aim.target)
			wantValid(l, r, stamp, true)
			if l.Failed() {
				l.Fatalf("with %v", aim.target)
			}
		}
		stamp.Incarnation++
		wantValid(l, r, stamp, false)
	}
}

func wantValid(l *lab, r freshet.Ref, stamp freshet.Stamp, want bool) {
	l.Helper()
	for _, s := range []freshet.Store{l.a, l.b} {
		if got := l.valid(s, r, subjectTags(), stamp); got != want {
			l.Errorf("Valid of %s is %v, want %v", show(r), got, want)
		}
	}
}
