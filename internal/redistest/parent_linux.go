package redistest

import "syscall"

// dieWithParent makes the kernel end the server when this process is killed, in
// which case no cleanup of ours runs.
func dieWithParent() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
