package conns

import (
	"bytes"
	"io"
	"testing"
	"time"
)

// TestReaderThatIsSlow: an answer may take many times the time-out as long as it
// moves. Only Linux is told to say early enough that it does.
func TestReaderThatIsSlow(t *testing.T) {
	const limit, slow = time.Second, 6 << 20
	l := listen(t, nil)
	l.Limit(0, limit)
	accepted := accepting(l)
	client := dial(t, l)
	c := <-accepted
	if err := client.SetReadBuffer(128 << 10); err != nil {
		t.Fatal(err)
	}
	sent := make(chan error, 1)
	start := time.Now()
	go func() {
		_, err := c.Write(make([]byte, slow))
		sent <- err
		_ = c.Close()
	}()
	var got bytes.Buffer
	for got.Len() < slow {
		// A pause that the test is about: the client is this slow.
		time.Sleep(20 * time.Millisecond)
		if _, err := io.CopyN(&got, client, min(32<<10, int64(slow-got.Len()))); err != nil {
			t.Fatalf("after %d bytes: %v", got.Len(), err)
		}
	}
	if err := <-sent; err != nil {
		t.Error(err)
	}
	if took := time.Since(start); took < 2*limit {
		t.Errorf("the test shows nothing: it took %v only", took)
	}
	_ = l.Close()
	<-accepted
}
