package template

// The bytes that values keep, as a bit set of the lower and the upper half of
// ASCII: letters, digits and _ - . ~ @, so that ordinary ids, slugs, UUIDs and
// e-mail names read in a key as they are.
const (
	plainLow  uint64 = 1<<'-' | 1<<'.' | (1<<10-1)<<'0'
	plainHigh uint64 = 1<<('@'-64) | 1<<('_'-64) | 1<<('~'-64) | (1<<26-1)<<('A'-64) | (1<<26-1)<<('a'-64)
)

// plain reports whether c stands for itself. Shifts by 64 or more give 0, which
// is what sorts the two halves and everything beyond ASCII out without a
// branch.
func plain(c byte) bool {
	return uint64(1)<<c&plainLow|uint64(1)<<(c-64)&plainHigh != 0
}

// Escape returns value as it stands in keys, tags and patterns: letters, digits
// and _ - . ~ @ as they are, every other byte as % and two upper-case
// hexadecimal digits. The result holds no glob syntax, separator, cluster hash
// tag, white space or control byte; it is not empty unless value is; and no two
// values have the same result, because % itself is encoded. Escape is not
// idempotent for that reason. It allocates only when it changes something.
func Escape(value string) string {
	for n := range len(value) {
		if !plain(value[n]) {
			// Twice the length is enough for most and one growth for the rest.
			return string(appendEscaped(make([]byte, 0, 2*len(value)+1), value))
		}
	}
	return value
}

// appendEscaped appends what Escape returns. Runs of plain bytes are copied
// whole: most values are a single one.
func appendEscaped(dst []byte, value string) []byte {
	const digits = "0123456789ABCDEF"
	run := 0
	for n := range len(value) {
		c := value[n]
		if plain(c) {
			continue
		}
		dst = append(dst, value[run:n]...)
		dst = append(dst, '%', digits[c>>4], digits[c&15])
		run = n + 1
	}
	return append(dst, value[run:]...)
}
