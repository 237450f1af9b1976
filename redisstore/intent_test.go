package redisstore

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/freshet-dev/freshet"
	"github.com/freshet-dev/freshet/internal/redistest"
)

// openShort opens a store whose intents fall due after d. logged, if not nil, gets
// its warnings.
func openShort(t *testing.T, o Options, d time.Duration, logged *buffer) *Store {
	t.Helper()
	o.Logger, o.LookupTimeout = slog.New(slog.DiscardHandler), cmp.Or(o.LookupTimeout, 5*time.Second)
	if logged != nil {
		o.Logger = slog.New(slog.NewTextHandler(logged, &slog.HandlerOptions{Level: slog.LevelWarn}))
	}
	settings, err := o.settings()
	if err != nil {
		t.Fatal(err)
	}
	settings.intentDeadline = d
	s, err := start(t.Context(), settings)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// buffer is what a logger writes to.
type buffer struct {
	mu sync.Mutex
	bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.Buffer.Write(p)
}

func (b *buffer) text() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.Buffer.String()
}

func intend(t *testing.T, s *Store, targets ...freshet.Target) *intent {
	t.Helper()
	i, err := s.Intend(t.Context(), targets)
	if err != nil {
		t.Fatal(err)
	}
	return i.(*intent)
}

// onRecord returns the members of wi with their scores, without the sentinel.
func onRecord(t *testing.T, server *redistest.Server) map[string]string {
	t.Helper()
	reply, err := server.Do("ZRANGE", "freshet#wi", "0", "-1", "WITHSCORES")
	if err != nil {
		t.Fatal(err)
	}
	found, list := make(map[string]string), reply.([]any)
	for i := 0; i < len(list); i += 2 {
		if m := list[i].(string); m[0] != '!' {
			found[m] = fmt.Sprint(list[i+1])
		}
	}
	return found
}

// about returns how many of what is on record, but the clears, is about text.
func about(t *testing.T, server *redistest.Server, text string) (n int) {
	t.Helper()
	for m := range onRecord(t, server) {
		if strings.HasSuffix(m, text) {
			n++
		}
	}
	return n
}

// eventually polls until ok.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited too long for %s", what)
		}
	}
}

// die makes s what it is when its process has died: it says nothing any more.
func die(s *Store) { s.Close() }

func isMiss(t *testing.T, s *Store, key string) func() bool {
	return func() bool {
		found, err := s.Lookup(t.Context(), freshet.Ref{Key: key})
		return err == nil && found.Entry == nil
	}
}

// settled returns a store with an entry for each of keys, after what a new
// incarnation puts on record has been taken away: the tests would meet it.
func settled(t *testing.T, server *redistest.Server, d time.Duration, logged *buffer, keys ...string) *Store {
	t.Helper()
	s := openShort(t, Options{Port: server.Port}, d, logged)
	stampOf(t, s, "k")
	if _, err := server.Do("ZREMRANGEBYSCORE", "freshet#wi", "-inf", "(inf"); err != nil {
		t.Fatal(err)
	}
	for _, key := range keys {
		if outcome := fillUnder(t, s, key, stampOf(t, s, key), "tag:"+key); outcome != freshet.Stored {
			t.Fatal(outcome)
		}
	}
	return s
}

// TestDeadWriter: what a process has put on record before it dies is invalidated
// by another, of which the log tells once, and again some times.
func TestDeadWriter(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	var logged buffer
	s := settled(t, server, 50*time.Millisecond, &logged, "a", "b", "c", "stays")
	writer := openShort(t, Options{Port: server.Port}, 50*time.Millisecond, nil)
	i := intend(t, writer, freshet.Key("a"), freshet.Tag("tag:b"))
	if err := i.Add(t.Context(), []freshet.Target{freshet.Match("c*")}); err != nil {
		t.Fatal(err)
	}
	intend(t, writer, freshet.Tag("another"))
	die(writer)
	for _, key := range []string{"a", "b", "c"} {
		eventually(t, "the invalidation of "+key, isMiss(t, s, key))
	}
	if found, err := s.Lookup(t.Context(), freshet.Ref{Key: "stays"}); err != nil || found.Entry == nil {
		t.Errorf("what nobody has named is %v, %v", found.Reason, err)
	}
	eventually(t, "the second carrying out", func() bool {
		for m, score := range onRecord(t, server) {
			if m[0] != 'r' {
				return false
			}
			begun, due := number(t, strings.Split(m, ":")[1]), number(t, score)
			if due-begun < 2_000_000 {
				return false // the first was about a second after it began
			}
		}
		return true
	})
	if n := strings.Count(logged.text(), "its process has died"); n != 2 {
		t.Errorf("%d warnings, want 2:\n%s", n, logged.text())
	}
	for _, want := range []string{"key a", "tag tag:b", "match c*", "tag another"} {
		if !strings.Contains(logged.text(), want) {
			t.Errorf("no warning names %q:\n%s", want, logged.text())
		}
	}
}

