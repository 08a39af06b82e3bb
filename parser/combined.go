package parser

import (
	"bytes"
	"strings"
)

// readCombined reads the combined format of nginx and Apache:
//
//	203.0.113.7 - bob [17/May/2015:10:05:03 +0000] "GET /a?b HTTP/1.1" 200 5 "https://ddkk.com/" "Mozilla/5.0"
//
// Fields are apart by one blank or several. Whatever follows the user agent is
// read over, be it lists, quoted texts or brackets, unless it is another line.
// Inside quotes both ways of escaping are understood: nginx's \xXX and Apache's
// \" and \n. The name of the virtual host may stand before the client, as in
// Apache's vhost_combined.
func (ln *lines) readCombined(line []byte, h *Hit) Reason {
	if hasControl(line) || bytes.IndexByte(line, 0x7F) >= 0 {
		return BadBytes
	}
	s := combined{p: ln, rest: line}
	if reason := s.who(h); reason != ReasonNone {
		return reason
	}
	return s.request(h)
}

// combined walks over the fields of one line.
type combined struct {
	p    *lines
	rest []byte
}

// who reads client, user and time. A user may hold blanks and brackets, but no
// quote, and no bracket that a digit follows.
func (s *combined) who(h *Hit) Reason {
	first, reason := s.client()
	if reason != ReasonNone {
		return reason
	}
	addr, ok := s.p.client(first)
	if !ok {
		return BadAddr
	}
	people, reason := s.time(h)
	if reason == BadEnd && !addr.IsValid() {
		return BadSyntax // neither a client nor a time
	}
	if reason != ReasonNone {
		return reason
	}
	ident, user := cutWord(people) // identd's user is always "-"
	if host := dashless(first); !addr.IsValid() {
		// Nobody is called as an address is: the host stands before the client.
		if after, ok := s.p.client(ident); ok && after.IsValid() {
			s.p.extra.host, addr = host, after
			_, user = cutWord(user)
		}
	}
	h.Addr, h.RemoteUser = addr, dashless(user)
	return ReasonNone
}

// client takes the first field: a word, or words with commas between them, or a
// quoted text.
func (s *combined) client() ([]byte, Reason) {
	if len(s.rest) > 0 && s.rest[0] == '"' {
		return s.quoted("")
	}
	from, to := s.rest, 0
	for {
		word, rest := cutWord(from[to:])
		if len(rest) == 0 {
			return nil, BadSyntax
		}
		end := len(from) - len(rest)
		list := bytes.TrimRight(from[:end], " \t")
		to = end
		if len(word) == 0 || list[len(list)-1] != ',' && rest[0] != ',' {
			s.rest = rest
			return list, ReasonNone
		}
	}
}

// time finds the time in its brackets and returns what stands before it.
func (s *combined) time(h *Hit) (before []byte, _ Reason) {
	within := s.rest
	if i := bytes.IndexByte(within, '"'); i >= 0 {
		within = within[:i]
	}
	reason := BadEnd
	for from := 0; ; {
		open := bytes.IndexByte(within[from:], '[')
		if open < 0 {
			return nil, reason
		}
		open += from
		from = open + 1
		stamp, rest, closed := bytes.Cut(s.rest[from:], []byte("]"))
		if !closed || open > 0 && !isBlank(s.rest[open-1]) {
			continue
		}
		reason = BadTime
		var ok bool
		if h.Time, ok = s.p.stampTime(stamp); ok {
			before, s.rest = bytes.Trim(s.rest[:open], " \t"), bytes.TrimLeft(rest, " \t")
			return before, ReasonNone
		}
		if len(stamp) > 0 && stamp[0] >= '0' && stamp[0] <= '9' {
			return nil, BadTime // a part of a time, with another line glued on
		}
	}
}

func (s *combined) request(h *Hit) Reason {
	request, reason := s.quoted("")
	if reason != ReasonNone {
		return reason
	}
	h.Method, h.URI = splitRequest(request)
	if host := targetHost(h.URI); len(host) > 0 {
		s.p.extra.host, s.p.extra.asked = host, true
	}
	var status, size []byte
	if status, s.rest = cutWord(s.rest); len(s.rest) == 0 {
		return BadEnd
	}
	if size, s.rest = cutWord(s.rest); len(s.rest) == 0 {
		return BadEnd
	}
	var ok bool
	if h.Status, ok = parseStatus(status); !ok && !isNoStatus(status) {
		return BadFields
	}
	if h.BytesSent, ok = parseSize(size); !ok {
		return BadFields
	}
	if h.Referer, reason = s.quoted(""); reason != ReasonNone {
		return reason
	}
	if h.UserAgent, reason = s.quoted("|,;"); reason != ReasonNone {
		return reason
	}
	h.Referer, h.UserAgent = dashless(h.Referer), dashless(h.UserAgent)
	if s.p.holdsLine(s.rest) {
		return BadFields
	}
	return ReasonNone
}

// isNoStatus says whether a status says that nothing was answered.
func isNoStatus(b []byte) bool { return string(b) == "-" || string(b) == "0" || string(b) == "-1" }

// holdsLine says whether another line is glued on behind the fields of a line:
// there is a time in brackets before a quote, as nothing but a line has it.
func (ln *lines) holdsLine(rest []byte) bool {
	for {
		open := bytes.IndexByte(rest, '[')
		if open < 0 {
			return false
		}
		rest = rest[open+1:]
		stamp, behind, closed := bytes.Cut(rest, []byte("]"))
		if !closed {
			return false
		}
		noted := ln.extra.zoneless
		_, ok := ln.parseTime(stamp)
		ln.extra.zoneless = noted
		if behind = bytes.TrimLeft(behind, " \t"); ok && len(behind) > 0 && behind[0] == '"' {
			return true
		}
	}
}

func isBlank(c byte) bool { return c == ' ' || c == '\t' }

// cutWord takes what stands before the next blank, and the blanks.
func cutWord(b []byte) (word, rest []byte) {
	i := bytes.IndexAny(b, " \t")
	if i < 0 {
		return b, nil
	}
	return b[:i], bytes.TrimLeft(b[i:], " \t")
}

// quoted takes a quoted field and the blanks behind it. Another byte may follow
// at once if it is one of those in apart.
func (s *combined) quoted(apart string) ([]byte, Reason) {
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
			if len(s.rest) > 0 && !isBlank(s.rest[0]) && strings.IndexByte(apart, s.rest[0]) < 0 {
				return nil, BadFields // another line is glued on
			}
			s.rest = bytes.TrimLeft(s.rest, " \t")
			if !escaped {
				return body[:i], ReasonNone
			}
			return s.p.unescapeQuoted(body[:i])
		}
	}
	return nil, BadEnd
}

// unescapeQuoted undoes nginx's and Apache's escaping inside of quotes.
func (ln *lines) unescapeQuoted(text []byte) ([]byte, Reason) {
	from := len(ln.buf)
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
		ln.buf = append(ln.buf, c)
	}
	return ln.buf[from:len(ln.buf):len(ln.buf)], ReasonNone
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
