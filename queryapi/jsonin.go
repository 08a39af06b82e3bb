package queryapi

import (
	"unicode/utf16"
	"unicode/utf8"

	"github.com/valyala/fasthttp"
)

// decoder reads the small JSON objects (RFC 8259) that the API takes. It is
// stricter than encoding/json, which takes keys of another case, keys twice
// and nulls, and replaces bytes that are not UTF-8, which would make one page
// out of two. Its errors name the field.
type decoder struct {
	in    []byte
	at    int
	field string // the one being read, for messages
	text  []byte // what strings with escapes decode to
}

// reset starts over with in, which must stay as it is while strings are used.
func (d *decoder) reset(in []byte) {
	*d = decoder{in: in, text: d.text[:0]}
}

// syntax says that the body is no JSON at the current position.
func (d *decoder) syntax(want string) error {
	where := d.field
	if where == "" {
		where = "body"
	}
	return fail(fasthttp.StatusBadRequest, CodeBadJSON, "%s: expected %s at byte %d", where, want, d.at)
}

// peek is the next byte after white space, 0 at the end.
func (d *decoder) peek() byte {
	for ; d.at < len(d.in); d.at++ {
		switch d.in[d.at] {
		case ' ', '\t', '\r', '\n':
		default:
			return d.in[d.at]
		}
	}
	return 0
}

// take passes over c, if it is next.
func (d *decoder) take(c byte) bool {
	if d.peek() != c || d.at == len(d.in) {
		return false
	}
	d.at++
	return true
}

// object reads the whole body as one object with the given field names, each
// at most once, and calls read for the value of field i.
func (d *decoder) object(names []string, read func(i int) error) error {
	if !d.take('{') {
		return d.syntax("an object")
	}
	var seen uint64
	for first := true; !d.take('}'); first = false {
		if !first && !d.take(',') {
			return d.syntax("a comma or the end of the object")
		}
		i, err := d.key(names, &seen)
		if err != nil {
			return err
		}
		if err := read(i); err != nil {
			return err
		}
		d.field = ""
	}
	if d.peek(); d.at != len(d.in) {
		return d.syntax("nothing after the object")
	}
	return nil
}

func (d *decoder) key(names []string, seen *uint64) (int, error) {
	if d.peek() != '"' {
		return 0, d.syntax("a field name")
	}
	key, err := d.string()
	if err != nil {
		return 0, err
	}
	for i, name := range names {
		if string(key) != name {
			continue
		}
		if *seen&(1<<i) != 0 {
			return 0, fail(fasthttp.StatusBadRequest, CodeUnknownField, "%s: is there twice", name)
		}
		*seen |= 1 << i
		d.field = name
		if !d.take(':') {
			return 0, d.syntax("a colon")
		}
		return i, nil
	}
	return 0, fail(fasthttp.StatusBadRequest, CodeUnknownField, "%s: unknown field; known are %q", key[:min(len(key), 64)], names)
}

// string reads a string, which is valid until reset and as long as in.
func (d *decoder) string() ([]byte, error) {
	if d.peek() != '"' {
		return nil, d.wrongType("a string")
	}
	d.at++
	start := d.at
	for ; d.at < len(d.in); d.at++ {
		switch c := d.in[d.at]; {
		case c == '"':
			d.at++
			return d.in[start : d.at-1], nil
		case c == '\\':
			return d.escaped(start)
		case c < ' ':
			return nil, d.syntax("no control character in a string")
		}
	}
	return nil, d.syntax("the end of the string")
}

// escaped reads the rest of a string from its first escape on.
func (d *decoder) escaped(start int) ([]byte, error) {
	from := len(d.text)
	d.text = append(d.text, d.in[start:d.at]...)
	for d.at < len(d.in) {
		c := d.in[d.at]
		d.at++
		switch {
		case c == '"':
			return d.text[from:], nil
		case c == '\\':
			if err := d.escape(); err != nil {
				return nil, err
			}
		case c < ' ':
			d.at--
			return nil, d.syntax("no control character in a string")
		default:
			d.text = append(d.text, c)
		}
	}
	return nil, d.syntax("the end of the string")
}

func (d *decoder) escape() error {
	if d.at == len(d.in) {
		return d.syntax("the end of the string")
	}
	c := d.in[d.at]
	d.at++
	switch c {
	case '"', '\\', '/':
		d.text = append(d.text, c)
	case 'b':
		d.text = append(d.text, '\b')
	case 'f':
		d.text = append(d.text, '\f')
	case 'n':
		d.text = append(d.text, '\n')
	case 'r':
		d.text = append(d.text, '\r')
	case 't':
		d.text = append(d.text, '\t')
	case 'u':
		return d.unicode()
	default:
		d.at--
		return d.syntax("an escape of JSON")
	}
	return nil
}

// unicode reads the digits of \uXXXX, and of a second one for a surrogate.
func (d *decoder) unicode() error {
	r, ok := d.hex4()
	if ok && utf16.IsSurrogate(r) {
		// Half a pair stands for nothing; to replace it would merge pages.
		var low rune
		if ok = d.at+1 < len(d.in) && d.in[d.at] == '\\' && d.in[d.at+1] == 'u'; ok {
			d.at += 2
			low, ok = d.hex4()
			r = utf16.DecodeRune(r, low)
			ok = ok && r != utf8.RuneError
		}
	}
	if !ok {
		return d.syntax(`four hex digits after \u, and pairs of surrogates`)
	}
	d.text = utf8.AppendRune(d.text, r)
	return nil
}

func (d *decoder) hex4() (r rune, ok bool) {
	if d.at+4 > len(d.in) {
		return 0, false
	}
	for _, c := range d.in[d.at : d.at+4] {
		switch {
		case c >= '0' && c <= '9':
			r = r<<4 | rune(c-'0')
		case c|0x20 >= 'a' && c|0x20 <= 'f':
			r = r<<4 | rune(c|0x20-'a'+10)
		default:
			return 0, false
		}
	}
	d.at += 4
	return r, true
}

// list reads an array and calls read for each element.
func (d *decoder) list(read func() error) error {
	if !d.take('[') {
		return d.wrongType("an array")
	}
	for first := true; !d.take(']'); first = false {
		if !first && !d.take(',') {
			return d.syntax("a comma or the end of the array")
		}
		if err := read(); err != nil {
			return err
		}
	}
	return nil
}

// integer reads a whole number within lo and hi.
func (d *decoder) integer(lo, hi int) (int, error) {
	d.peek()
	start, n := d.at, 0
	neg := d.at < len(d.in) && d.in[d.at] == '-'
	if neg {
		d.at++
	}
	digits := d.at
	for ; d.at < len(d.in) && d.in[d.at] >= '0' && d.in[d.at] <= '9'; d.at++ {
		n = min(n*10+int(d.in[d.at]-'0'), 1<<40)
	}
	if digits == d.at || d.in[digits] == '0' && d.at-digits > 1 {
		d.at = start
		return 0, d.wrongType("a whole number")
	}
	if d.at < len(d.in) {
		switch d.in[d.at] {
		case '.', 'e', 'E':
			return 0, d.wrongType("a whole number")
		}
	}
	if neg {
		n = -n
	}
	if n < lo || n > hi {
		return 0, badValue(d.field, "must be within %d and %d", lo, hi)
	}
	return n, nil
}

func (d *decoder) wrongType(want string) error {
	if d.field == "" || d.at >= len(d.in) {
		return d.syntax(want)
	}
	return badValue(d.field, "must be %s", want)
}
