package blogdb

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestOpenFillsOnce(t *testing.T) {
	// The name has every byte that means something in a URI.
	path := filepath.Join(t.TempDir(), "a b%20?x=1#y.db")
	var fills atomic.Int32
	opts := &Options{Posts: 300, OnFill: func(context.Context) error { fills.Add(1); return nil }}
	var all sync.WaitGroup
	for range 6 {
		all.Go(func() {
			d, err := Open(t.Context(), path, opts)
			if err != nil {
				t.Error(err)
				return
			}
			defer d.Close()
			if s, err := d.LiveStats(t.Context()); err != nil || s.Posts != 300 || s.Users != 200 {
				t.Errorf("LiveStats = %+v, %v", s, err)
			}
		})
	}
	all.Wait()
	if n := fills.Load(); n != 1 {
		t.Errorf("filled %d times", n)
	}
	if _, err := os.Stat(path); err != nil {
		t.Error(err)
	}
}

func TestOpenKeepsWhatIsThere(t *testing.T) {
	path := filepath.Join(t.TempDir(), "demo.db")
	d := openFile(t, path, 10)
	if _, err := d.ChangePost(t.Context(), 3, PostChange{Title: ptr("kept")}); err != nil {
		t.Fatal(err)
	}
	again := openFile(t, path, 20)
	if p, err := again.Post(t.Context(), 3); err != nil || p.Title != "kept" {
		t.Errorf("Post = %+v, %v", p, err)
	}
	if s, err := again.LiveStats(t.Context()); err != nil || s.Posts != 10 {
		t.Errorf("LiveStats = %+v, %v", s, err)
	}
}

func TestOpenRefuses(t *testing.T) {
	dir := t.TempDir()
	text := filepath.Join(dir, "text.txt")
	if err := os.WriteFile(text, []byte(strings.Repeat("not a database ", 200)), 0o600); err != nil {
		t.Fatal(err)
	}
	foreign := filepath.Join(dir, "foreign.db")
	d, err := sql.Open("sqlite", foreign)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.Exec(`CREATE TABLE posts (id INTEGER)`); err != nil {
		t.Fatal(err)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	tests := []struct{ name, path, want string }{
		{"directory", dir, "unable to open database file"},
		{"missing directory", filepath.Join(dir, "none", "demo.db"), "unable to open database file"},
		{"text file", text, "file is not a database"},
		{"another program's database", foreign, "not a freshet demo database"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			before, _ := os.ReadFile(tt.path) // where it is a file
			d, err := Open(t.Context(), tt.path, nil)
			if after, _ := os.ReadFile(tt.path); !bytes.Equal(before, after) {
				t.Error("the file has changed")
			}
			if err == nil {
				d.Close()
				t.Fatal("opened")
			}
			if !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), tt.path) {
				t.Errorf("error %q does not say %q and the path", err, tt.want)
			}
		})
	}
}

func TestFailedFillLeavesNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "demo.db")
	refuse := errors.New("refused")
	_, err := Open(t.Context(), path, &Options{Posts: 10, OnFill: func(context.Context) error { return refuse }})
	if !errors.Is(err, refuse) {
		t.Fatalf("Open: %v", err)
	}
	d := openFile(t, path, 20)
	if s, err := d.LiveStats(t.Context()); err != nil || s.Posts != 20 {
		t.Errorf("LiveStats = %+v, %v", s, err)
	}
}

func TestDelay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &DB{delay: time.Minute}
		start := time.Now()
		if err := d.travel(t.Context()); err != nil || time.Since(start) != time.Minute {
			t.Errorf("travelled %v, %v", time.Since(start), err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start = time.Now()
		if err := d.travel(ctx); !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != time.Second {
			t.Errorf("given up after %v, %v", time.Since(start), err)
		}
	})
}

// The delay is on the way back: what it delivers is as old as it is long.
func TestDelayComesAfterTheRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "demo.db")
	d := openFile(t, path, 10)
	slow := openFile(t, path, 10)
	slow.delay = time.Hour
	ctx, cancel := context.WithCancel(t.Context())
	read := make(chan string)
	go func() {
		var title string
		_ = slow.reading(ctx, func(tx *sql.Tx) error {
			p, err := post(ctx, tx, 1)
			title = p.Title
			return err
		})
		read <- title
	}()
	before, err := d.Post(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	// The reader has read when it has given its first connection back.
	for slow.read.Stats().InUse > 0 || slow.read.Stats().OpenConnections == 0 {
		time.Sleep(time.Millisecond)
	}
	if _, err := d.ChangePost(t.Context(), 1, PostChange{Title: ptr("new")}); err != nil {
		t.Fatal(err)
	}
	cancel()
	if title := <-read; title != before.Title {
		t.Errorf("read %q after the change, want %q from before it", title, before.Title)
	}
}
