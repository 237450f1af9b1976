//go:build unix

package redistest

import "syscall"

// Freeze stops the process without ending it: connections stay open and nothing
// is answered.
func (s *Server) Freeze() { s.signal(syscall.SIGSTOP) }

// Thaw ends [Server.Freeze].
func (s *Server) Thaw() { s.signal(syscall.SIGCONT) }

func (s *Server) signal(sig syscall.Signal) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cmd == nil {
		s.fail("redistest: the server is stopped")
		return
	}
	if err := s.cmd.Process.Signal(sig); err != nil {
		s.fail("redistest: %v", err)
		return
	}
	s.frozen = sig == syscall.SIGSTOP
}
