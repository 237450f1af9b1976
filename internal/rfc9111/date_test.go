package rfc9111

import (
	"net/http"
	"testing"
	"time"
)

// TestParseDate is RFC 9110, section 5.6.7, and what RFC 9111, section 4.2, says of dates.
// The column std is what http.ParseTime makes of it, to show where that differs.
func TestParseDate(t *testing.T) {
	const want = "1994-11-06T08:49:37Z"
	tests := []struct {
		name string
		text string
		want string
		std  string
	}{
		{"IMF-fixdate", "Sun, 06 Nov 1994 08:49:37 GMT", want, want},
		{"RFC 850", "Sunday, 06-Nov-94 08:49:37 GMT", want, want},
		{"asctime", "Sun Nov  6 08:49:37 1994", want, want},
		{"asctime, two digits", "Wed Nov 16 08:49:37 1994", "1994-11-16T08:49:37Z", "1994-11-16T08:49:37Z"},
		{"lower case", "sun, 06 nov 1994 08:49:37 gmt", want, ""},
		{"upper case", "SUNDAY, 06-NOV-94 08:49:37 GMT", want, want},
		{"leap second", "Sat, 31 Dec 2016 23:59:60 GMT", "2017-01-01T00:00:00Z", ""},
		{"leap second, RFC 850", "Saturday, 31-Dec-16 23:59:60 GMT", "2017-01-01T00:00:00Z", ""},
		{"leap second, asctime", "Sat Dec 31 23:59:60 2016", "2017-01-01T00:00:00Z", ""},
		{"leap day", "Thu, 29 Feb 2024 00:00:00 GMT", "2024-02-29T00:00:00Z", "2024-02-29T00:00:00Z"},
		{"first year", "Mon, 01 Jan 0001 00:00:00 GMT", "0001-01-01T00:00:00Z", "0001-01-01T00:00:00Z"},
		{"last year", "Fri, 31 Dec 9999 23:59:59 GMT", "9999-12-31T23:59:59Z", "9999-12-31T23:59:59Z"},

		{"zero", "0", "", ""},
		{"minus one", "-1", "", ""},
		{"nothing", "", "", ""},
		{"a number", "784111777", "", ""},
		{"RFC 3339", "1994-11-06T08:49:37Z", "", ""},
		{"UTC", "Sun, 06 Nov 1994 08:49:37 UTC", "", ""},
		{"offset", "Sun, 06 Nov 1994 08:49:37 +0000", "", ""},
		{"another zone", "Sun, 06 Nov 1994 08:49:37 EST", "", ""},
		{"another zone, RFC 850", "Sunday, 06-Nov-94 08:49:37 EST", "", want},
		{"no zone", "Sun, 06 Nov 1994 08:49:37", "", ""},
		{"asctime with a zone", "Sun Nov  6 08:49:37 1994 GMT", "", ""},
		{"another day of the week", "Mon, 06 Nov 1994 08:49:37 GMT", "", want},
		{"another day, RFC 850", "Monday, 06-Nov-94 08:49:37 GMT", "", want},
		{"day with one digit", "Sun, 6 Nov 1994 08:49:37 GMT", "", ""},
		{"day with a blank", "Sun, 06 Nov  1994 08:49:37 GMT", "", want},
		{"asctime with a zero", "Sun Nov 06 08:49:37 1994", "", want},
		{"asctime with one blank", "Sun Nov 6 08:49:37 1994", "", want},
		{"year with two digits", "Sun, 06 Nov 94 08:49:37 GMT", "", ""},
		{"RFC 850, four digits", "Sunday, 06-Nov-1994 08:49:37 GMT", "", ""},
		{"RFC 850, short day", "Sun, 06-Nov-94 08:49:37 GMT", "", ""},
		{"long day", "Sunday, 06 Nov 1994 08:49:37 GMT", "", ""},
		{"fraction", "Sun, 06 Nov 1994 08:49:37.5 GMT", "", "1994-11-06T08:49:37.5Z"},
		{"comma as fraction", "Sun, 06 Nov 1994 08:49:37,5 GMT", "", "1994-11-06T08:49:37.5Z"},
		{"hour with one digit", "Sun, 06 Nov 1994 8:49:37 GMT", "", want},
		{"hour 24", "Sun, 06 Nov 1994 24:00:00 GMT", "", ""},
		{"minute 60", "Sun, 06 Nov 1994 08:60:00 GMT", "", ""},
		{"second 61", "Sun, 06 Nov 1994 08:49:61 GMT", "", ""},
		{"February 30", "Wed, 30 Feb 1994 08:49:37 GMT", "", ""},
		{"no leap year", "Tue, 29 Feb 2023 08:49:37 GMT", "", ""},
		{"blank before", " Sun, 06 Nov 1994 08:49:37 GMT", "", ""},
		{"blank after", "Sun, 06 Nov 1994 08:49:37 GMT ", "", ""},
		{"two of them", "Sun, 06 Nov 1994 08:49:37 GMT, Sun, 06 Nov 1994 08:49:37 GMT", "", ""},
	}
	now := time.Date(2026, 11, 21, 0, 0, 0, 0, time.UTC)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, ok := ParseDate(tt.text, now)
			if text := shown(got, ok); text != tt.want {
				t.Errorf("%q is %q, want %q", tt.text, text, tt.want)
			}
			std, err := http.ParseTime(tt.text)
			if text := shown(std, err == nil); text != tt.std {
				t.Errorf("%q is %q to net/http, not %q", tt.text, text, tt.std)
			}
		})
	}
}

