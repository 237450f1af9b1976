// Package freshet caches the answers of API handlers and is never stale after a
// write: docs/design.md has the way of a request, [Rule] what can be set.
package freshet
