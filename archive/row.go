package archive

import (
	"encoding/binary"
	"encoding/hex"
	"net/netip"

	"ddkk-stats/parser"
)

// The widths of columns that hold what a browser sends. What is longer is cut:
// it is kept to be looked at, nothing is counted by it.
const (
	maxAgent   = 512
	maxReferer = 512
	maxUID     = 200
)

// rowColumns are the columns of a raw row, in the order of row's fields.
const rowColumns = "site, page, user_hash, ip, user_agent, potential_bot, created_at, date, event_key, " +
	"device, uid, referer, referrer, view_key, window_key, segment, end_offset"

const numRowColumns = 17

// row is one counted line. Its slices are valid until the next line is parsed.
type row struct {
	hit      *parser.Hit
	eventKey []byte // empty: a page view
	keys
	end int64
}

// encoder writes rows as the text of LOAD DATA, or as arguments.
type encoder struct {
	ip    IPMode
	clock clock
	buf   []byte
	day   parser.Day
	date  []byte
}

// appendPartRow writes the fields of partColumns, separated by TAB and escaped by
// a backslash, and LF.
func (e *encoder) appendPartRow(b []byte, r *row, segment int64, agents, referers *texts) []byte {
	h := r.hit
	b = append(appendEscaped(b, []byte(h.Site)), '\t')
	b = append(appendEscaped(b, h.Page), '\t')
	b = append(appendHash(b, h.Visitor), '\t')
	b = append(appendIP(b, h.Addr, e.ip), '\t')
	b = append(agents.append(b, cut(h.UserAgent, maxAgent)), '\t')
	b = append(b, flag(h.Bot), '\t')
	b = append(e.clock.append(b, h.Time), '\t')
	b = append(append(b, e.dateOf(h.Day)...), '\t')
	b = append(appendEscaped(b, r.eventKey), '\t')
	b = append(b, '0'+byte(h.Device), '\t')
	b = append(appendEscaped(b, cut(h.UID, maxUID)), '\t')
	b = append(referers.append(b, cut(h.Referer, maxReferer)), '\t')
	b = append(append(b, h.Referrer...), '\t') // a host: there is nothing to escape
	b = append(appendKey(b, r.viewKey, r.hasView), '\t')
	b = append(appendKey(b, r.windowKey, r.hasWindow), '\t')
	b = append(appendInt(b, segment), '\t')
	return append(appendInt(b, r.end), '\n')
}

// appendArgs writes the values of a prepared insert; they are copies.
func (e *encoder) appendArgs(args []any, r *row, segment int64, d dialect) []any {
	h := r.hit
	e.buf = appendHash(e.buf[:0], h.Visitor)
	hash := string(e.buf)
	e.buf = appendIP(e.buf[:0], h.Addr, e.ip)
	ip := string(e.buf)
	e.buf = e.clock.append(e.buf[:0], h.Time)
	return append(args,
		d.bytes([]byte(h.Site)), d.bytes(h.Page), hash, ip, d.bytes(cut(h.UserAgent, maxAgent)),
		int64(flag(h.Bot)-'0'), string(e.buf), string(e.dateOf(h.Day)), d.bytes(r.eventKey), int64(h.Device),
		d.bytes(cut(h.UID, maxUID)), d.bytes(cut(h.Referer, maxReferer)), d.bytes([]byte(h.Referrer)),
		keyArg(r.viewKey, r.hasView), keyArg(r.windowKey, r.hasWindow), segment, r.end)
}

func (e *encoder) dateOf(d parser.Day) []byte {
	if d != e.day {
		e.day, e.date = d, appendDate(e.date[:0], d)
	}
	return e.date
}

// escapes are the bytes that mean something in the text of LOAD DATA.
var escapes = [256]byte{0: '0', '\t': 't', '\n': 'n', '\r': 'r', '\\': '\\'}

func appendEscaped(b, text []byte) []byte {
	from := 0
	for i, c := range text {
		// One comparison passes over nearly all bytes.
		if c > '\r' && c != '\\' || escapes[c] == 0 {
			continue
		}
		b = append(append(b, text[from:i]...), '\\', escapes[c])
		from = i + 1
	}
	return append(b, text[from:]...)
}

// appendHash writes nothing for a visitor that must not be told.
func appendHash(b []byte, v parser.Visitor) []byte {
	if v.IsZero() {
		return b
	}
	return hex.AppendEncode(b, v[:])
}

func appendIP(b []byte, addr netip.Addr, mode IPMode) []byte {
	switch mode {
	case IPNone:
		return b
	case IPMasked:
		bits := 48
		if addr.Is4() {
			bits = 24
		}
		if p, err := addr.WithZone("").Prefix(bits); err == nil {
			return p.Addr().AppendTo(b)
		}
		return b
	}
	return addr.WithZone("").AppendTo(b)
}

func appendKey(b []byte, key uint64, has bool) []byte {
	if !has {
		return append(b, '\\', 'N')
	}
	var k [8]byte
	binary.LittleEndian.PutUint64(k[:], key)
	return appendEscaped(b, k[:])
}

func keyArg(key uint64, has bool) any {
	if !has {
		return nil
	}
	return binary.LittleEndian.AppendUint64(nil, key)
}

func flag(b bool) byte {
	if b {
		return '1'
	}
	return '0'
}

func cut(b []byte, n int) []byte { return b[:min(len(b), n)] }
