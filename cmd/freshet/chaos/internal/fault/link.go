package fault

import (
	"context"
	"time"

	"github.com/freshet-dev/freshet/internal/redistest"
)

// linkFaults returns those of the connections between the processes and a single
// server. They are alone among themselves, because the end of one ends all.
func linkFaults() []fault {
	on := func(name string, outage bool, spoil func(*redistest.Proxy, *Attack)) fault {
		return fault{name: name, on: "standalone", alone: true, outage: outage, run: func(ctx context.Context, a *Attack) (string, error) {
			spoil(a.Redis.proxy, a)
			a.hold(ctx)
			a.Redis.proxy.Pass()
			return "", nil
		}}
	}
	return []fault{
		on("link-cut", true, func(p *redistest.Proxy, _ *Attack) { p.Cut() }),
		on("link-reset", true, func(p *redistest.Proxy, _ *Attack) { p.Reset(0.01) }),
		on("link-hole", true, func(p *redistest.Proxy, _ *Attack) { p.BlackHole() }),
		on("link-refuse", true, func(p *redistest.Proxy, _ *Attack) { p.Refuse(); p.Cut() }),
		on("link-slow", true, func(p *redistest.Proxy, a *Attack) {
			p.Delay(upTo(a.rand, 700*time.Millisecond))
		}),
	}
}
