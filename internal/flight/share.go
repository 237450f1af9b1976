package flight

import "context"

// Terms are what one caller lays down about a load that it shares.
type Terms[S, R any] struct {
	// Admit is what Enter asks on boarding. Nil stands for a caller of whom
	// nobody knows what a load under way has not seen: see [Group.Gather].
	Admit func(began S) bool
	// Accept is asked on landing whether the result of a load under began may
	// answer this caller. Nil accepts everything.
	Accept func(began S, result R) bool
	// Lead runs the load, if this caller is the one to, and lands it.
	Lead func(f *Flight[S, R])
}

// Share leads a flight of key or waits for one. led says that it has called
// terms.Lead; otherwise result is the flight's, or the zero result if there is none
// to share: then the caller has to load alone. The error is the cause of ctx.
func (g *Group[S, R]) Share(ctx context.Context, key string, stamp S, terms Terms[S, R]) (result R, led bool, err error) {
	// The first failure may have been the leader's own trouble: one waiter takes
	// over. After the second, each is on its own and none waits for the other.
	for range 2 {
		f, leader := g.board(ctx, key, stamp, terms.Admit)
		switch {
		case leader:
			f.lead(terms.Lead)
			return result, true, nil
		case f == nil:
			return result, false, nil
		}
		landed, ok, err := f.Wait(ctx)
		if err != nil || ok && (terms.Accept == nil || terms.Accept(f.stamp, landed)) {
			return landed, false, err
		}
	}
	return result, false, nil
}

func (g *Group[S, R]) board(ctx context.Context, key string, stamp S, admit func(S) bool) (f *Flight[S, R], leader bool) {
	if admit == nil {
		return g.Gather(ctx, key, stamp)
	}
	return g.Enter(ctx, key, stamp, admit)
}

// lead runs the load of f.
func (f *Flight[S, R]) lead(run func(*Flight[S, R])) {
	// Deferred, so that a panic or an abort lands the flight too.
	defer f.End()
	var none R
	defer f.Land(none, false)
	run(f)
}
