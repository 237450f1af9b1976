package redisstore

import (
	"context"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"github.com/redis/rueidis"

	"github.com/freshet-dev/freshet/internal/envelope"
)

// sweeper removes entries that an invalidation by tag, pattern or All covers.
// They are no longer served anyway; this gives their memory back.
//
// It walks over all keys of the namespace at a low rate, in one process at a
// time. Requests that come while it walks are served by the next walk, since
// the one under way may be past what they cover.
type sweeper struct {
	store *Store
	start sync.Once
	asked chan struct{} // holds one token while there is something to do
}

const (
	scanCount = 500
	// sweepShare is the part of the time in which the sweeper has a command
	// under way: one in so many.
	sweepShare = 10
	longSleep  = 100 * time.Millisecond
	// A walk over more keys than manyKeys is followed by a rest.
	manyKeys  = 10_000
	sweepRest = 10 * time.Second
	// sweepLock ends when the process that holds it has not renewed it for so
	// long, and sweepRetry is when others try again.
	sweepLock  = 10 * time.Second
	sweepRetry = time.Second
)

func (w *sweeper) init(s *Store) {
	w.store = s
	w.asked = make(chan struct{}, 1)
}

// request asks for a walk. It does not block.
func (w *sweeper) request() {
	select {
	case w.asked <- struct{}{}:
	default:
	}
	w.start.Do(func() { w.store.tasks.Go(w.run) })
}

func (w *sweeper) run() {
	for {
		select {
		case <-w.asked:
		case <-w.store.life.Done():
			return
		}
		rest := w.walk()
		select {
		case <-time.After(rest):
		case <-w.store.life.Done():
			return
		}
	}
}

// walk makes one walk and returns how long to rest after it.
func (w *sweeper) walk() (rest time.Duration) {
	client, err := w.store.Client()
	if err != nil {
		w.request()
		return sweepRetry
	}
	token := hex16(rand.Uint64())
	if !w.lock(client, token) {
		// Another process walks, and may be past what this one wants removed.
		w.request()
		return sweepRetry
	}
	defer w.unlock(client, token)
	scanned, err := w.walkNodes(client)
	switch {
	case err != nil:
		w.store.log.Debug("freshet: reclaiming memory was interrupted; it is resumed", "error", err)
		w.request()
		return sweepRest
	case scanned > manyKeys:
		return sweepRest
	}
	return 0
}

// do runs a command within the time limit.
func (w *sweeper) do(client rueidis.Client, cmd rueidis.Completed) rueidis.RedisResult {
	ctx, err := w.store.ample.within(w.store.life)
	if err != nil {
		ctx = w.store.life // ended, as the client will say
	}
	return client.Do(ctx, cmd)
}

func (w *sweeper) lockKey() string { return w.store.layout.parts[0].prefix + sweepName }

func (w *sweeper) lock(client rueidis.Client, token string) bool {
	return w.do(client, client.B().Set().Key(w.lockKey()).Value(token).Nx().Px(sweepLock).Build()).Error() == nil
}

// renew keeps the lock. Should it have been lost, two processes walk at a time:
// that costs time, and nothing else.
func (w *sweeper) renew(client rueidis.Client) {
	w.do(client, client.B().Pexpire().Key(w.lockKey()).Milliseconds(sweepLock.Milliseconds()).Build())
}

// unlock gives the lock back, unless somebody else has it by now.
func (w *sweeper) unlock(client rueidis.Client, token string) {
	if held, _ := w.do(client, client.B().Get().Key(w.lockKey()).Build()).ToString(); held == token {
		w.do(client, client.B().Del().Key(w.lockKey()).Build())
	}
}

// walkNodes walks over the keys of every master.
func (w *sweeper) walkNodes(client rueidis.Client) (scanned int, err error) {
	if w.store.settings.mode != modeCluster {
		return w.walkNode(client, client)
	}
	for _, node := range client.Nodes() {
		role, err := w.do(node, node.B().Role().Build()).ToArray()
		if err != nil || len(role) == 0 {
			continue // it is down; what it holds is served no more either way
		}
		if name, _ := role[0].ToString(); name != "master" {
			continue
		}
		n, err := w.walkNode(client, node)
		if scanned += n; err != nil {
			return scanned, err
		}
	}
	return scanned, nil
}

