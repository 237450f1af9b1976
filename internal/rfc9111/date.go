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
// years with two digits. It accepts what RFC 9110, section 5.6.7, does, and nothing
// else: package time takes single digits, other cases of letters and any day of the
// week, and refuses the leap second 60, which is read as the second after 59 here.
func ParseDate(text string, now time.Time) (time.Time, bool) {
	for _, layout := range [...]string{imfFixdate, rfc850Date, asctime} {
		if t, ok := parseDate(layout, text, now); ok {
			return t, true
		}
	}
	return time.Time{}, false
}

func parseDate(layout, text string, now time.Time) (time.Time, bool) {
	leap := strings.Contains(text, ":60")
	if leap {
		text = strings.Replace(text, ":60", ":59", 1)
	}
	t, err := time.Parse(layout, text)
	// Writing it again is the simplest way to see all that package time forgives:
	// the day of the week that does not belong to the date, too.
	if err != nil {
		return time.Time{}, false
	}
	if layout == rfc850Date {
		t = century(t, now)
	}
	if t.Format(layout) != text {
		return time.Time{}, false
	}
	if leap {
		t = t.Add(time.Second)
	}
	return t.UTC(), true
}

// century moves a date whose year had two digits into the most recent century in
// which it is not more than 50 years after now (section 5.6.7).
func century(t, now time.Time) time.Time {
	years := now.UTC().Year() - t.Year()
	t = t.AddDate((years/100+1)*100, 0, 0)
	for t.After(now.AddDate(50, 0, 0)) {
		t = t.AddDate(-100, 0, 0)
	}
	return t
}
