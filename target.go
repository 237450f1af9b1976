package freshet

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/freshet-dev/freshet/internal/ban"
	"github.com/freshet-dev/freshet/internal/template"
)

// TargetKind is the way in which a target names entries.
type TargetKind uint8

// The kinds of target.
const (
	TargetKey   TargetKind = iota // the entry of one key, with all its variants
	TargetTag                     // every entry that carries a tag
	TargetMatch                   // every entry whose key matches a glob
	TargetAll                     // every entry
)

// Target names entries to invalidate. It is comparable.
type Target struct {
	Kind TargetKind
	// Value is the key, the tag or the glob; empty for TargetAll.
	Value string
	// Fence is how long what the target covers stays uncacheable once it has been
	// invalidated: see [Target.FenceFor].
	Fence time.Duration
	// Soft makes what the target covers stale instead of unservable: see
	// [Target.Softly].
	Soft bool
}

// MaxFence is the longest [Target.FenceFor].
const MaxFence = 10 * time.Minute

// FenceFor returns the target with a fence: until d has passed after its
// invalidation, what it covers comes from the handlers, and none of it is stored. It
// is for loads that read from replicas of the database which lag behind by up to d:
// without it, such a load fills the cache with the data from before the change. The
// store's own clock measures d, and no process's: a fence may last a second or so
// longer. When a store has lost its data, fences may be among it, and nothing at all
// is stored for as long as the longest of them: so d is seconds rather than minutes.
func (t Target) FenceFor(d time.Duration) Target {
	t.Fence = d
	return t
}

// Softly returns the target for a soft invalidation: what it covers counts as stale
// from then on, and is served only as stale answers are, while it is revalidated
// or when the handler fails (RFC 5861), where the rule or the answer allows that.
// It is for data that may be shown a little late; it does not keep the promise that
// nothing from before is served. It has no fence, and that of a rule does not apply.
// Where the store cannot take it yet, what it covers is not served meanwhile.
func (t Target) Softly() Target {
	t.Soft, t.Fence = true, 0
	return t
}

// Key names the entry of one key with all its variants. Values that come from
// outside go through [Escape] first, as they do in templates.
func Key(key string) Target { return Target{Kind: TargetKey, Value: key} }

// Tag names every entry that carries tag.
func Tag(tag string) Target { return Target{Kind: TargetTag, Value: tag} }

// Match names every entry whose key matches glob, in the syntax of the Redis
// command KEYS: *, ?, [abc], [a-c], [^a], and \ before a byte that stands for
// itself. Values that come from outside go through [Escape] first.
func Match(glob string) Target { return Target{Kind: TargetMatch, Value: glob} }

// All names every entry of the cache's namespace.
func All() Target { return Target{Kind: TargetAll} }

// Escape returns value as it stands in keys, tags and patterns: letters, digits
// and _ - . ~ @ as they are, every other byte percent-encoded. The result has
// no glob syntax, separator, white space or control byte.
func Escape(value string) string { return template.Escape(value) }

// outlasting returns t with the longer fence of the two, and hard if one of them is.
func (t Target) outlasting(other Target) Target {
	t.Fence, t.Soft = max(t.Fence, other.Fence), t.Soft && other.Soft
	return t
}

// String returns the target as kind and value, whether it is soft, and its fence if it
// has one, for logs.
func (t Target) String() string {
	if t.Soft {
		t.Soft = false
		return "soft " + t.String()
	}
	if t.Fence != 0 {
		return fmt.Sprintf("%v (fence %v)", t.FenceFor(0), t.Fence)
	}
	switch t.Kind {
	case TargetKey:
		return "key " + t.Value
	case TargetTag:
		return "tag " + t.Value
	case TargetMatch:
		return "match " + t.Value
	default:
		return "all"
	}
}

// Member returns the target's name in the ban history: what stores keep beside
// the version. Neither the fence nor softness is part of it. The form is part of the wire form
// (docs/keys.md).
func (t Target) Member() string {
	switch t.Kind {
	case TargetKey:
		return ban.Key(t.Value)
	case TargetTag:
		return ban.Tag(t.Value)
	case TargetMatch:
		return ban.Glob(t.Value)
	default:
		return ban.All
	}
}

// reserved is the byte that separates a key from what stores append to it, so
// no key may contain it (docs/keys.md).
const reserved = "#"

// ErrTarget is wrapped by the error of a target that names nothing.
var ErrTarget = errors.New("freshet: invalid target")

// check returns the error of the first of targets that names nothing.
func check(targets []Target) error {
	for _, t := range targets {
		if err := t.check(); err != nil {
			return err
		}
	}
	return nil
}

func (t Target) check() error {
	switch {
	case t.Kind > TargetAll:
		return fmt.Errorf("%w: unknown kind %d", ErrTarget, t.Kind)
	case t.Fence < 0 || t.Fence > MaxFence:
		return fmt.Errorf("%w: %s: the fence is out of range: use 0 to %v", ErrTarget, t, MaxFence)
	case t.Soft && t.Fence > 0:
		return fmt.Errorf("%w: %s: what is stale is stored anew at once, so it cannot have a fence", ErrTarget, t)
	case t.Kind == TargetAll:
		return nil
	case t.Value == "":
		return fmt.Errorf("%w: %s is empty", ErrTarget, strings.TrimSpace(t.FenceFor(0).String()))
	case t.Kind == TargetKey && strings.Contains(t.Value, reserved):
		return fmt.Errorf("%w: key %q contains the reserved byte %s", ErrTarget, t.Value, reserved)
	case t.Kind == TargetMatch:
		if err := ban.CheckGlob(t.Value); err != nil {
			return fmt.Errorf("%w: pattern %q: %w", ErrTarget, t.Value, err)
		}
	}
	return nil
}
