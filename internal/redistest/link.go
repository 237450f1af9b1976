package redistest

import (
	"net"
	"sync/atomic"
	"time"
)

// link is one connection through a [Proxy].
type link struct {
	proxy  *Proxy
	client *net.TCPConn
	server atomic.Pointer[net.TCPConn] // nil until dialled
	lost   atomic.Bool                 // half-open: nothing passes any more
	ended  atomic.Bool
	done   chan struct{} // closed with the link
}

// chunk is a part of the replies, and when the client gets it.
type chunk struct {
	bytes []byte
	due   time.Time
}

// run passes requests on until the client ends the connection.
func (l *link) run() {
	defer l.close()
	if !l.lost.Load() && !l.dial() {
		return
	}
	for buffer := make([]byte, 32<<10); ; {
		n, err := l.client.Read(buffer)
		switch {
		case err != nil:
			return
		case l.lost.Load():
			continue
		case l.proxy.now().strikes():
			l.reset()
			return
		}
		// A server that has gone is found out by those who read from it.
		_, _ = l.server.Load().Write(buffer[:n])
	}
}

func (l *link) dial() bool {
	conn, err := net.Dial("tcp", l.proxy.target)
	if err != nil {
		return false
	}
	l.server.Store(conn.(*net.TCPConn))
	if l.ended.Load() { // while it was dialled
		_ = conn.Close()
		return false
	}
	replies := make(chan chunk, 1024)
	l.proxy.links.Go(func() { l.collect(replies) })
	l.proxy.links.Go(func() { l.deliver(replies) })
	return true
}

// collect reads replies as they come, so that each is late by the delay alone and
// not by those before it.
func (l *link) collect(replies chan<- chunk) {
	defer close(replies)
	for {
		buffer := make([]byte, 32<<10)
		n, err := l.server.Load().Read(buffer)
		if err != nil {
			return
		}
		select {
		case replies <- chunk{buffer[:n], time.Now().Add(l.proxy.now().delay)}:
		case <-l.done:
			return
		}
	}
}

// deliver hands the replies to the client when they are due. The end of the
// server's side is passed on after them.
func (l *link) deliver(replies <-chan chunk) {
	for c := range replies {
		late := time.NewTimer(time.Until(c.due))
		select {
		case <-late.C:
		case <-l.done:
			late.Stop()
			return
		}
		if l.lost.Load() {
			continue
		}
		faults := l.proxy.now()
		if faults.strikes() {
			l.reset()
			return
		}
		if l.write(c.bytes, faults.pause) != nil {
			break
		}
	}
	if !l.lost.Load() {
		l.close()
	}
}

// write writes b, byte by byte if there is a pause.
func (l *link) write(b []byte, pause time.Duration) error {
	for size := len(b); len(b) > 0; b = b[size:] {
		if pause > 0 {
			size = 1
			time.Sleep(pause)
		}
		if _, err := l.client.Write(b[:size]); err != nil {
			return err
		}
	}
	return nil
}

// reset closes the link by an RST to either end.
func (l *link) reset() {
	_ = l.client.SetLinger(0)
	if server := l.server.Load(); server != nil {
		_ = server.SetLinger(0)
	}
	l.close()
}

// close closes both ends. Closing twice does nothing.
func (l *link) close() {
	if !l.ended.CompareAndSwap(false, true) {
		return
	}
	close(l.done)
	_ = l.client.Close()
	if server := l.server.Load(); server != nil {
		_ = server.Close()
	}
	l.proxy.mu.Lock()
	defer l.proxy.mu.Unlock()
	delete(l.proxy.open, l)
}
