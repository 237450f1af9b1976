// Package storetest is the conformance suite that every [freshet.Store]
// passes: the contract of the interface as tests, races, losses and deaths included.
//
// A store's own test calls [Run] with a [Harness] that says how to open it:
//
//	func TestConformance(t *testing.T) {
//		storetest.Run(t, storetest.Harness{
//			Open: func(t testing.TB) freshet.Store { ... },
//		})
//	}
package storetest

import (
	"testing"
	"time"

	"github.com/freshet-dev/freshet"
)

// Harness says how to open the store under test, and what can be done to it.
// Only Open is required. Its functions report their own failures with t.Fatal.
type Harness struct {
	// Open returns a new store without entries that shares nothing with any
	// other the harness has opened. The suite closes it when t ends.
	Open func(t testing.TB) freshet.Store

	// Peer returns another store on the data of first, as a second process
	// would open it. The suite closes it. Nil where a store belongs to one
	// process: the suite then lets the same store play both parts.
	Peer func(t testing.TB, first freshet.Store) freshet.Store

	// Partitioned says that the data is spread over several partitions, so that
	// an invalidation of several targets is not one atomic step.
	Partitioned bool

	// Flush loses all data of the store, entries and metadata, behind its back.
	// Nil where that cannot be done.
	Flush func(t testing.TB, s freshet.Store)

	// Forget loses metadata of the store behind its back but leaves the entries
	// in place; each function is one way to lose some. The name of the way is
	// the key.
	Forget map[string]func(t testing.TB, s freshet.Store)

	// Corrupt damages the stored bytes of ref. Nil where a store has no bytes.
	Corrupt func(t testing.TB, s freshet.Store, ref freshet.Ref)

	// Kill makes s behave as if its process had died: nothing that it holds is
	// released or kept alive from now on. The suite does not use s afterwards,
	// but closes it. Nil where that cannot be done.
	Kill func(t testing.TB, s freshet.Store)

	// OpenBrief is Open for a store that is a [freshet.Intender], as are its peers,
	// with intents that fall due a few seconds after the death of their process, and
	// nothing on record yet. It needs Peer and Kill. Nil where a store does not
	// outlive its process.
	OpenBrief func(t testing.TB) freshet.Store

	// patience is how long the suite waits for what has to happen some time;
	// zero means longest. The suite's own tests, which expect some of it never
	// to happen, set less.
	patience time.Duration
}

// longest says nothing about how soon a store should do something: the machine
// may be busy.
const longest = 30 * time.Second

// Run runs the suite, each check as a subtest of t on a store of
// its own. It takes about five seconds on a store in memory.
func Run(t *testing.T, h Harness) {
	for _, c := range checks() {
		t.Run(c.name, func(t *testing.T) { c.run(t, h) })
	}
}
