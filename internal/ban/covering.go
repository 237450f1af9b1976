package ban

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

// Record is one ban of a history: what was banned, and as which version.
type Record struct {
	Member  string
	Version uint64
}

// String returns the ban as member@version, and the time that the version is if it
// was made from one.
func (r Record) String() string {
	at := time.UnixMicro(int64(r.Version)).UTC()
	return fmt.Sprintf("%s@%d (%s)", r.Member, r.Version, at.Format("2006-01-02T15:04:05.000Z"))
}

// Covering returns the bans that cover key or one of tags, the newest first. It
// looks at every ban: it is for people who want to know why, not for requests.
func (m *Map) Covering(key string, tags []string) []Record {
	var found []Record
	for member, version := range m.Members {
		if covers(member, key, tags) {
			found = append(found, Record{member, version})
		}
	}
	return Sorted(found)
}

// Sorted sorts bans, the newest first, and returns them.
func Sorted(bans []Record) []Record {
	slices.SortFunc(bans, func(a, b Record) int {
		return cmp.Or(cmp.Compare(b.Version, a.Version), cmp.Compare(a.Member, b.Member))
	})
	return bans
}

func covers(member, key string, tags []string) bool {
	k, name, _ := split(member)
	switch k {
	case keyKind:
		return name == key
	case tagKind:
		return slices.Contains(tags, name)
	case globKind:
		return Match(name, key)
	default:
		return true
	}
}
