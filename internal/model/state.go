package model

// Everything is a byte, so that a state is compared and hashed as plain memory.
const (
	maxKeys      = 2
	maxProcesses = 2
	maxActors    = 4
	// fence is how many versions a fence is long: more than there are writes.
	fence = 16
)

// state is all there is at one moment.
type state struct {
	redis redis
	// copied is a snapshot, or a replica that lags: what a failover leads to.
	copied       redis
	hasCopy      bool
	life, lives  uint8 // of the server that answers; how many there have been
	incarnations uint8 // how many there have been

	data uint8 // the newest commit
	seen uint8 // the newest commit that the replica of the database shows
	time uint8 // a version that the next one is not below: a fence has ended

	committed [maxKeys]uint8 // the newest commit that a key depends on
	due       [maxKeys]uint8 // the oldest that a request which begins now may be answered from

	left    Faults
	process [maxProcesses]process
	actor   [maxActors]actor
	stale   bool // somebody has been answered with old data
}

// redis is what one server holds. An incarnation of 0 says that there is none.
type redis struct {
	control control
	tagBans struct{ incarnation, tag, all, fenced uint8 }
	keyBans struct {
		incarnation uint8
		key         [maxKeys]uint8
	}
	intents struct {
		incarnation uint8
		of          [maxActors]record
		clear       record
		fence       record // while there is one, the version follows time
		end, commit uint8  // of that fence, and what it is for
	}
	entry [maxKeys]entry
}

type control struct{ incarnation, version, ban, keyFloor, banFloor, server uint8 }

type entry struct{ incarnation, stamp, data uint8 }

// record is an intent on record.
type record uint8

const (
	absent record = iota
	kept
	fallen // due
)

// process is what the actors of a process share.
type process struct {
	dead       bool
	connection uint8 // the life of the server that it is connected to
	vouched    uint8 // the connection that was vouched for
	// The replica of tagBans.
	incarnation, synced, floor, tag, all uint8
	fenced                               uint8 // the commit of a fence by local time
	flight                               flight
}

type flight struct{ leader, incarnation, stamp, data uint8 }

// actor is one request under way.
type actor struct {
	phase phase
	left  uint8
	// oldest is the oldest data that the request may be answered from.
	oldest uint8
	// A look-up remembers what it has read: the connection that was vouched for,
	// whether it was in use then, the entry and the record's newest ban.
	use         uint8
	wasUse      bool
	entry       entry
	incarnation uint8
	ban         uint8
	// A load has a stamp and data.
	stamp, data uint8
}

type phase uint8

const (
	idle phase = iota
	again
	syncing
	vouching
	loaded
	intended
	committing
	committed
	orphaned // a commit in the database, of a process that has died
)

// begin returns the state that a search starts from.
func (m *model) begin() state {
	var s state
	s.incarnations, s.life, s.lives = 1, 1, 1
	r := &s.redis
	r.control = control{incarnation: 1, version: 1, server: 1}
	r.tagBans.incarnation, r.keyBans.incarnation, r.intents.incarnation = 1, 1, 1
	for i := range s.process {
		s.process[i].connection, s.process[i].vouched = 1, 1
		s.process[i].incarnation = 1
	}
	for i, a := range m.Actors {
		s.actor[i].left = a.Times
	}
	s.left = m.Faults
	return s
}

// covers reports whether a write of actor i concerns key k.
func (m *model) covers(i, k int) bool { return m.Actors[i].Role == TagWriter || m.Actors[i].Key == k }
