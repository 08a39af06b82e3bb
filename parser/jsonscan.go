package parser

import (
	"bytes"
	"strconv"
	"unicode/utf8"

	"ddkk-stats/parser/format"
)

// scanObject takes the fields that are known out of one JSON object. A cut-off
// object is BadEnd; more than one object is BadFields.
func (ln *lines) scanObject(line []byte, fields *format.Fields) Reason {
	s := &ln.scanner
	s.b, s.i, s.p, s.fields = line, 0, ln, fields
	if s.b[0] != '{' {
		return BadSyntax
	}
	if reason := s.object(ln.jsonFields); reason != ReasonNone {
		return reason
	}
	if s.i < len(s.b) {
		return BadFields
	}
	return ReasonNone
}

// object takes what is known of an object that begins here.
func (s *jsonScanner) object(known *jsonNode) Reason {
	s.i++
	for {
		s.space()
		if s.at('}') { // of an empty object, or behind a comma as templates leave it
			return ReasonNone
		}
		key, reason := s.text()
		if reason != ReasonNone {
			return reason
		}
		if s.space(); !s.at(':') {
			return s.wrong()
		}
		if reason := s.member(known.kid(key)); reason != ReasonNone {
			return reason
		}
		if s.space(); s.at(',') {
			continue
		}
		if !s.at('}') {
			return s.wrong()
		}
		return ReasonNone
	}
}

// array takes what is known of an array that begins here.
func (s *jsonScanner) array(known *jsonNode) Reason {
	var index [20]byte
	s.i++
	for n := 0; ; n++ {
		if s.space(); s.at(']') {
			return ReasonNone
		}
		if reason := s.member(known.kid(strconv.AppendInt(index[:0], int64(n), 10))); reason != ReasonNone {
			return reason
		}
		if s.space(); s.at(',') {
			continue
		}
		if !s.at(']') {
			return s.wrong()
		}
		return ReasonNone
	}
}

// member takes a value, of which known says what it is; nil: nothing is known of it.
func (s *jsonScanner) member(known *jsonNode) Reason {
	s.space()
	if known != nil && known.kids != nil && s.i < len(s.b) {
		switch s.b[s.i] {
		case '{':
			return s.object(known)
		case '[':
			return s.array(known)
		}
	}
	if (known == nil || known.field == format.None) && s.i < len(s.b) && s.b[s.i] == '"' {
		if !s.skipText() {
			return BadEnd
		}
		return ReasonNone
	}
	value, reason := s.value()
	if reason != ReasonNone || known == nil {
		return reason
	}
	if len(dashless(value)) > 0 && (s.fields[known.field] == nil || known.rank < s.ranks[known.field]) {
		s.fields[known.field], s.ranks[known.field] = value, known.rank
	}
	return ReasonNone
}

// jsonScanner walks over one line.
type jsonScanner struct {
	b      []byte
	i      int
	p      *lines // whose buffer holds texts without their escapes
	fields *format.Fields
	ranks  [format.NumFields]int // of those that are set
}

func (s *jsonScanner) space() {
	for s.i < len(s.b) && (s.b[s.i] == ' ' || s.b[s.i] == '\t') {
		s.i++
	}
}

// at takes c if it comes next.
func (s *jsonScanner) at(c byte) bool {
	if s.i < len(s.b) && s.b[s.i] == c {
		s.i++
		return true
	}
	return false
}

// wrong is the reason for an unexpected byte, or for none where one is due.
func (s *jsonScanner) wrong() Reason {
	if s.i >= len(s.b) {
		return BadEnd
	}
	return BadSyntax
}

// value takes a value; nil for null, objects and arrays, which no field is.
func (s *jsonScanner) value() ([]byte, Reason) {
	s.space()
	if s.i >= len(s.b) {
		return nil, BadEnd
	}
	switch s.b[s.i] {
	case '"':
		return s.text()
	case '{', '[':
		return nil, s.nested()
	}
	from := s.i
	for s.i < len(s.b) && isJSONWord(s.b[s.i]) {
		s.i++
	}
	word := s.b[from:s.i]
	switch {
	case s.i >= len(s.b):
		return nil, BadEnd
	case len(word) == 0 && s.b[s.i] != ',' && s.b[s.i] != '}':
		return nil, BadSyntax
	case len(word) == 0 || !isNumeric(word):
		return nil, ReasonNone // null, true, and what Python and Lua make of no number: NaN, Infinity, -inf
	}
	return word, ReasonNone
}

