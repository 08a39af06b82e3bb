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
func (p *Parser) readLayout(line []byte, h *Hit) Reason {
	escape := p.layout.Escape
	if (escape == format.EscapeDefault || escape == format.EscapeJSON) && hasControl(line) {
		return BadBytes
	}
	p.fields = format.Fields{}
	if reason := damages[p.layout.Read(line, &p.fields)]; reason != ReasonNone {
		return reason
	}
	if reason := p.unescapeFields(line, &p.fields); reason != ReasonNone {
		return reason
	}
	return p.fill(&p.fields, h)
}

// unescapeFields undoes the writer's escapes in all fields that have some.
func (p *Parser) unescapeFields(line []byte, fields *format.Fields) Reason {
	if p.layout.Escape == format.EscapeW3C {
		for _, f := range [...]format.Field{format.Agent, format.Referer, format.User} {
			fields[f] = p.unescapeW3C(fields[f])
		}
		return ReasonNone
	}
	if p.layout.Escape == format.EscapeNone || bytes.IndexByte(line, '\\') < 0 {
		return ReasonNone
	}
	for i, f := range fields {
		if bytes.IndexByte(f, '\\') < 0 {
			continue
		}
		var reason Reason
		if p.layout.Escape == format.EscapeJSON {
			fields[i], reason = p.unescapeJSON(f)
		} else {
			fields[i], reason = p.unescapeQuoted(f)
		}
		if reason != ReasonNone {
			return reason
		}
	}
	return ReasonNone
}

// unescapeW3C undoes what W3C logs make of blanks, as no field may hold one: "+" in
// IIS's, %20 in CloudFront's, which also writes "%" as %25.
func (p *Parser) unescapeW3C(text []byte) []byte {
	from := len(p.buf)
	switch {
	case bytes.IndexByte(text, ' ') >= 0:
		return text
	case bytes.IndexByte(text, '%') >= 0:
		p.buf = appendPercent(p.buf, text)
		if bytes.Contains(p.buf[from:], []byte("%20")) {
			again := len(p.buf)
			p.buf = appendPercent(p.buf, p.buf[from:again])
			from = again
		}
	case bytes.IndexByte(text, '+') >= 0:
		p.buf = append(p.buf, text...)
		for i := range p.buf[from:] {
			if p.buf[from+i] == '+' {
				p.buf[from+i] = ' '
			}
		}
	default:
		return text
	}
	return p.buf[from:len(p.buf):len(p.buf)]
}

// fill makes a hit of a line's fields. Only the time and the request must be there, and
// of a line that has no braces to tell that it is whole also a client and a status as
// they can be: another field that is missing or odd is not known.
func (p *Parser) fill(f *format.Fields, h *Hit) Reason {
	text := p.layout != nil && p.layout.JSON == nil
	var ok bool
	if h.Time, ok = p.timeOf(f); !ok {
		return BadTime
	}
	if h.Addr, ok = p.client(f[format.Addr]); !ok && text {
		return BadAddr
	}
	if named := f[format.Forwarded]; len(named) > 0 && (!h.Addr.IsValid() || p.proxies.has(h.Addr)) {
		if addr, ok := p.client(named); ok && addr.IsValid() {
			h.Addr = addr
		}
	}
	if h.Status, ok = parseStatus(f[format.Status]); !ok || h.Status < 100 {
		h.Status = looseStatus(f[format.Status])
	}
	if text && h.Status == 0 && len(f[format.Status]) > 0 && !isNoStatus(f[format.Status]) {
		return BadFields
	}
	h.RequestTime = p.tookOf(f)
	if len(f[format.Sent]) > 0 {
		h.BytesSent = looseSize(f[format.Sent])
	}
	h.Method, h.URI = splitRequest(f[format.Request])
	if len(f[format.Method]) > 0 {
		h.Method = f[format.Method]
	}
	if len(f[format.URI]) > 0 {
		h.URI = p.withArgs(f[format.URI], f[format.Args])
	}
	h.Referer, h.UserAgent = f[format.Referer], f[format.Agent]
	h.RemoteUser, h.RequestID = f[format.User], f[format.ID]
	p.extra.host, p.extra.purpose, p.extra.gpc = f[format.Host], f[format.Purpose], f[format.GPC]
	p.extra.accept, p.extra.tongue = f[format.Language], f[format.Language] != nil
	if host := targetHost(h.URI); len(host) > 0 {
		p.extra.host, p.extra.asked = host, p.layout == nil || !p.layout.Whole
	}
	return ReasonNone
}

// timeOf is the time of a line, which may tell date and clock apart.
func (p *Parser) timeOf(f *format.Fields) (int64, bool) {
	text := f[format.Time]
	if len(text) == 0 && len(f[format.Date]) > 0 {
		from := len(p.buf)
		p.buf = append(append(append(p.buf, f[format.Date]...), ' '), f[format.Clock]...)
		text = p.buf[from:]
	}
	ms, ok := p.stampTime(text)
	if p.layout != nil && p.layout.UTC && ok && p.extra.zoneless {
		p.extra.zoneless = false
		c := calendar{rest: text}
		c.read()
		return inTime(c.utc())
	}
	return ms, ok
}

// stampTime is parseTime that remembers the last one: many lines are of one second.
func (p *Parser) stampTime(text []byte) (int64, bool) {
	if len(text) > 0 && string(text) == string(p.stamp) {
		return p.stampMS, true
	}
	noted := p.extra.zoneless
	ms, ok := p.parseTime(text)
	if ok && p.extra.zoneless == noted && !noted {
		p.stamp, p.stampMS = append(p.stamp[:0], text...), ms
	}
	return ms, ok
}

// tookOf is how long the request took, -1 where that is not known. IIS tells whole
// milliseconds where other W3C logs have seconds with a fraction.
func (p *Parser) tookOf(f *format.Fields) float64 {
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
	if p.layout != nil && p.layout.Escape == format.EscapeW3C && bytes.IndexByte(took, '.') < 0 && n > 0 {
		n /= 1000
	}
	return n
}

// withArgs puts $uri and $args together where they are logged apart.
func (p *Parser) withArgs(uri, args []byte) []byte {
	if args = bytes.TrimPrefix(args, []byte("?")); len(args) == 0 || bytes.IndexByte(uri, '?') >= 0 {
		return uri
	}
	from := len(p.buf)
	p.buf = append(p.buf, uri...)
	p.buf = append(p.buf, '?')
	p.buf = append(p.buf, args...)
	return p.buf[from:len(p.buf):len(p.buf)]
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
