package storetest

import (
	"context"
	"slices"
	"time"

	"github.com/freshet-dev/freshet"
	"github.com/freshet-dev/freshet/internal/ban"
)

// fakeFence refuses loads under a stamp from before its end.
type fakeFence struct {
	ends time.Time
	bans *ban.Map        // what it covers, at version 1
	end  freshet.Version // once it has ended
}

// fence needs mu, as do all of the following.
func (d *fakeData) fence(t freshet.Target) {
	f := fakeFence{ends: time.Now().Add(t.Fence), bans: new(ban.Map)}
	if d.defect == "fences everything" {
		_ = f.bans.Add(ban.All, 1)
	}
	_ = f.bans.Add(t.Member(), 1)
	t.Fence, d.longest = 0, max(d.longest, t.Fence)
	if f.ends.After(d.fences[t].ends) || d.defect == "shortens fences" {
		d.fences[t] = f
	}
}

// endFences gives the fences that are over the version that loads need from now on.
func (d *fakeData) endFences() {
	for t, f := range d.fences {
		if f.end == 0 && time.Since(f.ends) > 0 && d.defect != "fences for ever" {
			d.stamp.Version++
			f.end = d.stamp.Version
			d.fences[t] = f
		}
	}
}

func (d *fakeData) fenced(key string, tags []string, stamp freshet.Stamp) bool {
	for _, f := range d.fences {
		over := f.end != 0 && (stamp.Version >= f.end || d.defect == "looks at fences when filling")
		if member, _ := f.bans.Since(key, tags, 0); member != "" && !over && d.defect != "knows no fences" {
			return true
		}
	}
	return false
}

// behind reports whether a fence over what was loaded inside it has ended.
func (d *fakeData) behind(key string, tags []string, stamp freshet.Stamp) bool {
	for _, f := range d.fences {
		member, _ := f.bans.Since(key, tags, 0)
		if member != "" && stamp.Version < f.end && d.defect != "shares what was loaded inside" {
			return true
		}
	}
	return false
}

// fakeIntent is what is on record of a write.
type fakeIntent struct {
	by      *fakeStore
	targets []freshet.Target
	left    bool // its write has ended, and it falls due with the next
}

func (s *fakeStore) Intend(ctx context.Context, targets []freshet.Target) (freshet.Intent, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if ctx.Err() != nil && s.defect != "intends without a context" {
		return nil, ctx.Err()
	}
	i := &fakeIntent{by: s, targets: targets}
	s.intents = append(s.intents, i)
	return i, nil
}

// carryOut invalidates what the dead have left.
func (d *fakeData) carryOut() {
	some := slices.ContainsFunc(d.intents, (*fakeIntent).due)
	d.intents = slices.DeleteFunc(d.intents, func(i *fakeIntent) bool {
		if !i.due() && !(i.left && some) {
			return false
		}
		targets := i.targets
		switch d.defect {
		case "carries out nothing":
			return true
		case "carries out everything":
			targets = []freshet.Target{freshet.All()}
		case "carries out without fences":
			for n := range targets {
				targets[n].Fence = 0
			}
		case "carries out harder":
			for n := range targets {
				targets[n].Soft = false
			}
		}
		_, _ = d.ban(targets)
		return true
	})
}

func (i *fakeIntent) due() bool {
	select {
	case <-i.by.dead:
		return true
	default:
		return i.by.defect == "takes all for dead"
	}
}

func (i *fakeIntent) Add(_ context.Context, targets []freshet.Target) error {
	i.by.mu.Lock()
	defer i.by.mu.Unlock()
	if i.by.defect != "adds nothing" {
		i.targets = append(i.targets, targets...)
	}
	return nil
}

func (i *fakeIntent) Invalidate(ctx context.Context, targets []freshet.Target) (freshet.Version, error) {
	i.end()
	if i.by.defect == "ends without invalidating" {
		targets = nil
	}
	return i.by.Invalidate(ctx, targets)
}

func (i *fakeIntent) Withdraw(context.Context) { i.end() }

func (i *fakeIntent) end() {
	i.by.mu.Lock()
	defer i.by.mu.Unlock()
	if i.by.defect == "ends no intents" {
		i.left = true
		return
	}
	i.by.intents = slices.DeleteFunc(i.by.intents, func(other *fakeIntent) bool { return other == i })
}
