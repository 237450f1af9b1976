package rfc9111

import (
	"strings"
	"time"
)

// The forms of a date that a recipient has to accept (RFC 9110, section 5.6.7). The
// first is what is sent, the others are obsolete.
const (
	imfFixdate = "Mon, 02 Jan 2006 15:04:05 GMT"
	rfc850Date = "Monday, 02-Jan-06 15:04:05 GMT"
	asctime    = "Mon Jan _2 15:04:05 2006"
)

// ParseDate reads an HTTP date as it is at now, which decides about the century of
// years with two digits. It accepts what RFC 9110, section 5.6.7, does, in any case of
// letters (RFC 9111, section 4.2), and nothing else. Package net/http is laxer: it takes
// hours with one digit, fractions of seconds, further blanks, any day of the week and, in
// the second form, any zone. It is stricter, too: gmt and the leap second 60, which is read
// as the one after 59 here, are errors to it.
func ParseDate(text string, now time.Time) (time.Time, bool) {
	const gmt = " GMT"
	if at := len(text) - len(gmt); at > 0 && strings.EqualFold(text[at:], gmt) {
		text = text[:at] + gmt
	}
	leap := false
	if at := strings.LastIndexByte(text, ':'); at >= 0 && strings.HasPrefix(text[at:], ":60") {
		leap, text = true, text[:at]+":59"+text[at+3:]
	}
	for _, layout := range [...]string{imfFixdate, rfc850Date, asctime} {
		if t, ok := parseDate(layout, text, now); ok {
			if leap {
				t = t.Add(time.Second)
			}
			return t, true
		}
	}
	return time.Time{}, false
}

// parseDate reads a date of one form. Writing it again is the simplest way to see all
// that package time has forgiven.
func parseDate(layout, text string, now time.Time) (time.Time, bool) {
	t, err := time.Parse(layout, text)
	if err != nil {
		return time.Time{}, false
	}
	if layout == rfc850Date {
		t = century(t, now.UTC())
	}
	return t, strings.EqualFold(t.Format(layout), text)
}

// century moves a date whose year had two digits to where it is no more than 50 years
// after now, but as late as it can be (RFC 9110, section 5.6.7).
func century(t, now time.Time) time.Time {
	limit := now.AddDate(50, 0, 0)
	in := func(year int) time.Time {
		return time.Date(year, t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), 0, time.UTC)
	}
	year := limit.Year() - (limit.Year()-t.Year()%100)%100
	if t = in(year); t.After(limit) {
		t = in(year - 100)
	}
	return t
}
