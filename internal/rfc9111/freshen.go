package rfc9111

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Selects reports whether a 304 with these fields speaks of the stored answer, whose
// validators, and no others, had been sent (RFC 9111, section 4.3.4). Its entity tag
// decides, or else its date. One without either can only mean what it was asked about.
func Selects(stored, update []Field) bool {
	if Lines(update, "Etag") != nil {
		return agrees(stored, update, "Etag")
	}
	return agrees(stored, update, "Last-Modified")
}

// agrees reports whether the field is the same in both, or not in the update. Of entity
// tags the weak comparison counts unless the update's is strong.
func agrees(stored, update []Field, name string) bool {
	ours, theirs := Lines(stored, name), Lines(update, name)
	if name == "Etag" && len(ours) == 1 && len(theirs) == 1 && strings.HasPrefix(theirs[0], "W/") {
		return strings.TrimPrefix(ours[0], "W/") == strings.TrimPrefix(theirs[0], "W/")
	}
	return len(theirs) == 0 || slices.Equal(ours, theirs)
}

// Freshen returns the stored header as a 304, or the answer to a HEAD request, which was
// received then updates it (section 3.2): each field of the update replaces the stored
// one, but for those that describe the bytes of the stored body, and those that may not be
// stored. Date and Age are always the update's, as it is from then on that the answer
// counts as checked.
func Freshen(stored, update []Field, received time.Time) []Field {
	drop := map[string]bool{"Age": true, "Date": true}
	var kept []Field
	for _, f := range update {
		// What is taken out of a 304 is not there, which says nothing.
		if name := bare(f.Name); !describesBody(name) && f.Name[0] != '<' {
			drop[name] = true
			kept = append(kept, f)
		}
	}
	if len(Lines(update, "Date")) == 0 {
		kept = append(kept, Field{Name: "Date", Value: received.UTC().Format(http.TimeFormat)})
	}
	for _, f := range stored {
		if !drop[bare(f.Name)] {
			kept = append(kept, f)
		}
	}
	unstored := Unstored(Header(kept))
	kept = slices.DeleteFunc(kept, func(f Field) bool { return unstored(bare(f.Name)) })
	slices.SortStableFunc(kept, func(a, b Field) int { return strings.Compare(a.Name, b.Name) })
	return kept
}

// describesBody reports whether a field speaks of the very bytes that are stored, which a
// 304 does not have: it stays as it was stored.
func describesBody(name string) bool {
	switch name {
	case "Content-Length", "Content-Encoding", "Content-Range", "Content-Digest", "Content-Md5":
		return true
	}
	return false
}

// HeadFreshens reports whether the answer to a HEAD request speaks of the stored one, and
// so updates it; the stored one has to be taken as stale otherwise (section 4.3.5).
func HeadFreshens(stored, head []Field) bool {
	if !agrees(stored, head, "Etag") || !agrees(stored, head, "Last-Modified") {
		return false
	}
	size, ok := length(head)
	ours, known := length(stored)
	return !ok || known && size == ours
}

// length returns the number in Content-Length.
func length(fields []Field) (int64, bool) {
	lines := Lines(fields, "Content-Length")
	if len(lines) == 0 {
		return 0, false
	}
	n, err := strconv.ParseInt(lines[0], 10, 64)
	return n, err == nil
}
