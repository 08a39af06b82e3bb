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

// row is one counted line. Its slices are valid until the next line is parsed.
type row struct {
	hit      *parser.Hit
	eventKey []byte // empty: a page view
	keys
	segment, end int64
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
func (e *encoder) appendPartRow(b []byte, r *row, named *namedTexts) []byte {
	for i := range columns {
		c := &columns[i]
		if c.texts == nil {
			b = c.append(e, b, r)
		} else {
			e.buf = c.append(e, e.buf[:0], r)
			b = c.texts(named).append(b, e.buf)
		}
		b = append(b, '\t')
	}
	b[len(b)-1] = '\n'
	return b
}

// appendArgs writes the values of a prepared insert; they are copies.
func (e *encoder) appendArgs(args []any, r *row, d dialect) []any {
	for i := range columns {
		args = append(args, columns[i].arg(e, r, d))
	}
	return args
}

func (e *encoder) dateOf(d parser.Day) []byte {
	if d != e.day {
		e.day, e.date = d, appendDate(e.date[:0], d)
	}
	return e.date
}

// escapes are the bytes that mean something in the text of LOAD DATA.
var escapes = [256]byte{0: '0', '\t': 't', '\n': 'n', '\r': 'r', '\\': '\\'}

func appendEscaped[T []byte | string](b []byte, text T) []byte {
	from := 0
	for i := range len(text) {
		c := text[i]
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

func cut[T []byte | string](b T, n int) T { return b[:min(len(b), n)] }
