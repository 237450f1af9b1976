package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// TestHangup: at SIGHUP the gateway lives on, and opens its log anew although the file
// has not changed.
func TestHangup(t *testing.T) {
	up := httptest.NewServer(http.NotFoundHandler())
	defer up.Close()
	dir := t.TempDir()
	file, log := filepath.Join(dir, "gateway.yaml"), filepath.Join(dir, "access.log")
	text := fmt.Sprintf("upstreams: {api: {servers: [%s]}}\nlog: {access: json, file: %s}\n", up.URL, log)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("freshet", "serve", "--config", file, "--addr", "127.0.0.1:0")
	cmd.Stderr = t.Output()
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var url string
	if _, err := fmt.Fscanf(out, "freshet serve on %s", &url); err != nil {
		t.Fatalf("the first line of freshet serve: %v", err)
	}
	if err := os.Rename(log, log+".1"); err != nil {
		t.Fatal(err)
	}
	limit := time.Now().Add(patience)
	for {
		if err := cmd.Process.Signal(syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(log); err == nil {
			break
		}
		if time.Now().After(limit) {
			t.Fatal("the log is not opened anew")
		}
		time.Sleep(10 * time.Millisecond)
	}
	_ = cmd.Process.Signal(os.Interrupt)
	if err := cmd.Wait(); err != nil {
		t.Errorf("freshet serve: %v", err)
	}
}
