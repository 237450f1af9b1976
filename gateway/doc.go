// Package gateway is a caching reverse proxy: it stands in front of any API, written
// in whatever language, and answers from a [freshet.Cache] by rules that a file
// gives. Without rules it is a shared cache by the letter of HTTP: it keeps what
// answers allow, for as long as they say, by scheme, host, path and query.
//
// [Read] reads the file, [New] makes a [Gateway] of it, an http.Handler.
package gateway