func number(t *testing.T, text string) float64 {
	t.Helper()
	f, err := strconv.ParseFloat(text, 64)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// TestIntentEnds: nothing is left of a write that has ended, whichever way.
func TestIntentEnds(t *testing.T) {
	server := redistest.Start(t)
	s := settled(t, server, time.Hour, nil, "a", "b")
	for name, end := range map[string]func(*intent) error{
		"invalidated": func(i *intent) error {
			_, err := i.Invalidate(t.Context(), []freshet.Target{freshet.Key("a"), freshet.Tag("t")})
			return err
		},
		"invalidated by tag": func(i *intent) error {
			_, err := i.Invalidate(t.Context(), []freshet.Target{freshet.Tag("t")})
			return err
		},
		"with nothing to invalidate": func(i *intent) error { _, err := i.Invalidate(t.Context(), nil); return err },
		"withdrawn":                  func(i *intent) error { i.Withdraw(t.Context()); return nil },
		"with more": func(i *intent) error {
			if err := i.Add(t.Context(), []freshet.Target{freshet.Tag("more")}); err != nil {
				return err
			}
			_, err := i.Invalidate(t.Context(), nil)
			return err
		},
		"carried out meanwhile": func(i *intent) error {
			if _, err := server.Do("ZADD", "freshet#wi", "1", i.member()); err != nil {
				return err
			}
			if err := s.carryOut(s.layout.parts[0]); err != nil {
				return err
			}
			if n := len(onRecord(t, server)); n != 1 {
				return fmt.Errorf("%d on record after it was carried out, want 1", n)
			}
			_, err := i.Invalidate(t.Context(), nil)
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			i := intend(t, s, freshet.Key("a"))
			if n := len(onRecord(t, server)); n != 1 {
				t.Errorf("%d on record during the write, want 1", n)
			}
			if err := end(i); err != nil {
				t.Fatal(err)
			}
			if left := onRecord(t, server); len(left) != 0 || len(s.intents.open) != 0 {
				t.Errorf("left on record: %v; in the process: %v", left, s.intents.open)
			}
		})
	}
	stampOf(t, s, "b")
	if found, err := s.Lookup(t.Context(), freshet.Ref{Key: "b"}); err != nil || found.Entry == nil {
		t.Errorf("what nobody has named is %v, %v", found.Reason, err)
	}
}

// TestIntentSurvives: records that are lost with any of the control keys are made
// again by those who are still at work, and those that are not lost stay.
func TestIntentSurvives(t *testing.T) {
	for _, name := range []string{"freshet#ctl", "freshet#tb", "freshet#kb", "freshet#wi"} {
		t.Run(name, func(t *testing.T) {
			server := redistest.Start(t)
			s := settled(t, server, time.Hour, nil, "k")
			i := intend(t, s, freshet.Key("k"))
			if _, err := server.Do("DEL", name); err != nil {
				t.Fatal(err)
			}
			if !isMiss(t, s, "other")() {
				t.Fatal("other is there")
			}
			fillUnder(t, s, "other", stampOf(t, s, "other"))
			drop(t, s, freshet.Key("x"))
			if n := about(t, server, ":k,1:k"); (n == 1) != (name != "freshet#wi") {
				t.Errorf("%d on record after the loss", n)
			}
			if n := about(t, server, ":*,0:"); n != 1 {
				t.Errorf("%d clears on record after the loss, want 1: %v", n, onRecord(t, server))
			}
			s.intents.putOff()
			if n := about(t, server, ":k,1:k"); n != 1 {
				t.Errorf("%d on record after it was put off, want 1", n)
			}
			i.Withdraw(t.Context())
			if n := about(t, server, ":k,1:k"); n != 0 {
				t.Errorf("%d on record in the end, want 0", n)
			}
		})
	}
}

// TestClearAfterLoss: the intents of dead processes that are lost are made up for.
func TestClearAfterLoss(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	s := settled(t, server, 50*time.Millisecond, nil, "k")
	writer := openShort(t, Options{Port: server.Port}, time.Hour, nil)
	intend(t, writer, freshet.Key("k"))
	die(writer)
	if _, err := server.Do("FLUSHALL"); err != nil {
		t.Fatal(err)
	}
	// What was under way in a dead process's database may come only now.
	if outcome := fillUnder(t, s, "k", stampOf(t, s, "k")); outcome != freshet.Stored {
		t.Fatal(outcome)
	}
	eventually(t, "the clear", isMiss(t, s, "k"))
	eventually(t, "the end of the record", func() bool { return len(onRecord(t, server)) == 0 })
}

