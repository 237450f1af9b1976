package rfc9111

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// TestVaryNames is RFC 9110, section 12.5.5.
func TestVaryNames(t *testing.T) {
	many := make([]string, maxVary+1)
	for i := range many {
		many[i] = fmt.Sprintf("X-%03d", i)
	}
	tests := []struct {
		name  string
		lines []string
		want  []string
		star  bool
	}{
		{"none", nil, nil, false},
		{"empty", []string{" , "}, nil, false},
		{"sorted, any case, once", []string{"origin,ACCEPT", "accept"}, []string{"Accept", "Origin"}, false},
		{"star", []string{"*"}, nil, true},
		{"star among others", []string{"Accept", "Origin, *"}, nil, true},
		{"no name", []string{"Accept Origin"}, nil, true},
		{"quoted", []string{`"Accept"`}, nil, true},
		{"as many as there may be", []string{strings.Join(many[1:], ",")}, many[1:], false},
		{"repeated", []string{strings.Repeat("accept,", 1000)}, []string{"Accept"}, false},
		{"too many", []string{strings.Join(many, ",")}, nil, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if names, star := VaryNames(tt.lines); !slices.Equal(names, tt.want) || star != tt.star {
				t.Errorf("%q, %v", names, star)
			}
		})
	}
}

// TestVaryValue is section 4.1: which values of a field match. Each row is a set of headers
// that match one another and none of any other row of the same field.
func TestVaryValue(t *testing.T) {
	const accept, encoding, language, other = "Accept", "Accept-Encoding", "Accept-Language", "X-Other"
	rows := []struct {
		field   string
		headers [][]string // the lines of the field
	}{
		{encoding, [][]string{nil}},
		{encoding, [][]string{{""}, {" "}, {","}, {" ,\t"}}},
		{encoding, [][]string{{"gzip"}, {"GZIP"}, {" gzip "}, {"gzip,"}, {",gzip"}}},
		{encoding, [][]string{{"gzip, br"}, {"gzip,br"}, {"gzip", "br"}, {"gzip \t,\t BR,"}}},
		{encoding, [][]string{{"br, gzip"}}}, // handlers take the first
		{encoding, [][]string{{"gzip;q=0.5"}, {"gzip ; Q=0.5"}}},
		{encoding, [][]string{{"gz ip"}}}, // blanks that the syntax does not have
		{encoding, [][]string{{"gzip\xc4\xb0"}}},
		{encoding, [][]string{{"gzip\xff"}}},
		{encoding, [][]string{{"gzip\xfe"}}},

		{language, [][]string{{"de-CH, en;q=0.5"}, {"de-ch,EN; q=0.5"}, {"de-CH", "en;q=0.5"}}},
		{language, [][]string{{"en;q=0.5, de-CH"}}},
		{language, [][]string{{"\u212a"}}}, // the sign for Kelvin, a k to package strings
		{language, [][]string{{"k"}, {"K"}}},

		{accept, [][]string{{"text/html, */*"}, {"TEXT/html,*/*"}, {"text/html", "*/*"}}},
		{accept, [][]string{{"text/html;q=0.5"}}},
		{accept, [][]string{{"text/html;v=A"}}}, // values may depend on their case
		{accept, [][]string{{"text/html;v=a"}}},
		{accept, [][]string{{`text/html;v="a, B"`}}},

		{other, [][]string{nil}},
		{other, [][]string{{""}, {" "}}},
		{other, [][]string{{"a, b"}, {" a, b "}, {"a", "b"}}},
		{other, [][]string{{"a,b"}}}, // nobody knows what is white space in it
		{other, [][]string{{"A, B"}}},
	}
	seen := make(map[string]int)
	for i, row := range rows {
		for _, lines := range row.headers {
			r := request()
			if lines != nil {
				r.Header[row.field] = lines
			}
			value, present := VaryValue(r, row.field)
			key := fmt.Sprintf("%s %q %v", row.field, value, present)
			if before, again := seen[key]; again && before != i {
				t.Errorf("%s: %q matches a header of row %d", row.field, lines, before)
			} else if !again && len(seen) > 0 && lines != nil && !slices.Equal(lines, row.headers[0]) {
				t.Errorf("%s: %q does not match %q", row.field, lines, row.headers[0])
			}
			seen[key] = i
		}
	}
}

// TestVaryValueOfHost is that Host is found where net/http keeps it.
func TestVaryValueOfHost(t *testing.T) {
	r := request("Host: other")
	r.Host = "EXAMPLE.com:80"
	if value, present := VaryValue(r, "Host"); value != "example.com:80" || !present {
		t.Errorf("%q, %v", value, present)
	}
}
