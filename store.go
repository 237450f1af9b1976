package freshet

import (
	"context"
	"strconv"
	"time"

	"github.com/freshet-dev/freshet/internal/ban"
)

// Version orders the invalidations of a store. A later invalidation has a
// larger version; nothing else may be read into the number. It happens to be
// near the store's clock in microseconds, so that history can be trimmed by
// age, but correctness uses the order only.
type Version uint64

// Stamp says which invalidations a load is certain to have seen: every one of
// the same incarnation whose version is not larger. A stamp is taken from
// [Store.Lookup] before the load starts, never after.
type Stamp struct {
	// Incarnation names one unbroken life of the store's metadata. When
	// metadata is lost (eviction, flush, restart) a new incarnation begins, and
	// nothing that carries an older one is ever served.
	Incarnation uint64
	Version     Version
}

// String returns the stamp in the form incarnation@version.
func (s Stamp) String() string {
	return strconv.FormatUint(s.Incarnation, 16) + "@" + strconv.FormatUint(uint64(s.Version), 10)
}

// Ref names one answer in a store.
type Ref struct {
	// Key is the resolved key, as invalidations name it: "post_cache:123".
	// Patterns are matched against the whole of it, whatever its length.
	Key string
	// Variant tells the answers under one key apart (query parameters that the
	// key does not name, request headers, the caller): empty, or lower-case
	// hexadecimal. An invalidation of Key drops all its variants.
	Variant string
}

// Field is one line of an answer's header, with its name in canonical form. A mark
// before the name says that the line is added to (>) what middleware in front has
// set, or that the field is taken out of it (<).
type Field = struct{ Name, Value string }

// Identity is the digest of everything an answer depends on. It is compared on
// every hit, so that two requests that meet in one key never get each other's
// answer.
type Identity [32]byte

// Entry is a stored answer. It is immutable: a store may hand the same entry to
// many callers at once.
type Entry struct {
	Identity Identity
	// Stamp is what the entry was loaded under. Stores set it in Fill.
	Stamp Stamp
	// Loaded is when the load ended, by the clock of the process that ran it.
	Loaded time.Time
	// TTL is how long the store keeps the entry: from its Fill, which comes right
	// after Loaded, and no longer than that from Loaded where a store compares.
	TTL time.Duration
	// Fresh is how old the answer may be to be served without asking its handler
	// (RFC 9111, section 4.2.1), Age how old it was when it was Loaded (section
	// 4.2.3): it is stale once Age and the time since Loaded reach Fresh. Past that
	// a store keeps it to be revalidated, or for when the handler fails.
	Fresh, Age time.Duration
	// Took is how long the load took.
	Took time.Duration
	// Tags that an invalidation may name, sorted, without duplicates.
	Tags []string
	// Status is the HTTP status, 0 for a value stored by [Load].
	Status int
	// Header holds the fields in the order they are written; fields of one name
	// stand next to each other.
	Header []Field
	Body   string
}

// Reason says why a lookup found nothing that may be served.
type Reason uint8

// The reasons of a miss.
const (
	Absent       Reason = iota // nothing is stored, or it has expired
	BannedKey                  // its key was invalidated after its load began
	BannedTag                  // one of its tags was
	BannedMatch                // a pattern that covers its key was
	BannedAll                  // everything was
	Outdated                   // it belongs to an earlier incarnation, or to history already trimmed
	Unreadable                 // the stored bytes are damaged, foreign or of another format
	reasonsCount               // not a reason
)

var reasonNames = [reasonsCount]string{
	"absent", "banned-key", "banned-tag", "banned-match", "banned-all", "outdated", "unreadable",
}

// String returns the reason as it is shown in Cache-Status.
func (r Reason) String() string { return reasonNames[r] }

// Found is the result of a lookup.
type Found struct {
	// Entry may be served; nil means a miss. The caller still compares its
	// Identity with the request's own.
	Entry *Entry
	// Stamp is what a load started now has to be filled under. It is set on
	// hits too.
	Stamp Stamp
	// Reason says why Entry is nil, or, where there is one, which soft invalidation
	// covers it ([Target.Soft]): it is then to be taken as stale. It is Absent for
	// an Entry that none covers.
	Reason Reason
}

// Outcome is what became of a fill.
type Outcome uint8

// The outcomes of a fill. All but Stored leave the store as it was.
const (
	Stored        Outcome = iota // later lookups find the entry
	Fenced                       // an invalidation after the stamp covers it
	Expired                      // the stamp's incarnation, or the history since it, is gone
	Newer                        // the store holds an entry loaded under a newer stamp
	Crowded                      // the key has as many variants as the store keeps
	TooLarge                     // the store cannot hold an entry of this size
	outcomesCount                // not an outcome
)

var outcomeNames = [outcomesCount]string{"stored", "fenced", "expired", "newer", "crowded", "too-large"}

// String returns the outcome in lower case, words joined by a hyphen.
func (o Outcome) String() string { return outcomeNames[o] }

