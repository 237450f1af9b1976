package redisstore

import (
	"crypto/sha256"
	"encoding/hex"
	"hash/fnv"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/freshet-dev/freshet"
	"github.com/freshet-dev/freshet/internal/ban"
)

// What is kept in Redis, by partition. Every key begins with the partition's
// prefix: nothing or "namespace:" where there is one partition, and in a Cluster
// "{namespace:7}:" or "{7}:", a hash tag that puts all of a partition into one
// slot. Users' keys contain no '#', so nothing of theirs can meet the rest:
//
//	<key>              the entry, in the form of package envelope
//	<key>#v:<variant>  the entry of a variant
//	<key>#v            the marker of the key's variants: 16 hexadecimal digits
//	                   that name their generation, then their number
//	<key>#l            a lease: see lease.lua
//	freshet#ctl        the control record:
//	                   f3:incarnation:version:banVersion:keyFloor:banFloor:fenced:
//	                   longestFence:horizon:server,
//	                   the last names the server on which the incarnation began
//	freshet#tb         zset: when was each tag, pattern, everything last banned?
//	                   ban.Tag, ban.Glob and ban.All members by version, and
//	                   "!<incarnation>" at +inf; for fences "~" and the member, by
//	                   the version at which they end; for soft bans, of keys as well,
//	                   "?" and the member
//	freshet#kb         zset: the same of keys, as ban.Key members
//	freshet#wi         zset: what is on record to be invalidated, by the time at
//	                   which it falls due (record.go, records.lua), and the same
//	                   "!<incarnation>"
//	freshet#sweep      the lock of the process that reclaims memory
//
// Everything has a TTL, the four control keys that of the last entry to expire
// and an hour. They depend on each other: the zsets are believed only with the
// incarnation of the record in them, and without the record nothing is. So
// losing any of them starts a new incarnation, in which every lookup misses; and
// so does coming to another server with them, see fence.go.
const (
	variantInfix = "#v:"
	markerSuffix = "#v"
	leaseSuffix  = "#l"

	controlName = "freshet#ctl"
	banName     = "freshet#tb"
	keyBanName  = "freshet#kb"
	intentName  = "freshet#wi"
	sweepName   = "freshet#sweep"
	// rightsName is a key that does not exist, see rights.go.
	rightsName = "freshet#rights"
	// wakeName is the channel on which leases are released. It is not a key.
	wakeName = "freshet#wake"
)

// partitions is how many a Cluster has. More spread the load better; each costs
// an invalidation by tag or pattern one more script. Processes that disagree on
// it would not see each other's invalidations, so it is no setting.
const partitions = 64

// Keys longer than longestKey are cut after keptPrefix bytes and told apart by
// a digest of the whole, so that no key of Redis is of unbounded length. Entries
// are still judged by the whole key: the caller of Lookup knows it.
const (
	longestKey = 512
	keptPrefix = 440
)

// layout says where things are kept.
type layout struct {
	parts []*partition
	scope string // a glob that matches every key of the namespace
	wake  string // the channel of released leases
	uses  *atomic.Uint64
	birth *birth
}

func newLayout(namespace string, cluster bool) layout {
	plain := ""
	if namespace != "" {
		plain = namespace + ":"
	}
	l := layout{wake: plain + wakeName, scope: plain + "*", uses: new(atomic.Uint64), birth: new(birth)}
	if !cluster {
		l.parts = []*partition{newPartition(plain, l.uses, l.birth)}
		return l
	}
	l.scope = "{" + plain + "*"
	for i := range partitions {
		l.parts = append(l.parts, newPartition("{"+plain+strconv.Itoa(i)+"}:", l.uses, l.birth))
	}
	return l
}

// of returns the partition that key belongs to.
func (l layout) of(key string) *partition {
	if len(l.parts) == 1 {
		return l.parts[0]
	}
	h := fnv.New32a()
	_, _ = h.Write([]byte(key))
	return l.parts[h.Sum32()%uint32(len(l.parts))]
}

// short returns the form in which key is part of a key of Redis.
func short(key string) string {
	if len(key) <= longestKey {
		return key
	}
	digest := sha256.Sum256([]byte(key))
	return key[:keptPrefix] + "~" + hex.EncodeToString(digest[:])
}

// holds returns the partition whose entry the Redis key name holds, nil when it
// is none of an entry.
func (l layout) holds(name string) *partition {
	p := l.parts[0]
	if len(l.parts) > 1 {
		tag, _, _ := strings.Cut(name, "}")
		number := tag[strings.LastIndexAny(tag, "{:")+1:]
		i, err := strconv.Atoi(number)
		if err != nil || i < 0 || i >= len(l.parts) {
			return nil
		}
		p = l.parts[i]
	}
	if _, ok := p.userKey(name); !ok {
		return nil
	}
	return p
}

// place is where the answer of one ref is kept.
type place struct {
	part   *partition
	key    string // the shortened key
	entry  string
	marker string // of the key's variants, empty for the plain answer
}

func (l layout) place(ref freshet.Ref) place {
	p := place{part: l.of(ref.Key), key: short(ref.Key)}
	p.entry = p.part.prefix + p.key
	if ref.Variant != "" {
		p.marker = p.entry + markerSuffix
		p.entry += variantInfix + ref.Variant
	}
	return p
}

// lease returns the key of the lease. Each variant is loaded under a lease of its
// own. An invalidation can name only that of the plain answer and remove it; the
// others are overtaken by what lease.lua finds in kb.
func (p place) lease() string { return p.entry + leaseSuffix }

// member returns the name of the key's ban in kb.
func (p place) member() string { return ban.Key(p.key) }

// userKey returns the key whose answer is kept under the Redis key name, as far
// as that tells: a long key stays in its shortened form. False means that no
// answer is kept there.
func (p *partition) userKey(name string) (string, bool) {
	rest, ours := strings.CutPrefix(name, p.prefix)
	key, variant, isVariant := strings.Cut(rest, variantInfix)
	if !ours || strings.Contains(key, "#") || isVariant && strings.Contains(variant, "#") {
		return "", false
	}
	return key, true
}
