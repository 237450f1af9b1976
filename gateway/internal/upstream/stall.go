package upstream

import (
	"errors"
	"io"
	"mime"
	"net/http"
	"sync/atomic"
	"time"
)

// ErrStalled says that an answer's body has stopped to come.
var ErrStalled = errors.New("the answer's body has stalled")

// watched returns answer with a body that fails once nothing has come for too long.
// Streams of events may be silent for as long as they like, and after an upgrade there
// is no body.
func (p *Pool) watched(answer *http.Response) *http.Response {
	kind, _, _ := mime.ParseMediaType(answer.Header.Get("Content-Type"))
	if answer.StatusCode == http.StatusSwitchingProtocols || kind == "text/event-stream" || answer.Body == http.NoBody {
		return answer
	}
	b := &watchedBody{ReadCloser: answer.Body, limit: p.settings.Stall}
	b.timer = time.AfterFunc(b.limit, func() {
		b.stalled.Store(true)
		_ = b.ReadCloser.Close() // which ends a Read
	})
	b.timer.Stop()
	answer.Body = b
	return answer
}

// watchedBody is a body whose every part has to come in time.
type watchedBody struct {
	io.ReadCloser
	limit   time.Duration
	timer   *time.Timer
	stalled atomic.Bool
}

// Read implements io.Reader.
func (b *watchedBody) Read(p []byte) (int, error) {
	// Only while somebody waits: a slow reader is no fault of the server's.
	b.timer.Reset(b.limit)
	n, err := b.ReadCloser.Read(p)
	b.timer.Stop()
	if err != nil && b.stalled.Load() {
		err = ErrStalled
	}
	return n, err
}

// Close implements io.Closer.
func (b *watchedBody) Close() error {
	b.timer.Stop()
	return b.ReadCloser.Close()
}
