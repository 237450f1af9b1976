// Package env reads settings from environment variables.
package env

import (
	"fmt"
	"strings"
)

// Flag returns what text, the value of the variable name, says: absent if it is
// empty.
func Flag(name, text string, absent bool) (bool, error) {
	switch strings.ToLower(text) {
	case "":
		return absent, nil
	case "true", "yes", "on", "1":
		return true, nil
	case "false", "no", "off", "0":
		return false, nil
	default:
		return absent, fmt.Errorf("freshet: %s is %q: use true or false", name, text)
	}
}
