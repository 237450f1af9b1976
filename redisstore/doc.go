// Package redisstore is the [freshet.Store] on Redis or Valkey, from version 7
// on: standalone, behind Sentinel, or as a Cluster.
//
// A lookup is one MGET of the entry and the control record, and runs no script:
// whether an invalidation by tag or pattern covers the entry is decided in this
// process, by a replica of the ban history that is brought up to the version in
// the record whenever that has grown. Fills and invalidations are one script
// each, atomic in their partition. [docs/protocol.md] has the reasons,
// [docs/keys.md] and keys.go the form of everything that is stored.
//
// [docs/protocol.md]: https://github.com/freshet-dev/freshet/blob/main/docs/protocol.md
// [docs/keys.md]: https://github.com/freshet-dev/freshet/blob/main/docs/keys.md
package redisstore
