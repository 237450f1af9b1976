package gateway

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"

	"github.com/freshet-dev/freshet/gateway/internal/access"
	"github.com/freshet-dev/freshet/gateway/internal/watch"
)

// Reload puts c in the place of the configuration, of the front and of its gateway:
// all of it or, on an error, nothing. The access log is opened anew. What only a new
// start can change stays as it is, which is logged.
func (f *Front) Reload(c *Config) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	old := f.gateway.Config()
	l, err := f.openLog(c)
	if err != nil {
		return err
	}
	if err := f.gateway.Reload(c); err != nil {
		return errors.Join(err, l.Close())
	}
	if err := f.access.Swap(l).Close(); err != nil {
		f.log.Error("freshet: the end of the old access log is lost", "error", err)
	}
	if f.pair != nil && c.TLS != nil {
		// It has just been read without a fault. If it has changed since, this is called
		// again, and so far the old one is good.
		if changed, err := f.pair.Reload(c.TLS.Cert, c.TLS.Key); err != nil {
			f.log.Error("freshet: the old certificate stays", "error", err)
		} else if changed {
			f.log.Info("freshet: a new certificate", "expires", f.pair.Expires())
		}
	}
	f.limit(c)
	f.tellFixed(old, c)
	return nil
}

// tellFixed logs what has changed in the file and not in fact.
func (f *Front) tellFixed(old, c *Config) {
	was, is, now := f.started.fixed(), old.fixed(), c.fixed()
	var names []string
	for name, value := range now {
		if value != was[name] && value != is[name] {
			names = append(names, name)
		}
	}
	if slices.Sort(names); len(names) > 0 {
		f.log.Warn("freshet: this needs a new start to change", "fields", names)
	}
}

// openLog opens the access log of c.
func (f *Front) openLog(c *Config) (*access.Log, error) {
	o := c.accessLog()
	o.Logger = f.log
	l, err := access.Open(o)
	if err != nil {
		return nil, fmt.Errorf("freshet: %w", err)
	}
	return l, nil
}

// Follow loads the configuration again, with load, whenever the file at path or one
// that the configuration names has other contents, and whenever again receives: the
// signal SIGHUP, usually. A configuration with mistakes is logged, and the old one
// stays. It returns when ctx ends.
func (f *Front) Follow(ctx context.Context, path string, load func() (*Config, error), again <-chan os.Signal) {
	paths := func() []string { return append(f.gateway.Config().files(), path) }
	reload := func() {
		if f.reload(path, load) {
			f.log.Info("freshet: a new configuration", "file", path)
		}
	}
	start := watch.Sum(paths())
	// What has changed before that and since the start is loaded now.
	f.reload(path, load)
	done := make(chan struct{})
	go func() {
		defer close(done)
		watch.Files(ctx, start, paths, reload)
	}()
	for {
		select {
		case <-again:
			reload()
		case <-ctx.Done():
			<-done
			return
		}
	}
}

func (f *Front) reload(path string, load func() (*Config, error)) (ok bool) {
	c, err := load()
	if err == nil {
		err = f.Reload(c)
	}
	if err != nil {
		f.log.Error("freshet: the old configuration stays", "file", path, "error", err)
	}
	return err == nil
}
