// Package model is the freshness protocol as an exhaustive model: every
// interleaving of a few processes, with every loss that Redis can suffer, is
// walked through, and in each state it is checked that nobody is answered from
// data that an invalidation had made old before the request began.
//
// It is a model of the design and not of the code: docs/model.md says what it
// leaves out. Its steps are those of docs/protocol.md, its names those of the
// Redis store; each guard of the protocol can be removed by a switch, and the
// tests show that the model then finds a counterexample.
//
// Two abstractions keep it small, and both make it stricter:
//
//   - A load reads its data at the moment of its stamp. Data read later is newer,
//     and nothing in the protocol looks at data.
//   - A look-up that could hit may also miss. That is an entry which has expired
//     or been evicted, so these need no steps of their own.
//
// Time is absent: what happens after a while may happen at any moment, unless a
// [Config] says what is assumed.
package model
