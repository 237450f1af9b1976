package storetest

import (
	"slices"

	"github.com/freshet-dev/freshet"
)

// softAims are the checks of targets that are soft.
func softAims() (names []string) {
	for _, aim := range covering() {
		names = append(names, "soft/"+aim.name)
	}
	return append(names, "soft/several targets", "soft/long key")
}

func softControls() []control {
	each := func(change func(*freshet.Target)) Harness {
		return aimed(func(targets []freshet.Target) []freshet.Target {
			for i := range targets {
				change(&targets[i])
			}
			return targets
		})
	}
	return []control{
		{"forgets soft targets", aimed(func(targets []freshet.Target) []freshet.Target {
			return slices.DeleteFunc(targets, func(t freshet.Target) bool { return t.Soft })
		}), softAims()},
		{"takes soft targets for hard", each(func(t *freshet.Target) { t.Soft = false }), softAims()},
		{"takes hard targets for soft", each(func(t *freshet.Target) { t.Soft = true }), []string{"soft/and hard", "invalidate/key"}},
		{"marks nothing", found(func(f *freshet.Found) {
			if f.Entry != nil {
				f.Reason = freshet.Absent
			}
		}), append(softAims(), "race/fresh")},
		{"marks everything", found(func(f *freshet.Found) {
			if f.Entry != nil {
				f.Reason = freshet.BannedAll
			}
		}), []string{"soft/spared", "stored/replaced"}},
	}
}
