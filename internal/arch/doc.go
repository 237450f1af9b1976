// Package arch holds no code, only tests that keep the shape of the repository:
// which package may import which, which modules the root module depends on, how
// long functions and files may become, and that every exported name says what
// it is for.
//
// A new dependency of the root module shows as a difference in
// testdata/dependencies.golden. To accept it:
//
//	go test ./internal/arch -update
package arch
