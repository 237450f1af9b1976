package access

import (
	"cmp"
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync"
	"time"
)

const (
	// flushEvery is how long a line may stand in memory.
	flushEvery = time.Second
	// full is when lines are written without waiting for that.
	full = 64 << 10
	// most is how much is kept while a disk or a reader is too slow. A request never
	// waits for the log: what comes beyond is left out, counted and told.
	most = 4 << 20
)

// Log writes records to a file or a stream. It is made by [Open]; Add may be called
// concurrently.
type Log struct {
	format Format
	query  bool
	log    *slog.Logger

	mu      sync.Mutex
	buf     []byte
	lost    int
	closing bool

	wake chan struct{}
	done chan struct{}

	out     io.Writer // of run only, from here on
	err     error     // of the last write
	missing int       // lines that have been lost and not been told of
}

// Options are the settings of a [Log].
type Options struct {
	Format Format
	// Path is the file that lines are appended to. Empty: Out.
	Path string
	// Query keeps the query. Queries carry secrets often enough (tokens, signed
	// URLs), so that it has to be asked for.
	Query bool
	// Out takes the lines where there is no Path. It is not closed. Default:
	// os.Stdout.
	Out io.Writer
	// Logger is told when lines cannot be written, and when they can again.
	Logger *slog.Logger
}

// Open opens a log; it is nil, which logs nothing, for the format None. The file is
// opened in append mode, so that several processes, and a rotation that truncates,
// do no harm; for a rotation that renames, open it anew.
func Open(o Options) (*Log, error) {
	if o.Format == None {
		return nil, nil
	}
	l := &Log{
		format: o.Format, query: o.Query, log: cmp.Or(o.Logger, slog.Default()),
		out: o.Out, wake: make(chan struct{}, 1), done: make(chan struct{}),
	}
	if l.out == nil {
		l.out = os.Stdout
	}
	if o.Path != "" {
		f, err := os.OpenFile(o.Path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o640)
		if err != nil {
			return nil, fmt.Errorf("the access log: %w", err)
		}
		l.out = f
	}
	go l.run(o.Path != "")
	return l, nil
}

// Query reports whether the log keeps queries.
func (l *Log) Query() bool { return l.query }

// Add puts a record into the log. It does not wait for the disk. It is not ok when
// the log has been closed: there may be another in its place.
func (l *Log) Add(r *Record) (ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closing {
		return false
	}
	if len(l.buf) >= most {
		l.lost++
	} else {
		l.buf = l.format.line(l.buf, r)
	}
	if len(l.buf) >= full {
		l.nudge()
	}
	return true
}

func (l *Log) nudge() {
	select {
	case l.wake <- struct{}{}:
	default: // it is awake already
	}
}

// Close writes what is left and closes the file. It does nothing to a nil Log.
func (l *Log) Close() error {
	if l == nil {
		return nil
	}
	l.mu.Lock()
	l.closing = true
	l.mu.Unlock()
	l.nudge()
	<-l.done
	return l.err
}

// run writes, until Close: the only one who touches the file.
func (l *Log) run(file bool) {
	defer close(l.done)
	ticker := time.NewTicker(flushEvery)
	defer ticker.Stop()
	var spare []byte
	for closing, tick := false, false; !closing; {
		select {
		case <-ticker.C:
			tick = true
		case <-l.wake:
			tick = false
		}
		var batch []byte
		batch, closing = l.take(spare)
		l.write(batch)
		if tick || closing {
			l.tell()
		}
		spare = batch[:0]
	}
	if f, ok := l.out.(io.Closer); ok && file {
		l.err = cmp.Or(l.err, f.Close())
	}
}

// take takes over what has been added, and leaves spare to be filled.
func (l *Log) take(spare []byte) (batch []byte, closing bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	batch, l.buf = l.buf, spare
	l.missing, l.lost = l.missing+l.lost, 0
	return batch, l.closing
}

// write writes lines, and tells when that begins to fail and when it works again.
func (l *Log) write(batch []byte) {
	if len(batch) == 0 {
		return
	}
	_, err := l.out.Write(batch)
	switch {
	case err != nil && l.err == nil:
		l.log.Error("freshet: the access log cannot be written, its lines are lost", "error", err)
	case err == nil && l.err != nil:
		l.log.Info("freshet: the access log is written again")
	}
	l.err = err
}

// tell tells, once a second at most, of lines that are missing.
func (l *Log) tell() {
	if l.missing > 0 {
		l.log.Warn("freshet: the access log was too slow, lines are missing", "lines", l.missing)
	}
	l.missing = 0
}