// walkNode walks over the keys of one node. Pauses in proportion to the time
// that its commands take keep it from slowing down anybody else.
func (w *sweeper) walkNode(client, node rueidis.Client) (scanned int, err error) {
	for cursor := uint64(0); ; {
		begun := time.Now()
		scan := node.B().Scan().Cursor(cursor).Match(w.store.layout.scope).Count(scanCount).Type("string").Build()
		page, err := w.do(node, scan).AsScanEntry()
		if err != nil {
			return scanned, err
		}
		if err := w.reclaim(client, page.Elements); err != nil {
			return scanned, err
		}
		scanned += scanCount
		if cursor = page.Cursor; cursor == 0 {
			return scanned, nil
		}
		w.renew(client)
		select {
		case <-time.After(min(longSleep, (sweepShare-1)*time.Since(begun))):
		case <-w.store.life.Done():
			return scanned, w.store.life.Err()
		}
	}
}

// reclaim removes those of the named entries that are covered.
func (w *sweeper) reclaim(client rueidis.Client, names []string) error {
	byPart := make(map[*partition][]string)
	for _, name := range names {
		if p := w.store.layout.holds(name); p != nil {
			byPart[p] = append(byPart[p], name)
		}
	}
	for p, names := range byPart {
		if err := w.reclaimIn(client, p, names); err != nil {
			return err
		}
	}
	return nil
}

func (w *sweeper) reclaimIn(client rueidis.Client, p *partition, names []string) error {
	ctx, err := w.store.ample.within(w.store.life)
	if err != nil {
		return err
	}
	known, err := w.current(ctx, client, p)
	if err != nil {
		return err
	}
	commands := make(rueidis.Commands, len(names))
	for i, name := range names {
		commands[i] = client.B().Getrange().Key(name).Start(0).End(envelope.PeekSize - 1).Build()
	}
	call := invocation{part: p}
	for i, r := range client.DoMulti(ctx, commands...) {
		// An error is that of a key that is gone or of another type by now.
		prefix, err := r.ToString()
		if key, _ := p.userKey(names[i]); err == nil && known.covers(key, prefix) {
			call.keys = append(call.keys, names[i], markerOf(names[i]))
			call.args = append(call.args, prefix[envelope.IncarnationOffset:envelope.VersionOffset+8])
		}
	}
	if len(call.keys) == 0 {
		return nil
	}
	return sweepScript.run(ctx, client, call).Error()
}

// markerOf returns the marker that counts the variant kept under a Redis key, and
// the key itself where it is that of a plain answer.
func markerOf(name string) string {
	if at := strings.LastIndex(name, variantInfix); at >= 0 {
		return name[:at] + markerSuffix
	}
	return name
}

// current returns the replica, no older than the request for the walk.
func (w *sweeper) current(ctx context.Context, client rueidis.Client, p *partition) (*replica, error) {
	var known *replica
	err := w.store.vouched(ctx, client, p, func() error {
		text, err := client.Do(ctx, client.B().Get().Key(p.control).Build()).ToString()
		if err != nil && !rueidis.IsRedisNil(err) {
			return err
		}
		c, _ := parseControl(text)
		known, _, err = p.catchUp(ctx, client, c)
		return err
	})
	return known, err
}

// covers reports whether the entry whose first bytes are prefix is covered. It
// is not if it belongs to another incarnation, for that may be one of another
// namespace; those of an earlier one of ours are left to their TTL.
func (r *replica) covers(key, prefix string) bool {
	incarnation, version, tags, ok := envelope.Peek(prefix)
	if !ok || incarnation != r.incarnation {
		return false
	}
	member, _, lost := r.since(key, tags, version)
	return member != "" || lost
}
