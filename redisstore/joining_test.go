package redisstore

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/freshet-dev/freshet"
	"github.com/freshet-dev/freshet/internal/redistest"
)

// intentsOnRecord is onRecord without the clear that begins an incarnation.
func intentsOnRecord(t *testing.T, server *redistest.Server) map[string]string {
	t.Helper()
	found := onRecord(t, server)
	maps.DeleteFunc(found, func(member, _ string) bool { return member[0] == 'o' })
	return found
}

// TestIntentInDoubt: a record that is made twice, since the first answer came late,
// goes with its write: it would fall due behind the back of a process that lives.
func TestIntentInDoubt(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	proxy := redistest.StartProxy(t, server.Addr)
	s := openShort(t, Options{Port: proxy.Port, LookupTimeout: 4 * time.Second}, time.Minute, nil)
	intend(t, s, freshet.Key("a")).Withdraw(t.Context())
	for name, end := range map[string]func(*intent){
		"invalidated": func(i *intent) {
			if _, err := i.Invalidate(t.Context(), i.targets); err != nil {
				t.Error(err)
			}
		},
		"withdrawn": func(i *intent) { i.Withdraw(t.Context()) },
	} {
		var i *intent
		awaitHere(t, "an intent that is recorded twice", func() bool {
			proxy.Delay(2 * doubtAfter)
			i = intend(t, s, freshet.Key("a"))
			proxy.Delay(0)
			if len(intentsOnRecord(t, server)) == 2 {
				return true
			}
			i.Withdraw(t.Context()) // its answer was not thought late
			return false
		})
		end(i)
		if left := intentsOnRecord(t, server); len(left) > 0 {
			t.Errorf("%s: on record are still %v", name, left)
		}
	}
}

// TestAddWhileLeftAlone: what joins a record while the store is left alone is on it
// when it is next kept alive.
func TestAddWhileLeftAlone(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	s := openShort(t, Options{Port: server.Port}, time.Second, nil)
	i := intend(t, s, freshet.Key("a"))
	ended, end := context.WithCancel(t.Context())
	end()
	if err := i.Add(ended, []freshet.Target{freshet.Key("later")}); err == nil {
		t.Error("Add has succeeded under a context that has ended")
	}
	awaitHere(t, "the record to be kept alive", func() bool {
		return strings.Contains(fmt.Sprint(onRecord(t, server)), "later")
	})
	i.Withdraw(t.Context())
	if left := intentsOnRecord(t, server); len(left) > 0 {
		t.Errorf("on record are still %v", left)
	}
}

// TestDueIsToldOnce: what cannot be carried out yet is tried again and again, and told
// when it is done.
func TestDueIsToldOnce(t *testing.T) {
	t.Parallel()
	c := redistest.StartCluster(t, 2)
	for _, node := range c.Nodes {
		// The other node would close the whole Cluster when it misses one.
		if _, err := node.Do("CONFIG", "SET", "cluster-node-timeout", "600000"); err != nil {
			t.Fatal(err)
		}
	}
	var logged buffer
	o := Options{Cluster: strings.Join(c.Addrs, ","), LookupTimeout: time.Second, SocketTimeout: time.Second}
	s := openShort(t, o, time.Minute, &logged)
	drop(t, s, freshet.All())
	c.Nodes[1].Freeze()
	defer c.Nodes[1].Thaw()
	p := s.layout.parts[0]
	awaitHere(t, "the node to be missed", func() bool {
		_, err := s.Invalidate(t.Context(), []freshet.Target{freshet.All()})
		return errors.As(err, new(*partError))
	})
	for _, p = range s.layout.parts {
		if !p.absent.Load() {
			break
		}
	}
	// A process that has died leaves this behind.
	i := &intent{begun: "1", token: hex16(1), targets: []freshet.Target{freshet.Tag("t")}}
	ctx, client, err := s.beginAmple(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := client.Do(ctx, client.B().Zadd().Key(p.intents).ScoreMember().ScoreMember(1, i.member()).Build()).Error(); err != nil {
		t.Fatal(err)
	}
	const told = "its process has died"
	awaitHere(t, "it to be claimed", func() bool {
		score, err := client.Do(t.Context(), client.B().Zscore().Key(p.intents).Member(i.member()).Build()).AsFloat64()
		return err == nil && score > 1
	})
	// Once more, while the node is missing: the claim is at an end.
	if err := client.Do(t.Context(), client.B().Zadd().Key(p.intents).ScoreMember().ScoreMember(1, i.member()).Build()).Error(); err != nil {
		t.Fatal(err)
	}
	_ = s.carryOut(p)
	if n := strings.Count(logged.text(), told); n != 0 {
		t.Errorf("told %d times while it could not be done", n)
	}
	c.Nodes[1].Thaw()
	awaitHere(t, "it to be carried out", func() bool { return strings.Contains(logged.text(), told) })
	if n := strings.Count(logged.text(), told); n != 1 {
		t.Errorf("told %d times", n)
	}
}

// TestRecordOfSilentHome: an invalidation that is done does not wait for a node that
// has fallen silent, and has nothing but the record.
func TestRecordOfSilentHome(t *testing.T) {
	t.Parallel()
	c := redistest.StartCluster(t, 2)
	for _, node := range c.Nodes {
		if _, err := node.Do("CONFIG", "SET", "cluster-node-timeout", "600000"); err != nil {
			t.Fatal(err)
		}
	}
	o := Options{Cluster: strings.Join(c.Addrs, ","), LookupTimeout: 500 * time.Millisecond, SocketTimeout: 15 * time.Second}
	s := openShort(t, o, time.Minute, nil)
	drop(t, s, freshet.All())
	// A Cluster of two gives each node half of the slots; slots are in order.
	var home, other string
	for i := 0; home == "" || other == ""; i++ {
		key := fmt.Sprint("k", i)
		if redistest.Slot(s.layout.place(freshet.Ref{Key: key}).entry) < 1000 {
			home = key
		} else if redistest.Slot(s.layout.place(freshet.Ref{Key: key}).entry) > 15000 {
			other = key
		}
	}
	i := intend(t, s, freshet.Key(home))
	silent := c.Nodes[0]
	if keys, err := silent.Do("KEYS", i.part.intents); err != nil || len(keys.([]any)) == 0 {
		silent = c.Nodes[1]
	}
	silent.Freeze()
	defer silent.Thaw()
	begun := time.Now()
	if _, err := i.Invalidate(t.Context(), []freshet.Target{freshet.Key(other)}); err != nil {
		t.Error(err)
	}
	if took := time.Since(begun); took > 8*time.Second {
		t.Errorf("it took %v", took)
	}
}
