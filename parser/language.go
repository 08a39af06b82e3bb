package parser

import "bytes"

// appendLanguage appends the primary subtag of the first language of an
// Accept-Language, lower case: "de" of "de-DE,de;q=0.9". It appends nothing where there
// is none ("*"), or what stands there is no tag.
func appendLanguage(b, accept []byte) []byte {
	accept = bytes.TrimLeft(accept, " \t")
	n := 0
	for n < len(accept) && isLetter(accept[n]) {
		n++
	}
	if n < 2 || n > 3 || n < len(accept) && bytes.IndexByte([]byte("-_,; "), accept[n]) < 0 {
		return b
	}
	for _, c := range accept[:n] {
		b = append(b, c|0x20)
	}
	return b
}

func isLetter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }

// lastLanguage remembers what one Accept-Language names: of many readers it is the same.
type lastLanguage struct {
	text  []byte
	value *Value
}

func (p *Parser) language(accept []byte) *Value {
	l := &p.lastLanguage
	if l.value != nil && bytes.Equal(l.text, accept) {
		return l.value
	}
	var b [4]byte
	l.text = append(l.text[:0], accept...)
	l.value = p.values.of(Language, appendLanguage(b[:0], accept))
	return l.value
}
