package model

// Guard is one of the rules that keep the protocol right.
type Guard uint32

// The guards. Each can be removed from the model, to show what it is for.
const (
	StampAtLoad  Guard = 1 << iota // an entry's stamp is from before its load
	KeyBan                         // a fill compares its stamp with the key's ban
	TagBan                         // a look-up compares an entry's stamp with the bans of its tags
	KeyFloor                       // trimming bans of keys raises their floor
	TagFloor                       // trimming bans of tags raises theirs
	Sentinel                       // the sets of bans name their incarnation
	Incarnation                    // an entry of another incarnation is a miss
	ServerFence                    // another server begins a new incarnation
	CountAfter                     // connections are counted after a reply too, and not only before
	FlightRule                     // who began after an invalidation does not share a load from before
	Intent                         // a write is on record before it begins
	Restore                        // a record that was lost is put back by the process that it is of
	ClearOnLoss                    // a new life puts a clear on record
	Repetition                     // a record stays for as long as its change may still come
	FutureBan                      // a ban with a fence covers what is loaded before the fence's end
	FenceOnLoss                    // a new life begins with a fence over everything, where there are fences
	WatchIntents                   // the watch notices that records have been lost
	guards                         // not a guard
)

// Role is what an actor does, again and again.
type Role uint8

// The roles.
const (
	Reader    Role = iota // looks a key up, loads and fills
	KeyWriter             // changes the data of a key and invalidates the key
	TagWriter             // changes the data of all keys and invalidates their tag
)

// Actor is one request after another in a process.
type Actor struct {
	Process int // 0 or 1
	Role    Role
	Key     int // 0 or 1; no matter for a TagWriter
	Times   uint8
}

// Faults says how often each may happen in one history.
type Faults struct {
	Losses    uint8 // of the control record, one of the sets, or everything
	Trims     uint8 // of the bans of keys, or of tags
	Restarts  uint8 // of a process, which forgets its replica of the bans
	Failovers uint8 // to a copy of Redis made at any time before
	Deaths    uint8 // of a process, wherever it is
}

// Config is one model to be searched.
type Config struct {
	Name   string
	Actors []Actor // at most 4, in processes 0 and 1
	Faults Faults
	// Flights makes the readers of a process share loads.
	Flights bool
	// Intents puts writes on record. Commits then take two steps: they may wait
	// in the database, and take place after the process that sent them has died.
	Intents bool
	// Slow lets records of living processes fall due: frozen ones.
	Slow bool
	// Lag makes loads read from a lagging replica of the database, and
	// invalidations have a fence that is longer than the lag.
	Lag bool
	// Without are the guards that are removed.
	Without Guard
}

func (c *Config) has(g Guard) bool { return c.Without&g == 0 }
