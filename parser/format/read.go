package format

import "bytes"

// Damage is what is wrong with a line.
type Damage uint8

const (
	Sound   Damage = iota
	Other          // it is a line of another format
	Torn           // it ends before the format does
	Glued          // something stands behind its end, or within a field
	Comment        // a line of the log's own head, such as "#Version: 1.0"
	Changed        // a "#Fields:" line that names other fields
)

// step reads one field and the text behind it.
type step struct {
	field  Field
	until  []byte // the text behind the field; empty: the line's end
	quoted bool   // it stands in quotes: until begins with one that is not escaped
	list   bool   // a blank behind "," and around ":" does not end it
	blanks int    // at least so many are in it
	word   bool   // it is the last word of what stands there
	port   bool   // it has a port behind it, as in "::1:33317"
	last   bool   // until ends the line
	slash  bool   // it ends where a path begins
	status bool   // a status follows: a blank before anything else is in the field
}

// Read finds the fields of a line. Those that it does not find, or that are "-", stay
// as they are.
func (l *Layout) Read(line []byte, f *Fields) Damage {
	if l.w3c != nil {
		return l.readW3C(line, f)
	}
	if len(line) < len(l.head) || string(line[:len(l.head)]) != string(l.head) {
		return Other
	}
	rest := line[len(l.head):]
	for i := range l.steps {
		s := &l.steps[i]
		var value []byte
		var d Damage
		if value, rest, d = l.take(s, rest); d != Sound {
			if i == 0 {
				return Other
			}
			return d
		}
		if s.word {
			value = value[bytes.LastIndexByte(value, ' ')+1:]
		}
		if at := bytes.LastIndexByte(value, ':'); s.port && at > 0 {
			value = value[:at]
		}
		if s.field != None && len(value) > 0 && (len(value) > 1 || value[0] != '-') {
			f[s.field] = value
		}
	}
	if !l.open && len(bytes.TrimLeft(rest, " \t")) > 0 {
		return Glued
	}
	return Sound
}

// take splits rest behind one field.
func (l *Layout) take(s *step, rest []byte) (value, after []byte, d Damage) {
	switch {
	case s.slash:
		i := bytes.IndexByte(rest, '/')
		if i < 0 {
			return nil, nil, Torn
		}
		return rest[:i], rest[i:], Sound
	case len(s.until) == 0:
		if !s.list && s.blanks == 0 && bytes.IndexByte(rest, ' ') >= 0 {
			return nil, nil, Glued
		}
		return rest, nil, Sound
	}
	if s.last && l.Escape == EscapeNone {
		// What does not escape its quotes still ends with one.
		rest = bytes.TrimRight(rest, " \t")
		if !bytes.HasSuffix(rest, s.until) {
			return nil, nil, Torn
		}
		return rest[:len(rest)-len(s.until)], nil, Sound
	}
	at := 0
	for blanks := s.blanks; blanks > 0; blanks-- {
		i := bytes.IndexByte(rest[at:], ' ')
		if i < 0 {
			return nil, nil, Torn
		}
		at += i + 1
	}
	for {
		i := bytes.IndexByte(rest[at:], s.until[0])
		if i < 0 {
			return nil, nil, Torn
		}
		at += i
		end := at + len(s.until)
		is := end <= len(rest) && string(rest[at:end]) == string(s.until)
		switch {
		case s.quoted && l.Escape != EscapeNone && IsEscaped(rest, at):
		case s.list && is && continues(rest, at):
		case s.status && is && !beginsStatus(rest[end:]):
		case is:
			return rest[:at], rest[end:], Sound
		case s.quoted && l.Escape != EscapeNone:
			if end > len(rest) {
				return nil, nil, Torn
			}
			return nil, nil, Glued // a quote within is always escaped
		}
		at++
	}
}

// beginsStatus says whether a field that begins here is a status.
func beginsStatus(b []byte) bool {
	n := 0
	for n < len(b) && b[n] >= '0' && b[n] <= '9' {
		n++
	}
	return n == 3 && (n == len(b) || b[n] == ' ' || b[n] == '\t') || len(b) > 0 && b[0] == '-'
}

// IsEscaped says whether a byte at i is behind a backslash that counts.
func IsEscaped(b []byte, i int) bool {
	n := 0
	for i > n && b[i-1-n] == '\\' {
		n++
	}
	return n%2 == 1
}

// continues says whether the blank at i is one within a list, "a, b : c".
func continues(b []byte, i int) bool {
	if b[i] != ' ' {
		return false
	}
	if i > 0 && (b[i-1] == ',' || b[i-1] == ':' && i > 1 && b[i-2] == ' ') {
		return true
	}
	return i+2 < len(b) && b[i+1] == ':' && b[i+2] == ' '
}
