package parser

import (
	"math/bits"
	"strings"
)

// Fields of a v1 line, in their order; a v2 line has Accept-Language before the end. A
// v1 line, with "|" for TAB:
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
	fieldLanguage = fieldEnd // of a v2 line: $http_accept_language
)

// lineV1 is a line split at its TABs.
type lineV1 struct {
	b       []byte
	tabs    [NumFieldsV2]int // where field i ends, for those that a TAB ends
	n       int              // number of TABs, counted on beyond the array
	escaped bool             // there is a backslash
	clean   bool             // printable ASCII and TABs, nothing else
	fields  int              // that a line of its version has
}

// split looks at each byte of the line once.
func (l *lineV1) split(b []byte) {
	l.b, l.n, l.escaped, l.clean, l.fields = b, 0, false, true, 0
	var masks [scanWords]uint64
	at := 0
	for len(b)-at >= chunkSize {
		n := min(len(b)-at, scanSize)
		if rest := len(b) - at - n; rest > 0 && rest < chunkSize {
			n -= chunkSize // the last piece is no shorter than a chunk, too
		}
		l.take(b[at:at+n], at, &masks)
		at += n
	}
	if at < len(b) {
		short := blank
		l.take(short[:max(copy(short[:], b[at:]), chunkSize)], at, &masks)
	}
}

// blank is a chunk of spaces.
var blank = [chunkSize]byte([]byte(strings.Repeat(" ", chunkSize)))

// take notes what a piece of the line holds that begins at offset from.
func (l *lineV1) take(piece []byte, from int, masks *[scanWords]uint64) {
	if scan(piece, masks) {
		l.escaped = true
	}
	for i := 0; i < len(piece); i += chunkSize {
		for mask := masks[i/chunkSize&(scanWords-1)]; mask != 0; mask &= mask - 1 {
			at := i + bits.TrailingZeros64(mask)
			if piece[at] != '\t' {
				l.clean = false
			}
			if l.n < len(l.tabs) {
				l.tabs[l.n] = from + at
			}
			l.n++
		}
	}
}

// field is field i, i >= 1, of a line that has all its TABs, but the end mark.
func (l *lineV1) field(i int) []byte {
	return l.b[l.tabs[i-1]+1 : l.tabs[i]]
}

// check tells what is wrong with the line as a whole. The number of fields is
// exact and no field can hold a TAB, so a line that lost its newline, or its
// tail, to a full disk cannot pass, whatever follows it.
func (l *lineV1) check() Reason {
	b := l.b
	if len(b) >= 3 {
		switch string(b[:3]) {
		case VersionV1 + "\t":
			l.fields = NumFieldsV1
		case VersionV2 + "\t":
			l.fields = NumFieldsV2
		}
	}
	switch {
	case !l.clean:
		return BadBytes
	case l.fields == 0:
		return BadVersion
	case l.n > l.fields-1:
		return BadFields
	case len(b) < 4 || string(b[len(b)-4:]) != "\t"+EndMark:
		return BadEnd
	case l.n < l.fields-1:
		return BadFields
	}
	return ReasonNone
}

// readV1 reads our own format: TAB-separated, nginx's default escape, "-" for
// what is missing, a version mark at the begin and an end mark.
func (ln *lines) readV1(line []byte, h *Hit) Reason {
	if !ln.plainly && ln.readShort(line, h) {
		return ReasonNone
	}
	var l lineV1
	l.split(line)
	if reason := l.check(); reason != ReasonNone {
		return reason
	}
	var ok bool
	if h.Time, ok = parseMsec(l.field(fieldTime)); !ok || h.Time < minTime || h.Time >= maxTime {
		return BadTime
	}
	if h.Addr, ok = ln.client(l.field(fieldAddr)); !ok {
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
	return ln.textsV1(&l, h)
}

func (ln *lines) textsV1(l *lineV1, h *Hit) Reason {
	x := &ln.extra
	h.RequestID = dashless(l.field(fieldID))
	x.host = dashless(l.field(fieldHost))
	h.Method = dashless(l.field(fieldMethod))
	h.URI = dashless(l.field(fieldURI))
	h.Referer = dashless(l.field(fieldReferer))
	h.UserAgent = dashless(l.field(fieldAgent))
	x.purpose = dashless(l.field(fieldPurpose))
	x.gpc = dashless(l.field(fieldGPC))
	h.RemoteUser = dashless(l.field(fieldUser))
	if x.tongue = l.fields == NumFieldsV2; x.tongue {
		x.accept = dashless(l.field(fieldLanguage))
	}
	if !l.escaped {
		ln.shape.learn(l, h)
		return ReasonNone
	}
	for _, text := range [...]*[]byte{&h.RequestID, &x.host, &h.Method, &h.URI, &h.Referer,
		&h.UserAgent, &x.purpose, &x.gpc, &h.RemoteUser, &x.accept} {
		var ok bool
		if *text, ok = ln.unescape(*text); !ok {
			return BadEscape
		}
	}
	return ReasonNone
}

// unescape returns text itself if there is nothing to undo.
func (ln *lines) unescape(text []byte) ([]byte, bool) {
	from := len(ln.buf)
	buf, ok := appendUnescaped(ln.buf, text)
	if !ok {
		return nil, false
	}
	if len(buf)-from == len(text) {
		return text, true
	}
	ln.buf = buf
	return buf[from:len(buf):len(buf)], true
}
