package parser

import (
	"bytes"
	"encoding/binary"
	"math/bits"
	"strings"
)

// Fields of a v1 line, in their order. A line, with "|" for TAB:
//
//	v1|1763769600.123|4f0c...32 hex|203.0.113.7|ddkk.com|GET|200|/event.png?site=ddkk.com&page=%2F|https://ddkk.com/|Mozilla/5.0 ...|-|-|-|0.000|43|end
const (
	fieldVersion = iota
	fieldTime    // $msec
	fieldID      // $request_id
	fieldAddr    // $remote_addr
	fieldHost    // $host
	fieldMethod  // $request_method
	fieldStatus  // $status
	fieldURI     // $request_uri
	fieldReferer // $http_referer
	fieldAgent   // $http_user_agent
	fieldPurpose // $http_sec_purpose
	fieldGPC     // $http_sec_gpc
	fieldUser    // $remote_user
	fieldTook    // $request_time
	fieldSent    // $body_bytes_sent
	fieldEnd
)

// lineV1 is a line split at its TABs.
type lineV1 struct {
	b       []byte
	tabs    [NumFieldsV1]int // where field i ends, for those that a TAB ends
	n       int              // number of TABs, counted on beyond the array
	bad     uint64           // has one of highBits if a byte is over 0x7E or a control
	escaped bool             // there is a backslash
	clean   bool             // printable ASCII and TABs, nothing else
}

// A word of eight bytes is looked at in one go: these hold a byte's lowest bit,
// its highest bit, and a space, eight times.
const (
	lowBits  = 0x0101010101010101
	highBits = 0x8080808080808080
	spaces   = ' ' * lowBits
)

// chunkSize is how many bytes have their control characters in one word.
const chunkSize = 64

// split looks at each byte of the line once. There are hardly any branches in
// it that depend on the bytes: those would be mispredicted at every field.
func (l *lineV1) split(b []byte) {
	l.b, l.n, l.bad = b, 0, 0
	i := 0
	for ; i+chunkSize <= len(b); i += chunkSize {
		l.take((*[chunkSize]byte)(b[i:]), i)
	}
	if i < len(b) {
		last := blank
		copy(last[:], b[i:])
		l.take(&last, i)
	}
	l.clean, l.escaped = l.bad&highBits == 0, bytes.IndexByte(b, '\\') >= 0
}

// blank is a chunk of spaces.
var blank = [chunkSize]byte([]byte(strings.Repeat(" ", chunkSize)))

// take notes what the chunk at i holds. It is unrolled: in a loop, constants
// and shifts would cost as much as the work.
func (l *lineV1) take(chunk *[chunkSize]byte, i int) {
	w0, w1 := binary.LittleEndian.Uint64(chunk[0:]), binary.LittleEndian.Uint64(chunk[8:])
	w2, w3 := binary.LittleEndian.Uint64(chunk[16:]), binary.LittleEndian.Uint64(chunk[24:])
	w4, w5 := binary.LittleEndian.Uint64(chunk[32:]), binary.LittleEndian.Uint64(chunk[40:])
	w6, w7 := binary.LittleEndian.Uint64(chunk[48:]), binary.LittleEndian.Uint64(chunk[56:])
	// A byte over 0x7E has its highest bit set, or gets it by adding 1.
	l.bad |= w0 | w1 | w2 | w3 | w4 | w5 | w6 | w7 |
		(w0 + lowBits) | (w1 + lowBits) | (w2 + lowBits) | (w3 + lowBits) |
		(w4 + lowBits) | (w5 + lowBits) | (w6 + lowBits) | (w7 + lowBits)
	printable := fromSpace(w0) | fromSpace(w1)<<8 | fromSpace(w2)<<16 | fromSpace(w3)<<24 |
		fromSpace(w4)<<32 | fromSpace(w5)<<40 | fromSpace(w6)<<48 | fromSpace(w7)<<56
	for controls := ^printable; controls != 0; controls &= controls - 1 {
		at := bits.TrailingZeros64(controls) & (chunkSize - 1)
		if chunk[at] != '\t' {
			l.bad = highBits
		}
		if l.n < len(l.tabs) {
			l.tabs[l.n] = i + at
		}
		l.n++
	}
}

