// Package ban keeps a replica of the history of invalidations and answers the
// one question asked of it: which version last covered this key, these tags?
//
// A ban is a member (a key, a tag, a pattern or everything) with the version of
// the last invalidation that named it. An entry loaded under a stamp may be
// served as long as no ban with a larger version covers it. Since only the
// largest version of a member matters, the history is a map and not a log:
// bounded by the number of distinct members, and indifferent to repetition and
// order (docs/protocol.md).
package ban
