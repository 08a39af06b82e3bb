package beacon

const upperHex = "0123456789ABCDEF"

// escaped tells the bytes that nginx's default log escaping replaces: control
// characters, quote, backslash, DEL and everything that is not ASCII.
var escaped = func() (t [256]bool) {
	for c := range t {
		t[c] = c < 0x20 || c >= 0x7F || c == '"' || c == '\\'
	}
	return t
}()

// appendEscaped appends src as nginx writes it into a log: \xXX for a byte
// that could end a field or a line, or that is not ASCII.
func appendEscaped[S ~string | ~[]byte](dst []byte, src S) []byte {
	plain := 0
	for i := range len(src) {
		c := src[i]
		if !escaped[c] {
			continue
		}
		dst = append(dst, src[plain:i]...)
		dst = append(dst, '\\', 'x', upperHex[c>>4], upperHex[c&15])
		plain = i + 1
	}
	return append(dst, src[plain:]...)
}

// appendField appends a field and the TAB after it. A missing value is "-".
func appendField[S ~string | ~[]byte](dst []byte, value S) []byte {
	if len(value) == 0 {
		return append(dst, "-\t"...)
	}
	return append(appendEscaped(dst, value), '\t')
}