// TestKeptAlive: a record is put off while its process lives, and what is put off
// behind the back of its end is taken back.
func TestKeptAlive(t *testing.T) {
	server := redistest.Start(t)
	s := settled(t, server, time.Hour, nil)
	i := intend(t, s, freshet.Key("k"))
	old := i.member()
	if _, err := server.Do("ZADD", "freshet#wi", "5", old); err != nil {
		t.Fatal(err)
	}
	s.intents.putOff()
	if due := number(t, onRecord(t, server)[old]); due < float64(time.Now().Add(30*time.Minute).UnixMicro()) {
		t.Errorf("it falls due at %.0f", due)
	}
	for name, change := range map[string]func(){
		"longer": func() {
			if err := i.Add(t.Context(), []freshet.Target{freshet.Tag("more")}); err != nil {
				t.Error(err)
			}
		},
		"ended": func() { i.Withdraw(t.Context()) },
	} {
		t.Run(name, func(t *testing.T) {
			i = intend(t, s, freshet.Key("k"))
			old := i.member()
			taken := s.intents.copies()
			change()
			s.intents.send(taken)
			if _, back := onRecord(t, server)[old]; back {
				t.Error("the record is back")
			}
			i.Withdraw(t.Context())
		})
	}
}

// TestKeepsAlive is the same with the keeper's own clock.
func TestKeepsAlive(t *testing.T) {
	server := redistest.Start(t)
	s := settled(t, server, 300*time.Millisecond, nil)
	i := intend(t, s, freshet.Key("k"))
	first := onRecord(t, server)[i.member()]
	eventually(t, "putting off", func() bool {
		now := onRecord(t, server)[i.member()]
		return now != "" && now != first
	})
	i.Withdraw(t.Context())
}

// TestManyIntents: there is room for so many, and what is there can still end, be
// kept alive and be added to.
func TestManyIntents(t *testing.T) {
	server := redistest.Start(t)
	s := settled(t, server, time.Hour, nil)
	i := intend(t, s, freshet.Key("k"))
	fill := `for i = 2, 100000 do redis.call('ZADD', KEYS[1], 9e15, 'i:1:' .. i .. ':*,0:') end`
	if _, err := server.Do("EVAL", fill, "1", "freshet#wi"); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Intend(t.Context(), []freshet.Target{freshet.Key("x")}); !errors.Is(err, errCrowded) {
		t.Errorf("one too many: %v", err)
	}
	if err := i.Add(t.Context(), []freshet.Target{freshet.Key("y")}); err != nil {
		t.Errorf("adding: %v", err)
	}
	if _, err := server.Do("ZADD", "freshet#wi", "5", i.member()); err != nil {
		t.Fatal(err)
	}
	s.intents.putOff()
	if due := onRecord(t, server)[i.member()]; due == "" || due == "5" {
		t.Errorf("it falls due at %q", due)
	}
	i.Withdraw(t.Context())
	intend(t, s, freshet.Key("x")).Withdraw(t.Context())
}

// TestIntentUnderOutage: an intent that cannot be recorded is an error.
func TestIntentUnderOutage(t *testing.T) {
	server := redistest.Start(t)
	s := settled(t, server, time.Hour, nil)
	i := intend(t, s, freshet.Key("k"))
	server.Stop()
	if _, err := s.Intend(t.Context(), []freshet.Target{freshet.Key("k")}); err == nil {
		t.Error("an intent without a server")
	}
	if err := i.Add(t.Context(), []freshet.Target{freshet.Key("x")}); err == nil {
		t.Error("an addition without a server")
	}
	if _, err := i.Invalidate(t.Context(), nil); err != nil {
		t.Logf("invalidating nothing: %v", err)
	}
	if len(s.intents.open) != 0 {
		t.Error("it is still kept alive")
	}
}

// TestClusterIntent: a record outlasts an invalidation that not all partitions
// have taken, whichever of them it is in.
func TestClusterIntent(t *testing.T) {
	t.Parallel()
	c := redistest.StartCluster(t, 2)
	s := openShort(t, Options{Cluster: strings.Join(c.Addrs, ",")}, time.Hour, nil)
	targets := []freshet.Target{freshet.Key("k"), freshet.Tag("t")}
	home := s.layout.home(targets).intents
	i := intend(t, s, targets...)
	set := func(value string) {
		for _, node := range c.Nodes {
			if _, err := node.Do("ZCARD", home); err != nil { // it has moved: the other node has it
				if _, err := node.Do("CONFIG", "SET", "min-replicas-to-write", value); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	there := func() bool {
		client, err := s.Client()
		if err != nil {
			t.Fatal(err)
		}
		return client.Do(t.Context(), client.B().Zscore().Key(home).Member(i.member()).Build()).Error() == nil
	}
	set("1")
	if _, err := i.Invalidate(t.Context(), targets); err == nil {
		t.Error("a node that refuses writes has taken the invalidation")
	}
	if !there() {
		t.Error("the record is gone")
	}
	set("0")
	again := intend(t, s, targets...)
	if _, err := again.Invalidate(t.Context(), targets); err != nil {
		t.Error(err)
	}
	if i = again; there() {
		t.Error("the record is still there")
	}
}
