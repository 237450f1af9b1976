package redisstore_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/freshet-dev/freshet"
	"github.com/freshet-dev/freshet/internal/redistest"
	"github.com/freshet-dev/freshet/redisstore"
)

// move is a slot that moves, one key at a time.
type move struct {
	t        *testing.T
	from, to *redistest.Server
	slot     string
}

// beginMove tells both nodes of a cluster that the slot of a key moves.
func beginMove(t *testing.T, c *redistest.Cluster, name string) *move {
	t.Helper()
	m := &move{t: t, slot: fmt.Sprint(redistest.Slot(name)), from: c.Nodes[0], to: c.Nodes[1]}
	if len(keys(t, name, m.from)) == 0 {
		m.from, m.to = m.to, m.from
	}
	do(t, m.to, "CLUSTER", "SETSLOT", m.slot, "IMPORTING", do(t, m.from, "CLUSTER", "MYID").(string))
	do(t, m.from, "CLUSTER", "SETSLOT", m.slot, "MIGRATING", do(t, m.to, "CLUSTER", "MYID").(string))
	return m
}

func (m *move) keys(names ...string) {
	m.t.Helper()
	for _, name := range names {
		if do(m.t, m.from, "MIGRATE", "127.0.0.1", fmt.Sprint(m.to.Port), name, "0", "5000") != "OK" {
			m.t.Fatalf("%s is not there to be moved", name)
		}
	}
}

func (m *move) end() {
	m.t.Helper()
	for _, name := range do(m.t, m.from, "CLUSTER", "GETKEYSINSLOT", m.slot, "1000").([]any) {
		m.keys(name.(string))
	}
	id := do(m.t, m.to, "CLUSTER", "MYID").(string)
	do(m.t, m.to, "CLUSTER", "SETSLOT", m.slot, "NODE", id)
	do(m.t, m.from, "CLUSTER", "SETSLOT", m.slot, "NODE", id)
}

// neighbours returns n names of one partition, and its prefix.
func neighbours(t *testing.T, s freshet.Store, c *redistest.Cluster, n int) (found []string, prefix string) {
	t.Helper()
	for i := 0; len(found) < n; i++ {
		name := fmt.Sprintf("name%d", i)
		fill(t, s, key(name), time.Hour, "old", "tag")
		at, _, _ := strings.Cut(keys(t, "*:"+name, c.Nodes...)[0], name)
		if prefix == "" || at == prefix {
			prefix, found = at, append(found, name)
		}
	}
	return found, prefix
}

// TestSlotMoves makes every call while a slot is on two nodes: hits stay hits,
// invalidations are carried out, and nothing is an error but an invalidation
// where the control keys themselves are apart.
func TestSlotMoves(t *testing.T) {
	t.Parallel()
	c := redistest.StartCluster(t, 2)
	options := func(o *redisstore.Options) { o.Cluster = strings.Join(c.Addrs, ",") }
	s, other := openWith(t, options), openWith(t, options)
	names, prefix := neighbours(t, s, c, 5)
	stays, goes, absent := names[0], names[1], names[4]
	invalidate(t, s, freshet.Key(absent))
	m := beginMove(t, c, prefix+stays)
	m.keys(prefix+goes, prefix+names[3])

	for _, name := range names[:4] {
		wantHit(t, s, key(name), "old")
		wantHit(t, other, key(name), "old")
	}
	wantMiss(t, s, key(absent), freshet.Absent)
	before := lookup(t, s, key(absent)).Stamp
	for _, ref := range []freshet.Ref{key(absent), {Key: absent, Variant: "ab"}} {
		wantUnfilled(t, s, ref, before)
	}
	if ok, err := s.Valid(t.Context(), key(stays), []string{"tag"}, before); !ok || err != nil {
		t.Errorf("Valid: %v, %v", ok, err)
	}
	invalidate(t, s, freshet.Key(stays), freshet.Key(goes), freshet.Key(absent))
	for _, name := range []string{stays, goes} {
		wantMiss(t, s, key(name), freshet.Absent)
		wantMiss(t, other, key(name), freshet.Absent)
	}
	invalidate(t, other, freshet.Tag("tag"))
	for _, name := range names[2:4] {
		wantMiss(t, s, key(name), freshet.BannedTag)
	}
	if ok, err := s.Valid(t.Context(), key(stays), []string{"tag"}, before); ok || err != nil {
		t.Errorf("Valid of what has been invalidated: %v, %v", ok, err)
	}

	m.keys(prefix + "freshet#tb") // those that it belongs to stay
	for _, s := range []*redisstore.Store{other, openWith(t, options)} {
		if found := lookup(t, s, key(names[2])); found.Entry != nil {
			t.Error("what has been invalidated is served")
		}
		wantUnfilled(t, s, key(absent), lookup(t, s, key(absent)).Stamp)
		if ok, err := s.Valid(t.Context(), key(stays), nil, before); ok || err != nil {
			t.Errorf("Valid where nothing can be said: %v, %v", ok, err)
		}
	}
	_, err := s.Invalidate(t.Context(), []freshet.Target{freshet.Tag("tag")})
	if err == nil || !strings.Contains(err.Error(), "TRYAGAIN") {
		t.Errorf("an invalidation that cannot be recorded: %v", err)
	}
	m.end()
	wantFilledAgain(t, s, other, absent)
	for _, name := range names[:4] {
		if found := lookup(t, s, key(name)); found.Entry != nil {
			t.Errorf("%s, which has been invalidated, is served", name)
		}
	}
}

// wantUnfilled checks that a fill is refused without an error.
func wantUnfilled(t *testing.T, s freshet.Store, ref freshet.Ref, stamp freshet.Stamp) {
	t.Helper()
	outcome, err := s.Fill(t.Context(), ref, stamp, &freshet.Entry{Loaded: time.Now(), TTL: time.Hour})
	if outcome != freshet.Expired || err != nil {
		t.Errorf("Fill of %v: %v, %v; want %v", ref, outcome, err, freshet.Expired)
	}
}

// wantFilledAgain waits until one store finds what the other has filled.
func wantFilledAgain(t *testing.T, s, other freshet.Store, name string) {
	t.Helper()
	await(t, "a hit after the move", func() bool {
		e := &freshet.Entry{Loaded: time.Now(), TTL: time.Hour, Body: "new"}
		if outcome, err := s.Fill(t.Context(), key(name), lookup(t, s, key(name)).Stamp, e); err != nil || outcome != freshet.Stored {
			return false
		}
		found := lookup(t, other, key(name))
		return found.Entry != nil && found.Entry.Body == "new"
	})
}