func shown(t time.Time, ok bool) string {
	if !ok {
		return ""
	}
	return t.UTC().Format(time.RFC3339Nano)
}

// TestParseDateOfTwoDigits is the rule of RFC 9110, section 5.6.7, that a year with two
// digits is not more than 50 years in the future; package time has a fixed year for that.
func TestParseDateOfTwoDigits(t *testing.T) {
	tests := []struct{ now, text, want string }{
		{"2026-11-21T00:00:00Z", "Saturday, 21-Nov-26 00:00:00 GMT", "2026-11-21T00:00:00Z"},
		{"2026-11-21T00:00:00Z", "Friday, 20-Nov-76 00:00:00 GMT", "2076-11-20T00:00:00Z"},
		{"2026-11-21T00:00:00Z", "Saturday, 21-Nov-76 00:00:00 GMT", "2076-11-21T00:00:00Z"},
		{"2026-11-21T00:00:00Z", "Monday, 22-Nov-76 00:00:00 GMT", "1976-11-22T00:00:00Z"},
		{"2026-11-21T00:00:00Z", "Sunday, 22-Nov-76 00:00:00 GMT", ""},
		{"2026-11-21T00:00:00Z", "Saturday, 01-Jan-00 00:00:00 GMT", "2000-01-01T00:00:00Z"},
		{"2026-11-21T00:00:00Z", "Tuesday, 29-Feb-00 00:00:00 GMT", "2000-02-29T00:00:00Z"},
		{"2026-11-21T00:00:00Z", "Saturday, 01-Jan-77 00:00:00 GMT", "1977-01-01T00:00:00Z"},
		{"1999-06-01T00:00:00Z", "Sunday, 06-Nov-94 08:49:37 GMT", "1994-11-06T08:49:37Z"},
		{"1999-06-01T00:00:00Z", "Saturday, 01-Jan-00 00:00:00 GMT", "2000-01-01T00:00:00Z"},
		{"2080-01-01T00:00:00Z", "Wednesday, 01-Jan-10 00:00:00 GMT", "2110-01-01T00:00:00Z"},
	}
	for _, tt := range tests {
		now, err := time.Parse(time.RFC3339, tt.now)
		if err != nil {
			t.Fatal(err)
		}
		got, ok := ParseDate(tt.text, now)
		if text := shown(got, ok); text != tt.want {
			t.Errorf("at %s, %q is %q, want %q", tt.now, tt.text, text, tt.want)
		}
	}
}
