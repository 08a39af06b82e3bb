package parser

import (
	"bytes"
	"math/bits"

	"ddkk-stats/parser/format"
)

// damages are the reasons for what format finds wrong with a line.
var damages = [...]Reason{format.Sound: ReasonNone, format.Other: BadSyntax, format.Torn: BadEnd, format.Glued: BadFields,
	format.Comment: SkipComment, format.Changed: BadVersion}

// readLayout reads a line of a compiled format.
func (ln *lines) readLayout(line []byte, h *Hit) Reason {
	escape := ln.layout.Escape
	if (escape == format.EscapeDefault || escape == format.EscapeJSON) && hasControl(line) {
		return BadBytes
	}
	ln.fields = format.Fields{}
	if reason := damages[ln.layout.Read(line, &ln.fields)]; reason != ReasonNone {
		return reason
	}
	if reason := ln.unescapeFields(line, &ln.fields); reason != ReasonNone {
		return reason
	}
	return ln.fill(&ln.fields, h)
}

// unescapeFields undoes the writer's escapes in all fields that have some.
func (ln *lines) unescapeFields(line []byte, fields *format.Fields) Reason {
	if ln.layout.Escape == format.EscapeW3C {
		for _, f := range [...]format.Field{format.Agent, format.Referer, format.User} {
			fields[f] = ln.unescapeW3C(fields[f])
		}
		return ReasonNone
	}
	if ln.layout.Escape == format.EscapeNone || bytes.IndexByte(line, '\\') < 0 {
		return ReasonNone
	}
	for i, f := range fields {
		if bytes.IndexByte(f, '\\') < 0 {
			continue
		}
		var reason Reason
		if ln.layout.Escape == format.EscapeJSON {
			fields[i], reason = ln.unescapeJSON(f)
		} else {
			fields[i], reason = ln.unescapeQuoted(f)
		}
		if reason != ReasonNone {
			return reason
		}
	}
	return ReasonNone
}

// unescapeW3C undoes what W3C logs make of blanks, as no field may hold one: "+" in
// IIS's, %20 in CloudFront's, which also writes "%" as %25.
func (ln *lines) unescapeW3C(text []byte) []byte {
	from := len(ln.buf)
	switch {
	case bytes.IndexByte(text, ' ') >= 0:
		return text
	case bytes.IndexByte(text, '%') >= 0:
		ln.buf = appendPercent(ln.buf, text)
		if bytes.Contains(ln.buf[from:], []byte("%20")) {
			again := len(ln.buf)
			ln.buf = appendPercent(ln.buf, ln.buf[from:again])
			from = again
		}
	case bytes.IndexByte(text, '+') >= 0:
		ln.buf = append(ln.buf, text...)
		for i := range ln.buf[from:] {
			if ln.buf[from+i] == '+' {
				ln.buf[from+i] = ' '
			}
		}
	default:
		return text
	}
	return ln.buf[from:len(ln.buf):len(ln.buf)]
}

// fill makes a hit of a line's fields. Only the time and the request must be there, and
// of a line that has no braces to tell that it is whole also a client and a status as
// they can be: another field that is missing or odd is not known.
func (ln *lines) fill(f *format.Fields, h *Hit) Reason {
	text := ln.layout != nil && ln.layout.JSON == nil
	var ok bool
	if h.Time, ok = ln.timeOf(f); !ok {
		return BadTime
	}
	if h.Addr, ok = ln.client(f[format.Addr]); !ok && text {
		return BadAddr
	}
	if named := f[format.Forwarded]; len(named) > 0 && (!h.Addr.IsValid() || ln.proxies.has(h.Addr)) {
		if addr, ok := ln.client(named); ok && addr.IsValid() {
			h.Addr = addr
		}
	}
	if h.Status, ok = parseStatus(f[format.Status]); !ok || h.Status < 100 {
		h.Status = looseStatus(f[format.Status])
	}
	if text && h.Status == 0 && len(f[format.Status]) > 0 && !isNoStatus(f[format.Status]) {
		return BadFields
	}
	h.RequestTime = ln.tookOf(f)
	if len(f[format.Sent]) > 0 {
		h.BytesSent = looseSize(f[format.Sent])
	}
	h.Method, h.URI = splitRequest(f[format.Request])
	if len(f[format.Method]) > 0 {
		h.Method = f[format.Method]
	}
	if len(f[format.URI]) > 0 {
		h.URI = ln.withArgs(f[format.URI], f[format.Args])
	}
	h.Referer, h.UserAgent = f[format.Referer], f[format.Agent]
	h.RemoteUser, h.RequestID = f[format.User], f[format.ID]
	ln.extra.host, ln.extra.purpose, ln.extra.gpc = f[format.Host], f[format.Purpose], f[format.GPC]
	ln.extra.accept, ln.extra.tongue = f[format.Language], f[format.Language] != nil
	if host := targetHost(h.URI); len(host) > 0 {
		ln.extra.host, ln.extra.asked = host, ln.layout == nil || !ln.layout.Whole
	}
	return ReasonNone
}

