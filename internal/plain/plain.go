// Package plain keeps what strangers chose (names of pages, referrers, agents)
// from doing anything to a terminal but being read.
package plain

import (
	"io"
	"strconv"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"
)

// Text is a name as it is printed within a line: as it is where every letter of it
// can be seen, else quoted.
func Text(s string) string {
	for i, r := range s {
		if r == utf8.RuneError {
			if _, size := utf8.DecodeRuneInString(s[i:]); size == 1 {
				return strconv.Quote(s)
			}
		}
		if !strconv.IsPrint(r) {
			return strconv.Quote(s)
		}
	}
	return s
}

// Writer passes text on with everything escaped that a terminal would obey: control
// characters but newline and TAB, marks that turn the direction of text, and bytes
// that are not UTF-8. A letter that is cut between two writes waits for its rest.
type Writer struct {
	To io.Writer

	mu   sync.Mutex
	rest []byte
}

// Write implements io.Writer.
func (w *Writer) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	text := append(w.rest, p...)
	w.rest = nil
	var b strings.Builder
	for len(text) > 0 {
		r, size := utf8.DecodeRune(text)
		switch {
		case r == utf8.RuneError && size == 1 && !utf8.FullRune(text):
			w.rest = append([]byte(nil), text...)
			size = len(text)
		case r == utf8.RuneError && size == 1:
			b.WriteString(`\x`)
			b.WriteByte("0123456789abcdef"[text[0]>>4])
			b.WriteByte("0123456789abcdef"[text[0]&15])
		case obeyed(r):
			b.WriteString(strings.Trim(strconv.QuoteRuneToASCII(r), "'"))
		default:
			b.Write(text[:size])
		}
		text = text[size:]
	}
	if _, err := io.WriteString(w.To, b.String()); err != nil {
		return 0, err
	}
	return len(p), nil
}

// obeyed tells what a terminal does not only show.
func obeyed(r rune) bool {
	switch {
	case r == '\n' || r == '\t':
		return false
	case unicode.IsControl(r):
		return true
	}
	return unicode.Is(unicode.Bidi_Control, r) || r == '\u2028' || r == '\u2029'
}
