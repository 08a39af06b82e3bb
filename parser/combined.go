package parser

import (
	"bytes"
	"time"
)

// readCombined reads the combined format of nginx and Apache:
//
//	203.0.113.7 - bob [17/May/2015:10:05:03 +0000] "GET /a?b HTTP/1.1" 200 5 "https://ddkk.com/" "Mozilla/5.0"
//
// Further fields behind (as in nginx's "main") are read over. Inside quotes
// both ways of escaping are understood: nginx's \xXX and Apache's \" and \n.
func (p *Parser) readCombined(line []byte, h *Hit) Reason {
	for _, c := range line {
		if c < ' ' && c != '\t' || c == 0x7F {
			return BadBytes
		}
	}
	s := combined{p: p, rest: line}
	reason := s.read(h)
	if reason == ReasonNone && !s.tail() {
		return BadFields
	}
	return reason
}

// combined walks over the fields of one line.
type combined struct {
	p    *Parser
	rest []byte
}

func (s *combined) read(h *Hit) Reason {
	addr, ok := s.word()
	if !ok {
		return BadSyntax
	}
	if h.Addr, ok = parseAddr(addr); !ok {
		return BadAddr
	}
	if _, ok = s.word(); !ok { // identd's user, always "-"
		return BadEnd
	}
	open := bytes.Index(s.rest, []byte(" [")) // a user may hold spaces
	if open < 0 {
		return BadEnd
	}
	h.RemoteUser = dashless(s.rest[:open])
	s.rest = s.rest[open+2:]
	stamp, rest, ok := bytes.Cut(s.rest, []byte("] "))
	if !ok {
		return BadEnd
	}
	s.rest = rest
	if h.Time, ok = parseCombinedTime(stamp); !ok || h.Time < minTime || h.Time >= maxTime {
		return BadTime
	}
	return s.request(h)
}

func (s *combined) request(h *Hit) Reason {
	request, reason := s.quoted()
	if reason != ReasonNone {
		return reason
	}
	h.Method, h.URI = splitRequest(request)
	status, ok := s.word()
	if !ok {
		return BadEnd
	}
	if h.Status, ok = parseStatus(status); !ok {
		return BadFields
	}
	size, ok := s.word()
	if !ok {
		return BadEnd
	}
	if h.BytesSent, ok = parseSize(size); !ok {
		return BadFields
	}
	if h.Referer, reason = s.quoted(); reason != ReasonNone {
		return reason
	}
	h.UserAgent, reason = s.quoted()
	h.Referer, h.UserAgent = dashless(h.Referer), dashless(h.UserAgent)
	return reason
}

// word takes what stands before the next space.
func (s *combined) word() ([]byte, bool) {
	word, rest, ok := bytes.Cut(s.rest, []byte(" "))
	s.rest = rest
	return word, ok && len(word) > 0
}

// quoted takes a quoted field and the space behind it.
func (s *combined) quoted() ([]byte, Reason) {
	if len(s.rest) == 0 {
		return nil, BadEnd
	}
	if s.rest[0] != '"' {
		return nil, BadFields
	}
	body, escaped := s.rest[1:], false
	for i := 0; i < len(body); i++ {
		switch body[i] {
		case '\\':
			escaped = true
			i++
		case '"':
			s.rest = body[i+1:]
			if len(s.rest) > 0 {
				if s.rest[0] != ' ' {
					return nil, BadFields // another line is glued on
				}
				s.rest = s.rest[1:]
			}
			if !escaped {
				return body[:i], ReasonNone
			}
			return s.p.unescapeQuoted(body[:i])
		}
	}
	return nil, BadEnd
}

// tail says that only well-formed fields follow.
func (s *combined) tail() bool {
	for len(s.rest) > 0 {
		if s.rest[0] == '"' {
			if _, reason := s.quoted(); reason != ReasonNone {
				return false
			}
			continue
		}
		word, rest, _ := bytes.Cut(s.rest, []byte(" "))
		if len(word) == 0 || bytes.IndexByte(word, '"') >= 0 && !bytes.Contains(word, []byte(`="`)) {
			return false
		}
		s.rest = rest
	}
	return true
}

// unescapeQuoted undoes nginx's and Apache's escaping inside of quotes.
func (p *Parser) unescapeQuoted(text []byte) ([]byte, Reason) {
	from := len(p.buf)
	for i := 0; i < len(text); i++ {
		c := text[i]
		if c == '\\' {
			i++
			var ok bool
			if i == len(text) {
				return nil, BadEscape
			}
			if text[i] == 'x' {
				c, ok = unhex2(text[i+1:])
				i += 2
			} else {
				c, ok = unescapeC(text[i])
			}
			if !ok {
				return nil, BadEscape
			}
		}
		p.buf = append(p.buf, c)
	}
	return p.buf[from:len(p.buf):len(p.buf)], ReasonNone
}

// unescapeC is the byte behind a backslash as C and Apache write it.
func unescapeC(c byte) (byte, bool) {
	switch c {
	case '"', '\\', '/':
		return c, true
	case 'b':
		return '\b', true
	case 'f':
		return '\f', true
	case 'n':
		return '\n', true
	case 'r':
		return '\r', true
	case 't':
		return '\t', true
	case 'v':
		return '\v', true
	}
	return 0, false
}

// dashless is nil for "-", which logs write for what is missing.
func dashless(b []byte) []byte {
	if len(b) == 1 && b[0] == '-' {
		return nil
	}
	return b
}

// splitRequest takes "GET /a b HTTP/1.1" apart. What is no request line (TLS
// on a plain port) has neither method nor URI.
func splitRequest(line []byte) (method, uri []byte) {
	method, uri, ok := bytes.Cut(line, []byte(" "))
	if !ok {
		return nil, nil
	}
	if i := bytes.LastIndex(uri, []byte(" HTTP/")); i >= 0 {
		uri = uri[:i]
	}
	return method, uri
}

var months = [...]string{"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"}

// parseCombinedTime reads "17/May/2015:10:05:03 +0000" as Unix milliseconds.
func parseCombinedTime(b []byte) (int64, bool) {
	if len(b) != len("17/May/2015:10:05:03 +0000") ||
		b[2] != '/' || b[6] != '/' || b[11] != ':' || b[14] != ':' || b[17] != ':' || b[20] != ' ' {
		return 0, false
	}
	month := 0
	for i, name := range months {
		if string(b[3:6]) == name {
			month = i + 1
		}
	}
	var n [7]int
	for i, at := range [...][2]int{{0, 2}, {7, 11}, {12, 14}, {15, 17}, {18, 20}, {22, 24}, {24, 26}} {
		v, ok := parseDigits(b[at[0]:at[1]])
		if !ok {
			return 0, false
		}
		n[i] = int(v)
	}
	day, year, hour, minute, sec, zoneHour, zoneMinute := n[0], n[1], n[2], n[3], n[4], n[5], n[6]
	if month == 0 || hour > 23 || minute > 59 || sec > 60 || zoneHour > 23 || zoneMinute > 59 {
		return 0, false
	}
	date := time.Date(year, time.Month(month), day, 0, 0, 0, 0, time.UTC)
	if date.Day() != day {
		return 0, false
	}
	offset := int64(zoneHour*3600 + zoneMinute*60)
	switch b[21] {
	case '-':
		offset = -offset
	case '+':
	default:
		return 0, false
	}
	return (date.Unix() + int64(hour*3600+minute*60+sec) - offset) * 1000, true
}
