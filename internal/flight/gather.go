package flight

import "context"

// Gather is Enter for callers of whom nobody knows what a load under way has not
// seen: each shares only a load that begins after it came. While one load of key
// is under way, those who come gather for the next, so that there is at most one
// under way and one to come:
//
//  1. a load begins and reads the old data
//  2. a change of what it reads is invalidated, elsewhere
//  3. a caller comes, and the load from step 1 must not be shared
//
// The leader must call Depart before it loads. A group is used by Gather or by
// Enter, not by both.
func (g *Group[S, R]) Gather(ctx context.Context, key string, stamp S) (f *Flight[S, R], leader bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	under := g.flights[key]
	switch {
	case under == nil || under.departed:
		f = g.start(ctx, key, stamp)
		f.before = under
		return f, true
	case under.waiters == MaxWaiters:
		return nil, false
	default:
		under.waiters++
		return under, false
	}
}

// Depart waits for the load before this one, and lets nobody else share this one
// from then on. It returns what the load before has landed with; ok is false if
// that has failed, or there was none. When the flight's context has ended, nobody
// waits for it any more.
//
// Nor is a load waited for that everybody has left: its handler may never notice,
// and would hold up all who ever ask for the key.
func (f *Flight[S, R]) Depart() (result R, ok bool) {
	if before := f.before; before != nil {
		select {
		case <-before.done:
		case <-before.ctx.Done():
		case <-f.ctx.Done():
			return result, false
		}
		select {
		case <-before.done: // whose context may have ended as well
			result, ok = before.result, before.ok
		default:
		}
	}
	f.change(func() { f.departed, f.before = true, nil })
	return result, ok
}
