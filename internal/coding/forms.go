package coding

import (
	"context"
	"time"

	"github.com/freshet-dev/freshet/internal/flight"
	"github.com/freshet-dev/freshet/internal/memo"
)

// plainPause is for how long it is remembered that an answer is best sent as it is.
const plainPause = time.Minute

// Forms makes coded forms of answers, of the type E: each once, while others wait for
// it. The zero value is ready for use. All methods may run concurrently.
type Forms[E any] struct {
	flights flight.Group[struct{}, result[E]]
	plain   memo.Memo
}

type result[E any] struct {
	form E
	ok   bool
}

// Plain reports whether Make has found out lately that there is no form with id. When
// the answer changes that may be wrong for a while, and costs no more than the coding.
func (f *Forms[E]) Plain(id [32]byte) bool { return f.plain.Has(id, memo.Plain) }

// Make returns the form with id of the answer that is known as of; ok is false if there
// is none. make is run for one of all who ask for it at the time, and says so:
// that is remembered for a while.
//
// Forms of different answers are never taken for each other, as long as their of is not
// the same: who has found an answer after an invalidation must not get the form of the
// one from before.
func (f *Forms[E]) Make(ctx context.Context, id [32]byte, of string, make func(context.Context) (form E, ok bool)) (form E, ok bool) {
	var made result[E]
	landed, led, err := f.flights.Share(ctx, string(id[:])+of, struct{}{}, flight.Terms[struct{}, result[E]]{
		Admit: func(struct{}) bool { return true },
		Lead: func(voyage *flight.Flight[struct{}, result[E]]) {
			if made.form, made.ok = make(voyage.Context()); !made.ok {
				f.plain.Note(id, memo.Plain, plainPause)
			}
			voyage.Land(made, true)
		},
	})
	switch {
	case led:
		return made.form, made.ok
	case err != nil:
		return form, false // the client has gone
	}
	return landed.form, landed.ok
}
