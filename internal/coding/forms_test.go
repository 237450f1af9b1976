package coding

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

// TestMake: a form is made once for all who ask for it at the time, and one of another
// answer is another one.
func TestMake(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var f Forms[string]
		made := 0
		ask := func(of string) {
			form, ok := f.Make(t.Context(), [32]byte{1}, of, func(context.Context) (string, bool) {
				made++
				time.Sleep(time.Second)
				return "form of " + of, true
			})
			if !ok || form != "form of "+of {
				t.Errorf("%q, %v for %s", form, ok, of)
			}
		}
		for i := range 64 {
			go ask([]string{"old", "new"}[i%2])
			synctest.Wait() // so that made needs no lock
		}
		time.Sleep(2 * time.Second)
		if made != 2 {
			t.Errorf("%d forms of two answers were made", made)
		}
	})
}

// TestPlain: that there is no form of an answer is remembered, for a while.
func TestPlain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var f Forms[string]
		if _, ok := f.Make(t.Context(), [32]byte{1}, "", func(context.Context) (string, bool) { return "", false }); ok {
			t.Error("there is a form")
		}
		if !f.Plain([32]byte{1}) || f.Plain([32]byte{2}) {
			t.Error("not remembered, or of another answer")
		}
		time.Sleep(plainPause)
		if f.Plain([32]byte{1}) {
			t.Error("remembered for ever")
		}
	})
}

// TestLeaver: who goes away does not wait, and gets no form.
func TestLeaver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var f Forms[string]
		go f.Make(t.Context(), [32]byte{1}, "", func(context.Context) (string, bool) {
			time.Sleep(time.Minute)
			return "form", true
		})
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start := time.Now()
		if form, ok := f.Make(ctx, [32]byte{1}, "", nil); ok || form != "" || time.Since(start) != time.Second {
			t.Errorf("%q, %v after %v", form, ok, time.Since(start))
		}
		time.Sleep(time.Hour)
	})
}
