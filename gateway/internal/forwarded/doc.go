// Package forwarded decides what is believed of the fields in which proxies say on
// whose behalf they ask: X-Forwarded-For, X-Forwarded-Proto, X-Forwarded-Host and
// Forwarded (RFC 7239). Anybody can send them, so they are believed only from
// proxies that the operator trusts, and everybody else's are replaced.
package forwarded
