package fleet

import "syscall"

// dieWithParent makes the kernel end the process when this one is killed, in
// which case no cleanup of ours runs.
func dieWithParent() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
