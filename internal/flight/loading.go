package flight

import "context"

// loading is one of the loads that a context belongs to.
type loading struct {
	what  any
	outer *loading
}

type loadingKey struct{}

// WithLoading returns a context that belongs to the load of what, a comparable
// value, besides those that ctx belongs to.
func WithLoading(ctx context.Context, what any) context.Context {
	outer, _ := ctx.Value(loadingKey{}).(*loading)
	return context.WithValue(ctx, loadingKey{}, &loading{what, outer})
}

// Loading reports whether ctx belongs to the load of what. Whoever waited for
// that load under ctx would wait for itself.
func Loading(ctx context.Context, what any) bool {
	l, _ := ctx.Value(loadingKey{}).(*loading)
	for ; l != nil; l = l.outer {
		if l.what == what {
			return true
		}
	}
	return false
}