func isJSONWord(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '.' || c == '-' || c == '+'
}

// isNumeric says whether a bare word begins as a number does.
func isNumeric(word []byte) bool {
	c := word[0]
	if len(word) > 1 && (c == '-' || c == '.') {
		c = word[1]
	}
	return c >= '0' && c <= '9' || c == '.'
}

// nested reads over an object or array of any depth without recursion.
func (s *jsonScanner) nested() Reason {
	for depth := 0; s.i < len(s.b); {
		switch s.b[s.i] {
		case '"':
			if !s.skipText() {
				return BadEnd
			}
			continue
		case '{', '[':
			depth++
		case '}', ']':
			depth--
		}
		s.i++
		if depth == 0 {
			return ReasonNone
		}
	}
	return BadEnd
}

// skipText moves behind the string that begins at the quote under i.
func (s *jsonScanner) skipText() bool {
	for from := s.i + 1; from < len(s.b); from++ {
		i := bytes.IndexByte(s.b[from:], '"')
		if i < 0 {
			break
		}
		if from += i; !format.IsEscaped(s.b[s.i+1:from], len(s.b[s.i+1:from])) {
			s.i = from + 1
			return true
		}
	}
	s.i = len(s.b)
	return false
}

// text takes a string and undoes its escapes, if any, in the parser's buffer.
func (s *jsonScanner) text() ([]byte, Reason) {
	if s.i >= len(s.b) || s.b[s.i] != '"' {
		return nil, s.wrong()
	}
	from := s.i + 1
	if !s.skipText() {
		return nil, BadEnd
	}
	raw := s.b[from : s.i-1]
	if bytes.IndexByte(raw, '\\') < 0 {
		return raw, ReasonNone
	}
	return s.p.unescapeJSON(raw)
}

// unescapeJSON undoes the escapes of a JSON string.
func (ln *lines) unescapeJSON(raw []byte) ([]byte, Reason) {
	start := len(ln.buf)
	for i := 0; i < len(raw); {
		if raw[i] != '\\' {
			ln.buf = append(ln.buf, raw[i])
			i++
			continue
		}
		var used int
		if ln.buf, used = appendJSONEscape(ln.buf, raw[i:]); used == 0 {
			return nil, BadEscape
		}
		i += used
	}
	return ln.buf[start:len(ln.buf):len(ln.buf)], ReasonNone
}

// appendJSONEscape undoes the escape at the begin of b and tells its length, 0
// for a wrong one.
func appendJSONEscape(dst, b []byte) ([]byte, int) {
	if len(b) < 2 {
		return dst, 0
	}
	switch b[1] {
	case 'x':
		c, ok := unhex2(b[2:])
		if !ok {
			return dst, 0
		}
		return append(dst, c), 4
	case 'u':
		return appendUnicodeEscape(dst, b)
	case 'v':
		return dst, 0
	}
	c, ok := unescapeC(b[1])
	if !ok {
		return dst, 0
	}
	return append(dst, c), 2
}

// appendUnicodeEscape undoes \uXXXX and pairs of surrogates. A lone surrogate
// becomes the three bytes that its number would have in UTF-8: they are no
// valid text, but two different ones stay different.
func appendUnicodeEscape(dst, b []byte) ([]byte, int) {
	r, ok := unhex4(b)
	if !ok {
		return dst, 0
	}
	if r < 0xD800 || r > 0xDFFF {
		return utf8.AppendRune(dst, r), 6
	}
	if low, ok := unhex4(b[6:]); ok && r < 0xDC00 && low >= 0xDC00 && low <= 0xDFFF {
		return utf8.AppendRune(dst, 0x10000+(r-0xD800)<<10+(low-0xDC00)), 12
	}
	return append(dst, 0xE0|byte(r>>12), 0x80|byte(r>>6)&0x3F, 0x80|byte(r)&0x3F), 6
}

// unhex4 is the number in "\uXXXX".
func unhex4(b []byte) (rune, bool) {
	if len(b) < 6 || b[0] != '\\' || b[1] != 'u' {
		return 0, false
	}
	hi, ok1 := unhex2(b[2:])
	lo, ok2 := unhex2(b[4:])
	return rune(hi)<<8 | rune(lo), ok1 && ok2
}
