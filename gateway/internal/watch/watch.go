// Package watch tells when files have changed. It reads them again each second
// rather than have the kernel tell: editors replace files, Kubernetes swaps the
// symbolic link of a folder above, network file systems tell nothing, and all of
// them end in other contents under the same name.
package watch

import (
	"context"
	"crypto/sha256"
	"errors"
	"io/fs"
	"os"
	"slices"
	"time"
)

// Every is how often the files are read.
const Every = time.Second

// Files calls changed, from this goroutine, whenever the contents of the files that
// paths names are others than at the last call, until ctx ends. It waits until they
// have been the same twice: a file may be seen while it is being written. start is
// what [Sum] has said of the files when they were last used, so that a change since
// then is not missed.
func Files(ctx context.Context, start [sha256.Size]byte, paths func() []string, changed func()) {
	ticker := time.NewTicker(Every)
	defer ticker.Stop()
	used, last := start, start
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		now := Sum(paths())
		if now == last && now != used {
			// Not what they are after the call: it may have seen less than that. If it
			// changes which files there are, there is one call more than needed.
			used = now
			changed()
		}
		last = now
	}
}

// Sum returns a digest of the files' contents. A file that cannot be read counts as
// one with other contents than any.
func Sum(paths []string) (sum [sha256.Size]byte) {
	h := sha256.New()
	for _, path := range slices.Compact(slices.Sorted(slices.Values(paths))) {
		text, err := os.ReadFile(path)
		one := sha256.Sum256(text)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			one = sha256.Sum256([]byte("\x00absent " + path))
		case err != nil:
			one = sha256.Sum256([]byte("\x00unreadable " + path))
		}
		_, _ = h.Write(one[:])
	}
	h.Sum(sum[:0])
	return sum
}
