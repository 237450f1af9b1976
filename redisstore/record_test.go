package redisstore

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/freshet-dev/freshet"
)

func anyTargets() *rapid.Generator[[]freshet.Target] {
	target := rapid.Custom(func(t *rapid.T) freshet.Target {
		kind := freshet.TargetKind(rapid.IntRange(0, len(kindLetters)-1).Draw(t, "kind"))
		value := ""
		if kind != freshet.TargetAll {
			value = string(rapid.SliceOf(rapid.Byte()).Draw(t, "value"))
		}
		fence := rapid.OneOf(rapid.Just(0), rapid.IntRange(1, int(freshet.MaxFence.Milliseconds()))).Draw(t, "fence")
		return freshet.Target{
			Kind: kind, Value: value, Fence: time.Duration(fence) * time.Millisecond, Soft: rapid.Bool().Draw(t, "soft"),
		}
	})
	return rapid.SliceOfN(target, 1, 10)
}

// TestTargetsOnRecord: what is put on record is read as it was, whatever bytes it
// is made of.
func TestTargetsOnRecord(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := anyTargets().Draw(t, "targets")
		got := targetsOf(intentMember("17", "0123456789abcdef", want))
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("read back (-want +got):\n%s", diff)
		}
	})
}

func TestTargetsWire(t *testing.T) {
	targets := []freshet.Target{
		freshet.Key("a:1"), freshet.Tag("org:1").FenceFor(1500 * time.Microsecond), freshet.Match("a*"), freshet.All(),
		freshet.Tag("org:2").Softly(), freshet.All().Softly(),
	}
	if got, want := encodeTargets(targets), "k,3:a:1t2,5:org:1p,2:a**,0:t?,5:org:2*?,0:"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// TestUnreadableRecord: what cannot be read may have been about anything.
func TestUnreadableRecord(t *testing.T) {
	all := []freshet.Target{freshet.All()}
	for _, text := range []string{
		"", "i", "i:1:2", "i:1:2:k", "i:1:2:k,", "i:1:2:k,1", "i:1:2:k,1:", "i:1:2:k,-1:", "i:1:2:x,1:y", "i:1:2:k,1:yy",
		"i:1:2:k+1,1:y", "i:1:2:k-1,1:y", "i:1:2:k99999999999,1:y", "i:1:2:k,99999999999999999999:y", "i:1:2:k, 1:y",
		"i:1:2:k??,1:y", "i:1:2:k5?,1:y", "i:1:2:?k,1:y",
	} {
		if diff := cmp.Diff(all, targetsOf(text)); diff != "" {
			t.Errorf("%q (-want +got):\n%s", text, diff)
		}
	}
}

// TestManyTargets: what would take too much room is recorded as everything, fenced
// for as long as any of it.
func TestManyTargets(t *testing.T) {
	large := freshet.Key(strings.Repeat("k", longestTargets))
	got := targetsOf(intentMember("1", "2", []freshet.Target{large, freshet.Tag("t").FenceFor(time.Second)}))
	if diff := cmp.Diff([]freshet.Target{freshet.All().FenceFor(time.Second)}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func FuzzTargetsOf(f *testing.F) {
	f.Add("i:1:2:k,3:a:1t2,5:org:1p,2:a**,0:")
	f.Add("o:1:2:*,0:")
	f.Add("i:1:2:t?,5:org:2*?,0:")
	f.Fuzz(func(t *testing.T, text string) {
		targets := targetsOf(text)
		if again := targetsOf(intentMember("1", "2", targets)); !cmp.Equal(targets, again) {
			t.Errorf("%q is %v, and then %v", text, targets, again)
		}
	})
}
