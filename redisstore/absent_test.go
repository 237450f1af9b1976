package redisstore_test

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/freshet-dev/freshet"
	"github.com/freshet-dev/freshet/internal/redistest"
	"github.com/freshet-dev/freshet/redisstore"
)

// halved is a Cluster of two nodes, a store on it, and some entries of each node.
type halved struct {
	*testing.T
	cluster *redistest.Cluster
	store   *redisstore.Store
	keys    [2][]string
}

// newHalved waits long for invalidations: one that waited for an absent node
// would be noticed.
func newHalved(t *testing.T) *halved {
	c := redistest.StartCluster(t, 2)
	for _, node := range c.Nodes {
		// The other node would close the whole Cluster when it misses one.
		do(t, node, "CONFIG", "SET", "cluster-node-timeout", "600000")
	}
	h := &halved{T: t, cluster: c, store: openWith(t, func(o *redisstore.Options) {
		o.Cluster, o.SocketTimeout, o.LookupTimeout = strings.Join(c.Addrs, ","), 2*patience, time.Second
	})}
	for i := range 200 {
		fill(t, h.store, key("k"+strconv.Itoa(i)), time.Hour, "body", "tag")
	}
	for n, node := range c.Nodes {
		for _, name := range keys(t, "{*}:k*", node) {
			_, plain, _ := strings.Cut(name, ":")
			h.keys[n] = append(h.keys[n], plain)
		}
	}
	return h
}

// look counts what look-ups of a node's keys come to.
func (h *halved) look(node int) (c counts) {
	for _, k := range h.keys[node] {
		switch found, err := h.store.Lookup(h.Context(), key(k)); {
		case err == nil && found.Entry != nil:
			c.hits++
		case err == nil:
			c.misses++
		case timedOut(err):
			c.waited++
		case partial(err):
			c.partial++
		default:
			c.failed++
		}
	}
	return c
}

type counts struct{ hits, misses, waited, partial, failed int }

func partial(err error) bool {
	var part interface{ Partial() bool }
	return errors.As(err, &part) && part.Partial()
}

func timedOut(err error) bool {
	var limit interface{ Timeout() bool }
	return errors.As(err, &limit) && limit.Timeout()
}

// TestNodeAbsent: a node of a Cluster that is frozen, or down, is waited for once.
// Then calls for its partitions fail at once, and for others work as ever.
func TestNodeAbsent(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]struct{ begin, end func(*redistest.Server) }{
		"frozen": {(*redistest.Server).Freeze, (*redistest.Server).Thaw},
		"down":   {(*redistest.Server).Stop, (*redistest.Server).Start},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHalved(t)
			all := [2]int{len(h.keys[0]), len(h.keys[1])}
			if got := h.look(1); got.hits != all[1] {
				t.Fatalf("before: %+v", got)
			}
			fault.begin(h.cluster.Nodes[1])
			if got := h.look(1); got.partial+got.waited != all[1] || got.waited > 3 {
				t.Errorf("the absent node: %+v, want at most a few to wait", got)
			}
			await(t, "all partitions to be known", func() bool { return h.look(1).partial == all[1] })
			if got := h.look(0); got.hits != all[0] {
				t.Errorf("the other node: %+v, want %d hits", got, all[0])
			}
			h.wantLeft()
			if got := h.look(0); got.hits != 0 || got.misses != all[0] {
				t.Errorf("the other node after an invalidation of the tag: %+v", got)
			}
			fault.end(h.cluster.Nodes[1])
			await(t, "the node", func() bool { c := h.look(1); return c.hits+c.misses == all[1] })
			invalidate(t, h.store, freshet.Tag("tag"), freshet.Key(h.keys[1][0]))
			if got := h.look(1); got.misses != all[1] {
				t.Errorf("after the invalidation has been delivered: %+v", got)
			}
		})
	}
}

// wantLeft invalidates a key of each node and a tag. It does not wait for the
// absent node, and says what it has not got to.
func (h *halved) wantLeft() {
	h.Helper()
	here, there, tag := freshet.Key(h.keys[0][0]), freshet.Key(h.keys[1][0]), freshet.Tag("tag")
	begun := time.Now()
	_, err := h.store.Invalidate(context.Background(), []freshet.Target{here, there, tag})
	if took := time.Since(begun); took > patience {
		h.Errorf("Invalidate took %v", took)
	}
	var part interface{ Left() []freshet.Target }
	if !errors.As(err, &part) || !partial(err) || timedOut(err) {
		h.Fatalf("Invalidate: %v, want an error of a part", err)
	}
	if diff := cmp.Diff([]freshet.Target{there, tag}, part.Left()); diff != "" {
		h.Errorf("left (-want +got):\n%s", diff)
	}
}

// TestNodesAbsent: a node that nobody waits long enough for is missed, too. Where
// no node answers, the errors say that it is the store.
func TestNodesAbsent(t *testing.T) {
	t.Parallel()
	h := newHalved(t)
	h.cluster.Nodes[1].Freeze()
	await(t, "the node to be missed", func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		defer cancel()
		_, err := h.store.Lookup(ctx, key(h.keys[1][0]))
		return partial(err)
	})
	h.cluster.Nodes[0].Freeze()
	await(t, "both nodes to be missed", func() bool {
		_, err := h.store.Lookup(t.Context(), key(h.keys[0][0]))
		return err != nil && !partial(err) && !timedOut(err)
	})
	for _, node := range h.cluster.Nodes {
		node.Thaw()
	}
	for n := range h.cluster.Nodes {
		await(t, "the nodes", func() bool { c := h.look(n); return c.hits == len(h.keys[n]) })
	}
}
