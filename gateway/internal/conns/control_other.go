//go:build !linux

package conns

import "syscall"

// control has nothing to set where the option is not known to be inherited.
func control(_, _ string, _ syscall.RawConn) error { return nil }