// timeOf is the time of a line, which may tell date and clock apart.
func (ln *lines) timeOf(f *format.Fields) (int64, bool) {
	text := f[format.Time]
	if len(text) == 0 && len(f[format.Date]) > 0 {
		from := len(ln.buf)
		ln.buf = append(append(append(ln.buf, f[format.Date]...), ' '), f[format.Clock]...)
		text = ln.buf[from:]
	}
	ms, ok := ln.stampTime(text)
	if ln.layout != nil && ln.layout.UTC && ok && ln.extra.zoneless {
		ln.extra.zoneless = false
		c := calendar{rest: text}
		c.read()
		return inTime(c.utc())
	}
	return ms, ok
}

// stampTime is parseTime that remembers the last one: many lines are of one second.
func (ln *lines) stampTime(text []byte) (int64, bool) {
	if len(text) > 0 && string(text) == string(ln.stamp) {
		return ln.stampMS, true
	}
	noted := ln.extra.zoneless
	ms, ok := ln.parseTime(text)
	if ok && ln.extra.zoneless == noted && !noted {
		ln.stamp, ln.stampMS = append(ln.stamp[:0], text...), ms
	}
	return ms, ok
}

// tookOf is how long the request took, -1 where that is not known. IIS tells whole
// milliseconds where other W3C logs have seconds with a fraction.
func (ln *lines) tookOf(f *format.Fields) float64 {
	for _, u := range [...]struct {
		field   format.Field
		seconds float64
	}{{format.TookMS, 1e-3}, {format.TookUS, 1e-6}, {format.TookNS, 1e-9}} {
		if len(f[u.field]) > 0 {
			if n := looseSeconds(f[u.field]); n >= 0 {
				return n * u.seconds
			}
		}
	}
	took := f[format.Took]
	if len(took) == 0 {
		return -1
	}
	n := looseSeconds(took)
	if ln.layout != nil && ln.layout.Escape == format.EscapeW3C && bytes.IndexByte(took, '.') < 0 && n > 0 {
		n /= 1000
	}
	return n
}

// withArgs puts $uri and $args together where they are logged apart.
func (ln *lines) withArgs(uri, args []byte) []byte {
	if args = bytes.TrimPrefix(args, []byte("?")); len(args) == 0 || bytes.IndexByte(uri, '?') >= 0 {
		return uri
	}
	from := len(ln.buf)
	ln.buf = append(ln.buf, uri...)
	ln.buf = append(ln.buf, '?')
	ln.buf = append(ln.buf, args...)
	return ln.buf[from:len(ln.buf):len(ln.buf)]
}

// hasControl says whether a line has bytes that a server which escapes cannot have
// written. A TAB is none.
func hasControl(line []byte) bool {
	var masks [scanWords]uint64
	for at := 0; at < len(line); {
		piece := line[at:]
		if len(piece) > scanSize {
			piece = piece[:scanSize]
		}
		if len(piece) < chunkSize {
			return controlIn(piece)
		}
		scan(piece, &masks)
		for i := 0; i < len(piece); i += chunkSize {
			for mask := masks[i/chunkSize]; mask != 0; mask &= mask - 1 {
				if c := piece[i+bits.TrailingZeros64(mask)]; c < ' ' && c != '\t' {
					return true
				}
			}
		}
		at += len(piece)
	}
	return false
}

func controlIn(b []byte) bool {
	for _, c := range b {
		if c < ' ' && c != '\t' {
			return true
		}
	}
	return false
}
