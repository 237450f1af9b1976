//go:build !linux

package redistest

import "syscall"

// dieWithParent has no equivalent here: a killed test leaves its servers.
func dieWithParent() *syscall.SysProcAttr { return nil }
