package ban

import "strings"

// softMark stands before the member of a soft ban. A program that does not know it
// takes the member for one of unknown form, and so for [All].
const softMark = "?"

// Soft returns the name of the soft ban of member, where it is kept or told among
// bans of other kinds. A Map knows nothing of softness: who keeps soft bans keeps
// them in a Map of their own, by the member as it is, so that neither a soft ban nor
// a hard one ever takes the other's place.
func Soft(member string) string { return softMark + member }

// CutSoft returns the member of which name is the soft ban, and false if it is none.
func CutSoft(name string) (member string, ok bool) { return strings.CutPrefix(name, softMark) }

// Softened renames bans from a Map of soft ones as [Soft] does, and returns them.
func Softened(bans []Record) []Record {
	for i := range bans {
		bans[i].Member = Soft(bans[i].Member)
	}
	return bans
}
