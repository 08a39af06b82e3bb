package parser

import (
	"unicode/utf8"
)

// maxEventPart is the longest part of an event key in bytes, as escaped.
const maxEventPart = 200

const upperHex = "0123456789ABCDEF"

// AppendEventKeys appends the key of h's event to dst and tells where its
// levels end: dst[:ends[0]] is "category", dst[:ends[1]] "category.action" and
// so on for n levels, each a prefix of the next. dst should be empty.
//
// In a part, ".", "%", "|", control bytes and bytes that are no UTF-8 are
// percent-escaped, so that keys are unambiguous, valid text, and free of the
// marks that stores add to them. A part is cut at 200 bytes.
func AppendEventKeys(dst []byte, h *Hit) (key []byte, ends [4]int, n int) {
	for i, part := range [...][]byte{h.Category, h.Action, h.Label, h.Value} {
		if len(part) == 0 {
			break
		}
		if i > 0 {
			dst = append(dst, '.')
		}
		dst = appendEventPart(dst, part)
		ends[i], n = len(dst), i+1
	}
	return dst, ends, n
}

// EventKey is the key of the given levels, at most four, up to the first empty
// one: what a reader asks for. It is empty without a category.
func EventKey(levels ...string) string {
	var b []byte
	for i, level := range levels[:min(len(levels), 4)] {
		if level == "" {
			break
		}
		if i > 0 {
			b = append(b, '.')
		}
		b = appendEventPart(b, []byte(level))
	}
	return string(b)
}

func appendEventPart(dst, part []byte) []byte {
	limit := len(dst) + maxEventPart
	for len(part) > 0 {
		c := part[0]
		r, size := utf8.DecodeRune(part)
		escape := c < ' ' || c == 0x7F || c == '.' || c == '%' || c == '|' || r == utf8.RuneError && size == 1
		if escape {
			if len(dst)+3 > limit {
				break
			}
			dst = append(dst, '%', upperHex[c>>4], upperHex[c&15])
		} else {
			if len(dst)+size > limit {
				break
			}
			dst = append(dst, part[:size]...)
		}
		part = part[size:]
	}
	return dst
}
