package model

import (
	"fmt"
	"strings"
)

// step is what has happened, for histories.
type step struct {
	does    deed
	who     int // actor
	process int
	data    uint8
	version uint8
}

const nobody = -1

type deed uint8

const (
	reads deed = iota
	learnsNothing
	doubts
	hits
	shares
	loads
	vouches
	fills
	isRefused
	intends
	sends
	commits
	rollsBack
	invalidates
	falls
	carriesOut
	restores
	clearFalls
	clears
	renews
	settles
	shows
	opens
	fenceEnds
	follows
	losesControl
	losesTags
	losesKeys
	losesIntents
	losesAll
	trimsKeys
	trimsTags
	restarts
	copies
	failsOver
	dies
	deeds // how many there are
)

// told has a sentence for each deed. D stands for the data, V for the version, K
// for the actor's key and P for the process.
var told = [deeds]string{
	reads:         "reads the entry and the control record, and needs the newest bans",
	learnsNothing: "asks for the newest bans on a new connection, and does not use the answer",
	doubts:        "has an answer of a connection that nobody has vouched for",
	hits:          "hits: it is answered with data D of K",
	shares:        "shares the load of its process, of data D of K",
	loads:         "misses, and loads data D of K under stamp V",
	vouches:       "asks which server this is",
	fills:         "fills K with data D",
	isRefused:     "is refused to fill K with data D",
	intends:       "puts on record that it will invalidate",
	sends:         "sends its commit to the database",
	commits:       "commits data D",
	rollsBack:     "is rolled back in the database",
	invalidates:   "invalidates as version V, and returns: data D is now the oldest",
	falls:         "has its record fall due",
	carriesOut:    "has its record carried out by another process, as version V",
	restores:      "has its record kept alive, or put back",
	clearFalls:    "the clear of the new life falls due",
	clears:        "the clear is carried out as version V",
	renews:        "a process notices on its watch that something is lost: a new incarnation",
	settles:       "nothing is under way or on record any more: data D is now the oldest",
	shows:         "the database's replica shows data D",
	opens:         "the fence ends in process P",
	fenceEnds:     "the fence is over",
	follows:       "the version follows time to V",
	losesControl:  "Redis loses the control record",
	losesTags:     "Redis loses the bans of tags",
	losesKeys:     "Redis loses the bans of keys",
	losesIntents:  "Redis loses what is on record",
	losesAll:      "Redis loses everything",
	trimsKeys:     "the bans of a key are trimmed",
	trimsTags:     "the bans of tags are trimmed",
	restarts:      "process P restarts",
	copies:        "Redis is copied to a replica or a snapshot",
	failsOver:     "the copy takes over, on a new server",
	dies:          "process P dies",
}

// tell puts a step into words.
func (m *model) tell(s step) string {
	text, key := told[s.does], "a"
	if s.who != nobody {
		a := m.Actors[s.who]
		if a.Key == 1 {
			key = "b"
		}
		role := "reader"
		if a.Role != Reader {
			role = "writer"
		}
		text = fmt.Sprintf("%s %d of process %d %s", role, s.who, a.Process, text)
	}
	return strings.NewReplacer("process P", fmt.Sprint("process ", s.process), "data D", fmt.Sprint("data ", s.data),
		" V", fmt.Sprint(" ", s.version), " K", " key "+key).Replace(text)
}