// Store keeps entries and the history of invalidations that decides which of
// them may still be served. Package storetest holds the suite that every
// implementation passes.
//
// The contract, for every interleaving of any number of processes that share
// the store: once Invalidate has returned, no Lookup that starts later returns
// an entry that one of its targets covers and that was filled under a stamp
// taken before. Any loss of the store's data can only turn hits into misses.
//
// All methods may be called concurrently. They return when ctx ends, and within
// the store's own time limit when ctx has none.
type Store interface {
	// Lookup returns the entry of ref if it may be served, and a stamp to load
	// under in any case. An error means that the store could not be asked: the
	// stamp is then unusable and nothing may be filled.
	Lookup(ctx context.Context, ref Ref) (Found, error)

	// Fill stores e under ref for e.TTL (at least a millisecond), unless an
	// invalidation after stamp covers it by key, or the history since stamp is
	// incomplete. A covering tag, pattern or clear either refuses the fill or
	// makes every later lookup miss. The store keeps e; the caller must not
	// change it afterwards.
	Fill(ctx context.Context, ref Ref, stamp Stamp, e *Entry) (Outcome, error)

	// Invalidate makes everything that targets cover unservable, in one atomic
	// step where the store is one partition. Repeating it is harmless. It
	// returns the version of the step, the newest where there are several. On
	// an error it is unknown which targets have been dropped: repeat the call.
	Invalidate(ctx context.Context, targets []Target) (Version, error)

	// Valid reports whether what was loaded under stamp for ref and tags may
	// still be answered now: no invalidation after stamp covers it.
	Valid(ctx context.Context, ref Ref, tags []string, stamp Stamp) (bool, error)

	// Close releases the store's resources. No other method may be called
	// afterwards.
	Close() error
}

// Leaser is implemented by stores that several processes share. A lease makes
// one of them load an answer while the others wait for it; it saves work and is
// never needed for freshness, so any error means: load without one.
type Leaser interface {
	// Lease asks to be the process that loads ref under stamp. It takes over a
	// lease whose holder has died, or whose load began before an invalidation
	// that covers ref or tags. Who gets it looks up once more: another may have
	// filled and released between the look-up and this call.
	Lease(ctx context.Context, ref Ref, tags []string, stamp Stamp) (Lease, error)
}

// Lease is one process's part in a shared load.
type Lease interface {
	// Held reports whether this process is to load. The lease is then kept
	// alive until Release.
	Held() bool
	// Wait blocks while another process holds the lease: until it releases it,
	// dies or loses it to an invalidation, or ctx ends. Shared reports whether
	// looking up again is worthwhile; false means that the holder found the
	// answer unfit for sharing, and everybody should load on their own.
	Wait(ctx context.Context) (shared bool, err error)
	// Release ends a held lease and wakes the waiters; shared is what Wait
	// tells them. It does nothing on a lease that is not held.
	Release(ctx context.Context, shared bool)
}

// Intender is implemented by stores that outlive the process. It keeps an
// invalidation from being lost with a process that dies between the change of its
// data and the invalidation.
type Intender interface {
	// Intend puts on record that targets are about to be invalidated, before the
	// change that makes it necessary begins. The store keeps the record alive
	// while this process lives. When the process dies, the record falls due and
	// another process on the store carries it out. On an error it is unknown
	// whether there is a record; one that is there falls due, which costs misses.
	Intend(ctx context.Context, targets []Target) (Intent, error)
}

// Intent is what is on record of one change. Its methods are called one at a time,
// none after Invalidate or Withdraw, one of these two in any case. They are called
// even while the store is left alone because it fails: ctx has ended then, and all
// there is to do is to note what is to be kept alive from now on.
type Intent interface {
	// Add puts more targets on record; after an error, when it is next kept alive.
	Add(ctx context.Context, targets []Target) error
	// Invalidate is [Store.Invalidate], and takes the record away in the same
	// step where the store is one partition. On an error the record is left to
	// fall due, unless it is gone already.
	Invalidate(ctx context.Context, targets []Target) (Version, error)
	// Withdraw takes the record away: nothing has changed. Where that fails the
	// record falls due, which costs misses.
	Withdraw(ctx context.Context)
}

// Historian is implemented by stores that can say what has been invalidated.
type Historian interface {
	// History returns what is known of the invalidations that cover ref, or an
	// entry with tags. It may be slow.
	History(ctx context.Context, ref Ref, tags []string) (History, error)
}

// History is what has been invalidated of one entry.
type History struct {
	Stamp Stamp   // the present one
	Floor Version // up to here tags, patterns and clears may have been forgotten
	Bans  []Ban   // newest first, of each target the last; those of keys for minutes
}

// Ban is the invalidation of a target, in its fields Member, the target's name by
// [Target.Member], with a ? before it if it was soft, and Version, a number. String adds
// the time of it.
type Ban = ban.Record
