package conns

import "syscall"

// TCP_NOTSENT_LOWAT of linux/tcp.h; package syscall has no name for it.
const notSentLowat = 25

// control has the kernel hold no more than 128 KiB of a connection that the client
// has not got room for; accepted connections inherit it. Without it, the kernel takes
// megabytes from each of thousands of slow clients' answers, and says only after a
// third of them that there is room again: a client that reads slowly but steadily
// would look as if it had stopped.
func control(_, _ string, raw syscall.RawConn) error {
	return raw.Control(func(fd uintptr) {
		// A kernel that does not know it does without.
		_ = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, notSentLowat, 128<<10)
	})
}
