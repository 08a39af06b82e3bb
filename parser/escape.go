package parser

import (
	"bytes"
	"encoding/binary"
	"math/bits"
	"slices"
)

// hexDigits holds the value of a hex digit, -1 for other bytes.
var hexDigits = func() (t [256]int8) {
	for i := range t {
		t[i] = -1
	}
	for i, c := range "0123456789" {
		t[c] = int8(i)
	}
	for i := range 6 {
		t['a'+i], t['A'+i] = int8(10+i), int8(10+i)
	}
	return t
}()

// unhex is the value of a hex digit or -1.
func unhex(c byte) int { return int(hexDigits[c]) }

// unhex2 is the byte that two hex digits at the start of b stand for.
func unhex2(b []byte) (byte, bool) {
	if len(b) < 2 {
		return 0, false
	}
	hi, lo := hexDigits[b[0]], hexDigits[b[1]]
	return byte(hi<<4 | lo), hi >= 0 && lo >= 0
}

// appendUnescaped undoes nginx's default escaping, \xXX for a byte. It reports
// false for any other use of a backslash, which nginx itself writes as \x5C.
func appendUnescaped(dst, src []byte) ([]byte, bool) {
	for {
		i := bytes.IndexByte(src, '\\')
		if i < 0 {
			return append(dst, src...), true
		}
		dst = append(dst, src[:i]...)
		if i+4 > len(src) || src[i+1] != 'x' {
			return dst, false
		}
		c, ok := unhex2(src[i+2:])
		if !ok {
			return dst, false
		}
		dst = append(dst, c)
		src = src[i+4:]
	}
}

// appendPercent undoes percent-encoding once. What does not decode stays as it
// is: "%zz" is three bytes.
func appendPercent(dst, src []byte) []byte {
	for {
		i := bytes.IndexByte(src, '%')
		if i < 0 {
			return append(dst, src...)
		}
		dst = append(dst, src[:i]...)
		if c, ok := unhex2(src[i+1:]); ok {
			dst = append(dst, c)
			src = src[i+3:]
		} else {
			dst = append(dst, '%')
			src = src[i+1:]
		}
	}
}

// appendForm undoes the encoding of a query value: "+" is a space, the rest is
// percent-encoded.
func appendForm(dst, src []byte) []byte {
	n := len(dst)
	dst = slices.Grow(dst, len(src)+8)[:n+len(src)+8]
	for len(src) > 0 {
		// Copy a word and keep as much of it as is plain.
		if len(src) >= 8 {
			w := binary.LittleEndian.Uint64(src)
			binary.LittleEndian.PutUint64(dst[n:], w)
			percent, plus := w^'%'*lowBits, w^'+'*lowBits
			special := ((percent-lowBits)&^percent | (plus-lowBits)&^plus) & highBits
			if special == 0 {
				n, src = n+8, src[8:]
				continue
			}
			plain := bits.TrailingZeros64(special) / 8
			n, src = n+plain, src[plain:]
		}
		c, used := src[0], 1
		if c == '+' {
			c = ' '
		} else if c == '%' && len(src) > 2 {
			if hi, lo := hexDigits[src[1]], hexDigits[src[2]]; hi|lo >= 0 {
				c, used = byte(hi<<4|lo), 3
			}
		}
		dst[n] = c
		n, src = n+1, src[used:]
	}
	return dst[:n]
}