// fromSpace has bit k set if byte k of w is 0x20 or more: the highest bit of a
// byte survives the subtraction if so, and the product gathers the eight of
// them in its top byte.
func fromSpace(w uint64) uint64 {
	return ((w | highBits) - spaces) & highBits * 0x0002040810204081 >> 56
}

// field is field i, i >= 1, of a line that has all its TABs.
func (l *lineV1) field(i int) []byte {
	if i == fieldEnd {
		return l.b[l.tabs[i-1]+1:]
	}
	return l.b[l.tabs[i-1]+1 : l.tabs[i]]
}

// check tells what is wrong with the line as a whole. The number of fields is
// exact and no field can hold a TAB, so a line that lost its newline, or its
// tail, to a full disk cannot pass, whatever follows it.
func (l *lineV1) check() Reason {
	b := l.b
	switch {
	case !l.clean:
		return BadBytes
	case len(b) < 3 || string(b[:3]) != VersionV1+"\t":
		return BadVersion
	case l.n > NumFieldsV1-1:
		return BadFields
	case len(b) < 4 || string(b[len(b)-4:]) != "\t"+EndMark:
		return BadEnd
	case l.n < NumFieldsV1-1:
		return BadFields
	}
	return ReasonNone
}

// readV1 reads our own format: TAB-separated, nginx's default escape, "-" for
// what is missing, a version mark at the begin and an end mark.
func (p *Parser) readV1(line []byte, h *Hit) Reason {
	var l lineV1
	l.split(line)
	if reason := l.check(); reason != ReasonNone {
		return reason
	}
	var ok bool
	if h.Time, ok = parseMsec(l.field(fieldTime)); !ok || h.Time < minTime || h.Time >= maxTime {
		return BadTime
	}
	if h.Addr, ok = parseAddr(l.field(fieldAddr)); !ok {
		return BadAddr
	}
	if h.Status, ok = parseStatus(l.field(fieldStatus)); !ok {
		return BadFields
	}
	if h.RequestTime, ok = parseSeconds(l.field(fieldTook)); !ok {
		return BadFields
	}
	if h.BytesSent, ok = parseSize(l.field(fieldSent)); !ok {
		return BadFields
	}
	return p.textsV1(&l, h)
}

func (p *Parser) textsV1(l *lineV1, h *Hit) Reason {
	x := &p.extra
	h.RequestID = dashless(l.field(fieldID))
	x.host = dashless(l.field(fieldHost))
	h.Method = dashless(l.field(fieldMethod))
	h.URI = dashless(l.field(fieldURI))
	h.Referer = dashless(l.field(fieldReferer))
	h.UserAgent = dashless(l.field(fieldAgent))
	x.purpose = dashless(l.field(fieldPurpose))
	x.gpc = dashless(l.field(fieldGPC))
	h.RemoteUser = dashless(l.field(fieldUser))
	if !l.escaped {
		return ReasonNone
	}
	for _, text := range [...]*[]byte{&h.RequestID, &x.host, &h.Method, &h.URI, &h.Referer,
		&h.UserAgent, &x.purpose, &x.gpc, &h.RemoteUser} {
		var ok bool
		if *text, ok = p.unescape(*text); !ok {
			return BadEscape
		}
	}
	return ReasonNone
}

// unescape returns text itself if there is nothing to undo.
func (p *Parser) unescape(text []byte) ([]byte, bool) {
	from := len(p.buf)
	buf, ok := appendUnescaped(p.buf, text)
	if !ok {
		return nil, false
	}
	if len(buf)-from == len(text) {
		return text, true
	}
	p.buf = buf
	return buf[from:len(buf):len(buf)], true
}
