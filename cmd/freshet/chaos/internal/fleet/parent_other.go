//go:build !linux

package fleet

import "syscall"

// dieWithParent has no equivalent here.
func dieWithParent() *syscall.SysProcAttr { return nil }
